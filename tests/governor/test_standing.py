"""The self-test is run once for a machine, remembered, and asked before any script is loaded."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from circuitos.env import env
from governor.jail import standing
from governor.jail.findings import ESCAPED, HELD, Findings, Row
from governor.jail.supervisor import Zygote

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Examiner:
    """Stands in for the self-test: counts how often it was made."""

    def __init__(self, verdict=HELD):
        self.made = 0
        self.verdict = verdict

    def __call__(self, found, *, at):
        self.made += 1
        return Findings(mode=found.jail, at=at, took_ms=1, rows=(Row("fork", self.verdict),))


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """A process that knows nothing yet."""

    def forget():
        monkeypatch.setattr(standing._Memory, "key", "")
        monkeypatch.setattr(standing._Memory, "findings", None)

    forget()
    return forget


@pytest.fixture
def found(tmp_path):
    return replace(env(), home=tmp_path / "home")


class TestOfMachine:
    def test_is_made_once_and_read_by_the_next_process(self, found, fresh):
        tests = Examiner()
        first = standing.of_machine(found, at=NOW, examine=tests)
        again = standing.of_machine(found, at=NOW, examine=tests)
        fresh()
        read = standing.of_machine(found, at=NOW, examine=tests)

        assert tests.made == 1
        assert first == again == read

    def test_another_mode_is_another_test(self, found):
        tests = Examiner()
        standing.of_machine(found, at=NOW, examine=tests)

        basic = standing.of_machine(replace(found, jail="basic"), at=NOW, examine=tests)

        assert (tests.made, basic.mode) == (2, "basic")

    def test_is_made_again_after_a_day(self, found):
        tests = Examiner()
        standing.of_machine(found, at=NOW, examine=tests)

        standing.of_machine(found, at=NOW + timedelta(hours=25), examine=tests)

        assert tests.made == 2

    def test_a_refusal_is_looked_at_again_soon(self, found, caplog):
        tests = Examiner(ESCAPED)
        standing.of_machine(found, at=NOW, examine=tests)
        standing.of_machine(found, at=NOW + timedelta(seconds=5), examine=tests)
        tests.verdict = HELD

        mended = standing.of_machine(found, at=NOW + timedelta(seconds=31), examine=tests)

        assert tests.made == 2
        assert mended.state == "ok"
        assert "No script runs: fork" in caplog.text

    def test_basic_is_said_loudly(self, found, caplog, fresh):
        standing.of_machine(replace(found, jail="basic"), at=NOW, examine=Examiner())

        fresh()
        standing.of_machine(replace(found, jail="basic"), at=NOW, examine=Examiner())

        assert [said.levelno for said in caplog.records] == [logging.WARNING] * 2  # a process each
        assert "scripts can reach the network" in caplog.text

    def test_what_cannot_be_kept_is_made_by_each_process(self, found, tmp_path, fresh):
        (tmp_path / "file").write_text("")
        nowhere = replace(found, home=tmp_path / "file" / "home")
        tests = Examiner()
        standing.of_machine(nowhere, at=NOW, examine=tests)
        fresh()

        standing.of_machine(nowhere, at=NOW, examine=tests)

        assert tests.made == 2

    @pytest.mark.parametrize("kept", ["", "no json", "{}", '{"key": "another", "findings": {}}'])
    def test_what_it_cannot_read_is_made_again(self, found, kept):
        found.home.mkdir()
        (found.home / standing.FILE).write_text(kept)
        tests = Examiner()

        standing.of_machine(found, at=NOW, examine=tests)

        assert tests.made == 1


class TestRequire:
    def test_names_the_escapes(self, found):
        standing.of_machine(found, at=datetime.now(UTC), examine=Examiner(ESCAPED))

        with pytest.raises(standing.JailUnsafe, match="fork") as caught:
            standing.require(found)

        assert caught.value.code == "governor.jail-unsafe"

    def test_a_zygote_asks_before_it_imports_a_script(self, found, tmp_path):
        standing.of_machine(found, at=datetime.now(UTC), examine=Examiner(ESCAPED))
        script = tmp_path / "script.py"
        script.write_text("raise SystemExit('this was imported')")
        zygote = Zygote([script], is_safe=lambda: standing.require(found))

        with pytest.raises(standing.JailUnsafe):
            zygote.start()

        assert zygote.pid is None

    def test_says_nothing_where_the_jail_holds(self, found):
        standing.of_machine(found, at=datetime.now(UTC), examine=Examiner())

        standing.require(found)
