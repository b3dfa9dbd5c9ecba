"""A basic jail has no filter: what is left of the walls, and what it forked does not outlive its run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from governor.broker import run
from governor.jail import process
from governor.jail.supervisor import Zygote
from tests.governor.conftest import SCRIPTS, make_job

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def basic():
    with closing(Zygote([SCRIPTS], mode="basic")) as zygote:
        yield zygote


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestForks:
    def test_children_end_with_the_run_that_returned(self, acme, basic):
        result = run(make_job(acme, "basic.Forks.returns"), zygote=basic, heartbeat=lambda: True)

        assert result.error is None
        children = result.entries[0]["data"]
        assert len(children) == 2
        assert not any(is_alive(pid) for pid in children)

    def test_and_with_the_one_that_was_killed(self, acme, basic):
        job = make_job(acme, "basic.Forks.hangs", limits={"wall_ms": 500})

        result = run(job, zygote=basic, heartbeat=lambda: True)

        assert result.error.limit == "wall_ms"
        children = result.entries[0]["data"]
        assert len(children) == 10
        assert not any(is_alive(pid) for pid in children)


LIMITED = """
import resource
from governor.jail import process
process.limit_runner(cpu_seconds=10, memory_bytes=120 * 2**20, warm_bytes=2**30)
process.limit_tasks()
names = ("AS", "CPU", "NOFILE", "FSIZE", "CORE", "MEMLOCK", "MSGQUEUE", "RTPRIO", "NICE", "STACK", "NPROC")
print(*[resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names], sep="|")
"""


class TestLimits:
    def test_every_one_is_lowered_for_good(self):
        told = subprocess.run(
            [sys.executable, "-c", LIMITED], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("|")

        soft_and_hard = [eval(pair) for pair in told]
        assert all(soft == hard for soft, hard in soft_and_hard[:-1])
        assert [soft for soft, _ in soft_and_hard[:-2]] == [
            2**30 + 130 * 2**20, 10, process.OPEN_FILES, 0, 0, 0, 0, 0, 0,
        ]  # fmt: skip
        assert soft_and_hard[-2][0] <= process.MAIN_STACK_BYTES

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_a_plain_user_has_few_tasks_beyond_those_it_has(self):
        script = (
            "import os, resource; from governor.jail import process\n"
            "os.setuid(65534); process.limit_tasks()\n"
            "print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
        )
        told = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

        assert process.MOST_TASKS < int(told) < process.MOST_TASKS + 100

    def test_root_is_not_counted_by_the_kernel_and_not_by_us(self):
        before = resource.getrlimit(resource.RLIMIT_NPROC)

        if os.geteuid() == 0:
            process.limit_tasks()

        assert resource.getrlimit(resource.RLIMIT_NPROC) == before
