"""How far over a limit a script gets before it is stopped, whatever kind of code it is in.

The only tests that look at the clock. Times are the broker's own; memory is read from outside, from /proc.
"""

from __future__ import annotations

import re
import threading
from contextlib import closing
from pathlib import Path

import pytest

from governor.broker import run
from governor.jail.supervisor import Zygote
from tests.governor.conftest import make_job

SCRIPTS = Path(__file__).parent / "overshoot"
MOST_WALL_MS = 250
MOST_CPU_MS = 1_000
MOST_MEMORY = 1.10
CODE = [
    "in_python", "in_a_builtin", "in_openssl", "in_sorting", "in_numpy", "in_backtracking", "in_threads",
    "swallowing",
]  # fmt: skip
MEMORY_CODE = [
    "in_python", "in_a_builtin", "in_sorting", "in_numpy", "in_backtracking", "in_threads",
    "swallowing", "shared", "shared_piecemeal",
]  # fmt: skip
_HELD = re.compile(r"^(?:RssAnon|RssShmem|VmSwap):\s*(\d+) kB", re.MULTILINE)


@pytest.fixture(scope="module")
def zygote():
    with closing(Zygote([SCRIPTS])) as jail:
        jail.start()
        yield jail


@pytest.fixture
def go(zygote, acme):
    def execute(handler, **limits):
        job = make_job(acme, f"over.{handler}", limits=limits)
        return run(job, zygote=zygote, heartbeat=lambda: True)

    return execute


class Onlooker:
    """Reads what the zygote's runner holds, as often as it can, from a thread."""

    def __init__(self, zygote):
        self._zygote = zygote
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._warm = self._held(zygote.pid)
        self.most = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _look(self):
        children = Path(f"/proc/{self._zygote.pid}/task/{self._zygote.pid}/children")
        while not self._done.wait(0.001):
            for pid in children.read_text().split():
                self.most = max(self.most, self._held(pid) - self._warm)

    @staticmethod
    def _held(pid):
        try:
            return sum(map(int, _HELD.findall(Path(f"/proc/{pid}/status").read_text()))) / 1024
        except (FileNotFoundError, ProcessLookupError):
            return 0


class TestWall:
    @pytest.mark.parametrize("code", CODE)
    def test_ends_within_a_quarter_of_a_second(self, go, code):
        result = go(f"Time.{code}", wall_ms=400)

        assert result.error.limit == "wall_ms"
        assert 400 <= result.error.used <= 400 + MOST_WALL_MS
        assert result.wall_ms <= 400 + MOST_WALL_MS


class TestCpu:
    @pytest.mark.parametrize("code", CODE)
    def test_ends_within_a_second(self, go, code):
        result = go(f"Time.{code}", cpu_ms=300)

        assert result.error.limit == "cpu_ms"
        assert 300 <= result.error.used <= 300 + MOST_CPU_MS
        assert result.cpu_ms <= 300 + MOST_CPU_MS


class TestMemory:
    @pytest.mark.parametrize(
        ("code", "allowed"),
        [("in_one_go", 64), *((code, allowed) for code in MEMORY_CODE for allowed in (32, 64, 128))],
    )
    def test_ends_within_a_tenth(self, go, zygote, code, allowed):
        with Onlooker(zygote) as onlooker:
            result = go(f"Memory.{code}", memory_mb=allowed)

        assert result.error.limit == "memory_mb", result.error
        assert onlooker.most <= allowed * MOST_MEMORY
        assert result.memory_mb <= allowed * MOST_MEMORY
