"""Supervision: lines prefixed, crashes mended, everything stopped in order, nothing left behind."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from circuitos.local import reaper
from circuitos.local.process import Program
from circuitos.local.supervise import Interrupted, Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
# Says so when it is asked to stop, then takes its time.
POLITE = """
import signal, sys, time
def stop(*_):
    print("stopping", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
time.sleep(600)
"""
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""
# A parent with a grandchild that ignores everything polite, as a wedged pool process would.
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print("up", child.pid, flush=True)
time.sleep(600)
"""


def program(name: str, source: str, *arguments: str, **options) -> Program:
    return Program(name=name, command=[sys.executable, "-c", source, *arguments], **options)


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def supervisor(out, tmp_path):
    supervisor = Supervisor(out=out, logs=tmp_path)
    yield supervisor
    if not supervisor.is_stopping:
        supervisor.stop(())


def says(out, text):
    return lambda: text in out.getvalue()


class TestSupervisor:
    def test_prefixes_lines_and_keeps_them_in_a_file(self, supervisor, out, tmp_path):
        source = "print('hello'); print('noise'); import sys; sys.stderr.write('half')"

        process = supervisor.run(program("web", source, is_kept=False, is_noise=lambda line: line == "noise"))

        assert process.run.returncode == 0
        assert out.getvalue() == "     web │ hello\n     web │ half\n"
        assert (tmp_path / "web.log").read_text() == "hello\nnoise\nhalf\n"

    def test_starts_a_crashed_process_again_later_each_time(self, supervisor, out):
        supervisor.start(program("worker", "raise SystemExit(3)"))

        assert supervisor.wait_until(says(out, "again in 1 s"), seconds=20)
        assert "worker ended with exit code 3; starting it again in 0.5 s." in out.getvalue()

    def test_a_long_wait_does_not_put_a_restart_off(self, supervisor):
        process = supervisor.start(program("worker", "raise SystemExit(3)"))

        while process.starts < 3:
            supervisor.pump(600.0)

        assert process.starts == 3

    def test_says_which_signal_ended_a_process(self, supervisor, out):
        process = supervisor.start(program("worker", SLEEPER))
        assert supervisor.wait_until(says(out, "up"), seconds=20)

        process.send(signal.SIGKILL)

        assert supervisor.wait_until(says(out, "worker was ended by SIGKILL"), seconds=20)
        assert supervisor.wait_until(lambda: process.starts == 2, seconds=20)

    def test_stops_in_the_given_order(self, supervisor, out):
        for name in ("postgres", "worker", "web"):
            supervisor.start(program(name, POLITE))
        assert supervisor.wait_until(lambda: out.getvalue().count("up") == 3, seconds=20)

        supervisor.stop(("web", "worker", "postgres"))

        told = [line.split()[0] for line in out.getvalue().splitlines() if line.endswith("stopping")]
        assert told == ["web", "worker", "postgres"]

    def test_a_signal_ends_waiting_and_a_second_one_ends_politeness(self, supervisor, out):
        process = supervisor.start(program("worker", DEAF, grace=600.0))
        assert supervisor.wait_until(says(out, "up"), seconds=20)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            supervisor.pump(60.0)
        helper = subprocess.Popen(
            [sys.executable, "-c", f"import os, time; time.sleep(0.3); os.kill({os.getpid()}, 2)"]
        )

        supervisor.stop(("worker",))

        helper.wait()
        assert process.run.returncode == -signal.SIGKILL

    def test_takes_what_a_process_started_with_it(self, supervisor, out):
        supervisor.start(program("worker", FAMILY, DEAF))
        assert supervisor.wait_until(lambda: out.getvalue().count("up") == 2, seconds=20)
        grandchild = int(next(line for line in out.getvalue().splitlines() if "up " in line).split()[-1])

        supervisor.stop(("worker",))

        wait_for_end(grandchild)

    def test_gives_signals_back_when_it_is_done(self):
        before = signal.getsignal(signal.SIGTERM)

        Supervisor(out=io.StringIO()).stop(())

        assert signal.getsignal(signal.SIGTERM) == before


PARENT = """
import os, sys
from circuitos.local.process import Program
from circuitos.local.supervise import Supervisor
lock = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
supervisor = Supervisor(lock=lock)
supervisor.start(Program(name="worker", command=[sys.executable, "-c", *sys.argv[2:]]))
while True:
    supervisor.pump(60)
"""


@pytest.mark.failure
class TestKilledSupervisor:
    def test_leaves_neither_children_nor_grandchildren(self, tmp_path):
        command = [sys.executable, "-c", PARENT, str(tmp_path / "lock"), FAMILY, SLEEPER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            pids = []
            for line in parent.stdout:
                if "up " in line:
                    pids.append(int(line.split()[-1]))
                    break
            pids.append(os.getpgid(pids[0]))
            parent.kill()

        for pid in pids:
            wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_reaper_sees_groups_by_what_runs_in_them():
    own = os.getpgid(0)

    assert reaper.living({own, 2**22 + 1}) >= {own}
    assert 2**22 + 1 not in reaper.living({own})
