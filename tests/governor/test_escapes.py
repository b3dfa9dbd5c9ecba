"""Each escape really is one: without a jail it succeeds. In processes of their own, harmless all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from governor.jail.escapes.attempt import Attempt, Held, NotHere, outcome
from governor.jail.findings import ESCAPED, HELD, NOT_APPLICABLE, SECCOMP

ROOT = Path(__file__).resolve().parent.parent.parent
# The escapes are aimed at their parent, so they have one that nobody misses.
OUTER = "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]], check=True)"
INNER = """
import json, os, resource, socket, sys
from governor.jail.escapes import files, kernel, world
from governor.jail.escapes.attempt import ATTEMPTS, outcome

resource.setrlimit(resource.RLIMIT_AS, (1024**3, 1024**3))  # the machine is not ours alone
one, other = socket.socketpair()
os.dup2(one.fileno(), 3)
hints = {
    "supervisor": os.getppid(), "project": os.getcwd(), "home": sys.argv[1], "user_home": sys.argv[1],
    "secrets": [sys.argv[1] + "/demo.json"], "socket_folder": sys.argv[1],
}
print(json.dumps({tried.name: outcome(tried, hints) for tried in ATTEMPTS}))
"""


@pytest.fixture(scope="module")
def unjailed(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "demo.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", OUTER, "-c", INNER, str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


class TestWithoutAJail:
    @pytest.mark.parametrize(
        "name",
        [
            "an internet socket", "a unix socket", "exec", "posix_spawn", "fork", "vfork", "clone3",
            "a fork bomb of eight", "a signal to the parent", "the parent's environ", "the parent's maps",
            "names in /proc", "names in /tmp", "the installation's files", "the project's other packages",
            "the database's socket folder", "its own environment", "writing in /tmp", "writing in /dev/shm",
            "deleting", "a file in memory", "being looked at", "the parent's limits", "a queued signal",
            "signals from its socket to others", "a message queue", "more open files",
        ],
    )  # fmt: skip
    def test_it_succeeds(self, unjailed, name):
        assert unjailed[name][0] == ESCAPED, unjailed[name]

    @pytest.mark.skipif(os.geteuid() != 0, reason="much is refused to a plain user in any case")
    def test_so_do_nearly_all_for_root(self, unjailed):
        escaped = [name for name, (verdict, _) in unjailed.items() if verdict == ESCAPED]

        assert len(escaped) >= 100, {name: said for name, said in unjailed.items() if said[0] != ESCAPED}

    def test_nothing_is_left_behind(self, unjailed):
        left = [folder for folder in ("/tmp", "/dev/shm", ROOT) if Path(folder, "circuitos-escape").exists()]

        assert left == []


class TestOutcome:
    @pytest.mark.parametrize(
        ("raised", "verdict"),
        [
            (None, ESCAPED),
            (PermissionError(1, "no"), HELD),
            (PermissionError(13, "no"), HELD),
            (OSError(38, "no"), HELD),
            (OSError(22, "what?"), ESCAPED),
            (OSError(2, "where?"), ESCAPED),
            (FileNotFoundError(2, "where?", "/etc/shadow"), NOT_APPLICABLE),
            (NotHere("no such thing"), NOT_APPLICABLE),
            (Held("it did"), HELD),
            (MemoryError(), HELD),
            (KeyError("supervisor"), ESCAPED),
        ],
    )
    def test_only_a_refusal_counts_as_held(self, raised, verdict):
        def make(hints):
            if raised is not None:
                raise raised

        assert outcome(Attempt("it", SECCOMP, True, make), {})[0] == verdict
