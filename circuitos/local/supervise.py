"""Processes under one roof: started, watched, restarted, their lines prefixed, stopped in order."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitos.local.process import Process, Program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

REAPER = Path(__file__).with_name("reaper.py")
COLOURS = {"postgres": 34, "valkey": 35, "web": 32, "worker": 33, "beat": 36}
KILL_SECONDS = 5.0


class Interrupted(BaseException):
    """Someone asked us to stop."""


class Supervisor:
    """Runs programs from one thread; ``pump`` is its heart and is called by whoever waits."""

    def __init__(
        self, *, logs: Path | None = None, out: IO[str] | None = None, lock: int | None = None
    ) -> None:
        self.out = out or sys.stdout
        self.logs = logs
        self.processes: dict[str, Process] = {}
        self.interrupts = 0
        self.is_stopping = False
        self._is_coloured = self.out.isatty() and "NO_COLOR" not in os.environ
        self._selector = selectors.DefaultSelector()
        self._reaper = _start_reaper(lock) if lock is not None else None
        self._wake_in, self._wake_out = os.pipe()
        for end in (self._wake_in, self._wake_out):
            os.set_blocking(end, False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        # A signal writes a byte here, so that waiting ends at once.
        signal.set_wakeup_fd(self._wake_out, warn_on_full_buffer=False)
        self._handlers: dict[int, Any] = {signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None)}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, self._interrupt)

    def say(self, sentence: str) -> None:
        """A line of our own. A terminal that went away is no reason to leave processes behind."""
        with contextlib.suppress(OSError, ValueError):
            self.out.write(sentence + "\n")
            self.out.flush()

    def start(self, program: Program) -> Process:
        """Start a program and keep it running."""
        log = self.logs / f"{program.name}.log" if self.logs else None
        process = self.processes[program.name] = Process(program, log=log)
        self._launch(process)
        return process

    def run(self, program: Program) -> Process:
        """Run a program to its end, passing lines on; its exit code is ``.run.returncode``."""
        process = self.start(program)
        while process.is_running():
            self.pump()
        self._drain(process)
        del self.processes[program.name]
        return process

    def wait_until(self, check: Callable[[], Any], *, seconds: float, interval: float = 0.05) -> bool:
        """Pump until ``check`` is true; false when ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        while not check():
            if time.monotonic() > deadline:
                return False
            self.pump(interval)
        return True

    def pump(self, timeout: float = 0.5) -> None:
        """Pass lines on, notice ends, start again what is due. Raises ``Interrupted`` when asked to stop."""
        dues = [process.due for process in self.processes.values() if process.due is not None]
        if dues and not self.is_stopping:
            timeout = max(0.0, min(timeout, min(dues) - time.monotonic()))
        for key, _ in self._selector.select(timeout):
            if key.data is not None:
                self._read(key.data)
                continue
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_in, 4096)
        now = time.monotonic()
        for process in list(self.processes.values()):
            if process.due is None:
                if process.run is not None and not process.is_running():
                    self._ended(process, now)
            elif process.due <= now and not self.is_stopping:
                self._launch(process)
        if self.interrupts and not self.is_stopping:
            raise Interrupted

    def stop(self, order: Sequence[str]) -> None:
        """Stop everything, those of ``order`` first and in it. Another signal meanwhile kills at once."""
        self.is_stopping = True
        asked = self.interrupts
        rest = [name for name in self.processes if name not in order]
        for name in [*order, *rest]:
            process = self.processes.get(name)
            if process is None:
                continue
            process.due = None
            if self.interrupts == asked:
                process.send(process.program.stop_signal)
                self._wait(process, process.program.grace, asked)
            if process.is_running():
                process.send(signal.SIGKILL, to_group=True)
                self._wait(process, KILL_SECONDS, None)
            # What the process itself left behind in its group.
            process.send(signal.SIGKILL, to_group=True)
            self._drain(process)
            del self.processes[name]
        self._close()

    def _wait(self, process: Process, seconds: float, asked: int | None) -> None:
        deadline = time.monotonic() + seconds
        while process.is_running() and time.monotonic() < deadline and asked in {None, self.interrupts}:
            self.pump(0.1)

    def _close(self) -> None:
        if self._reaper is not None:
            assert self._reaper.stdin is not None
            self._reaper.stdin.close()
            self._reaper.wait(timeout=15)
        signal.set_wakeup_fd(-1)
        for number, handler in self._handlers.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._selector.close()
        os.close(self._wake_in)
        os.close(self._wake_out)

    def _interrupt(self, number: int, frame: object) -> None:
        self.interrupts += 1

    def _launch(self, process: Process) -> None:
        self._selector.register(process.start(), selectors.EVENT_READ, process)
        self._tell_reaper(f"+{process.pid}")

    def _ended(self, process: Process, now: float) -> None:
        assert process.run is not None
        # Whatever it left in its group would stand in the way of its successor.
        process.send(signal.SIGKILL, to_group=True)
        self._drain(process)
        self._tell_reaper(f"-{process.pid}")
        code = process.run.returncode
        if self.is_stopping or not process.program.is_kept:
            return
        pause = process.plan_restart(now)
        self.say(f"{process.program.name} {_how(code)}; starting it again in {pause:g} s.")

    def _read(self, process: Process) -> bool:
        pipe = process.pipe
        if pipe is None:
            return False
        lines, is_over = process.read()
        if is_over:
            self._selector.unregister(pipe)
        for line in lines:
            self._show(process, line)
        return bool(lines)

    def _drain(self, process: Process) -> None:
        """Show what still stands in the pipe of a process that ended, and close it."""
        while self._read(process):
            pass
        if process.pipe is not None:
            self._selector.unregister(process.pipe)
            for line in process.close():
                self._show(process, line)

    def _show(self, process: Process, line: str) -> None:
        process.keep(line)
        if not line or process.program.is_noise(line):
            return
        name = process.program.name
        label = f"{name:>8} │"
        if self._is_coloured:
            label = f"\033[{COLOURS.get(name, 37)}m{label}\033[0m"
        self.say(f"{label} {line}")

    def _tell_reaper(self, line: str) -> None:
        if self._reaper is not None and self._reaper.stdin is not None:
            with contextlib.suppress(OSError):
                self._reaper.stdin.write(line.encode() + b"\n")
                self._reaper.stdin.flush()


def _start_reaper(lock: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", "-S", str(REAPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
        cwd="/",
        start_new_session=True,
    )


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
