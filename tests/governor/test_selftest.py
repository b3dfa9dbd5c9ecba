"""The self-test tries real escapes in a real jail, and notices when a wall is not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from circuitos.env import env
from governor.jail import selftest
from governor.jail.findings import (
    ESCAPED,
    HELD,
    LANDLOCK,
    NOT_APPLICABLE,
    SECCOMP,
    Findings,
    Row,
    from_dict,
)
from governor.jail.supervisor import Zygote

ROOT = Path(__file__).resolve().parent.parent.parent
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
# A kernel without a feature, by a filter of our own that every process started from here inherits.
WITHOUT = """
import os, sys
from governor.jail import seccomp
rules = {
    "landlock": {"landlock_create_ruleset": seccomp._fail(seccomp.ENOSYS)},
    "seccomp": {"prctl": seccomp._unless(0, (22,))},
}
seccomp.install(seccomp._program(rules[sys.argv[1]], seccomp.machine()))
os.execv(sys.executable, [sys.executable, "-m", "governor.jail.selftest", "--json"])
"""


def examine_without(feature, home):
    environ = {**os.environ, "DEBUG": "1", "CIRCUITOS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, feature],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, from_dict({name: json.loads(done.stdout)[name] for name in FIELDS})


FIELDS = ("mode", "at", "took_ms", "rows", "kernel", "machine", "landlock", "missing")


def findings(**change):
    given = {"mode": "strict", "at": NOW, "took_ms": 1.0, "rows": (Row("fork", HELD),), **change}
    return Findings(**given)


class TestExamine:
    def test_every_escape_is_held_here(self, tmp_path):
        (tmp_path / "demo.json").write_text("{}")

        found = selftest.examine(replace(env(), home=tmp_path), at=NOW)

        assert found.escaped == (), [row for row in found.rows if row.name in found.escaped]
        assert found.held == found.tried >= 125
        assert {row.verdict for row in found.rows if row.name == "the installation's files"} == {HELD}
        assert (found.state, found.refused, found.missing) == ("ok", (), {})
        assert found.landlock >= 1

    def test_each_escape_has_a_name_of_its_own(self):
        found = selftest.examine(env(), at=NOW)

        names = [row.name for row in found.rows]
        assert len(names) == len(set(names))

    def test_a_basic_jail_is_asked_for_limits_and_lies_alone(self):
        found = selftest.examine(replace(env(), jail="basic"), at=NOW)

        assert found.escaped == ()
        assert (found.state, found.refused) == ("degraded", ())
        assert 15 <= found.tried <= 25
        assert "network" in found.sentence

    def test_without_landlock_secrets_in_files_can_be_read_so_no_script_runs(self, tmp_path):
        (tmp_path / "demo.json").write_text("{}")

        code, found = examine_without("landlock", tmp_path)

        assert code == 1
        assert set(found.missing) == {LANDLOCK}
        assert "the installation's files" in found.refused
        assert "the project's other packages" in found.escaped
        assert "the project's other packages" not in found.refused

    def test_without_a_filter_no_script_runs_and_escapes_are_noticed(self, tmp_path):
        code, found = examine_without("seccomp", tmp_path)

        assert code == 1
        assert found.refused[0].startswith("no seccomp")
        assert {"fork", "an internet socket", "a signal to the parent", "exec"} <= set(found.escaped)
        assert "swallowing a limit" not in found.escaped

    def test_a_handler_that_cannot_tell_is_an_escape(self, monkeypatch):
        monkeypatch.setattr(selftest, "_hints", lambda found: {})  # every attempt misses its hints

        found = selftest.examine(env(), at=NOW)

        assert found.refused

    def test_a_lie_that_is_believed_is_an_escape(self):
        lie = selftest.LIES[0]._replace(is_held=lambda result: False)

        with closing(Zygote([selftest.SCRIPT], is_quiet=True)) as zygote:
            row = selftest._judged(zygote, lie)

        assert row.verdict == ESCAPED


class TestFindings:
    def test_an_escape_is_refused_in_strict_mode_and_told_in_basic(self):
        rows = (Row("fork", ESCAPED), Row("exec", HELD))

        assert findings(rows=rows).refused == ("fork",)
        assert findings(rows=rows).state == "refused"
        assert findings(rows=rows, mode="basic").state == "degraded"

    def test_a_missing_wall_excuses_what_it_alone_would_have_held(self):
        rows = (Row("names", ESCAPED, "", LANDLOCK, is_grave=False),)

        assert findings(rows=rows).state == "refused"
        assert findings(rows=rows, missing={LANDLOCK: "none"}).state == "degraded"
        assert findings(rows=rows, missing={LANDLOCK: "none"}).escaped == ("names",)

    def test_but_for_secrets(self):
        rows = (Row("/etc/shadow", ESCAPED, "", LANDLOCK),)

        assert findings(rows=rows, missing={LANDLOCK: "none"}).refused == ("/etc/shadow",)

    def test_seccomp_is_no_wall_to_do_without(self):
        assert findings(missing={SECCOMP: "refused"}).refused == ("no seccomp: refused",)

    def test_what_is_not_here_is_neither_held_nor_tried(self):
        found = findings(rows=(Row("a", NOT_APPLICABLE), Row("b", HELD)))

        assert (found.held, found.tried) == (1, 1)

    def test_survives_the_way_through_json(self):
        found = findings(rows=(Row("a", ESCAPED, "why", LANDLOCK, is_grave=False),), missing={"x": "y"})

        assert from_dict(json.loads(json.dumps(found.as_dict()))) == found

    def test_says_what_no_script_runs_for(self):
        assert "No script runs: fork." in findings(rows=(Row("fork", ESCAPED),)).sentence


class TestCommand:
    def test_prints_every_escape_and_the_verdict(self, capsys):
        code = selftest.main([])

        told = capsys.readouterr().out
        assert code == 0
        assert "held  fork: EPERM" in told
        assert "strict, " in told
