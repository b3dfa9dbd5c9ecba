"""A program, and one process that runs it: started through the launcher, its lines read from one pipe."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import IO

LAUNCH = Path(__file__).with_name("launch.py")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a crashed process is started again
STEADY_SECONDS = 30.0  # a process that ran so long starts from the first pause again
LOG_BYTES = 5_000_000  # a log file is turned over at this size; one older file is kept
REMEMBERED_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run and how to stop it."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    only_environ: bool = False  # the environment is ``environ`` alone, not ours with it on top
    user: str = ""
    cwd: str = "/"
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0
    is_kept: bool = True  # started again when it ends
    is_noise: Callable[[str], bool] = lambda line: False  # lines for the log file alone


def launcher(command: Sequence[str], *, user: str = "", number: int = signal.SIGTERM) -> list[str]:
    """The argv that runs ``command`` through ``launch.py``, tied to this process."""
    start = [
        sys.executable,
        "-I",
        "-S",
        str(LAUNCH),
        "--parent",
        str(os.getpid()),
        "--signal",
        str(int(number)),
    ]
    return [*start, *(["--user", user] if user else []), "--", *command]


class Process:
    """A program and its present run."""

    def __init__(self, program: Program, *, log: Path | None) -> None:
        self.program = program
        self.log = log
        self.run: subprocess.Popen[bytes] | None = None
        self.pipe: IO[bytes] | None = None
        self.due: float | None = None  # when it is started again
        self.starts = 0
        self.tail: list[str] = []
        self._started = 0.0
        self._pause = FIRST_PAUSE
        self._rest = b""

    @property
    def pid(self) -> int:
        """The process's id, which is its group's as well."""
        assert self.run is not None
        return self.run.pid

    def start(self) -> IO[bytes]:
        """Start the program; returns the pipe its lines come through."""
        self.pipe = self._open(subprocess.PIPE).stdout
        assert self.pipe is not None
        os.set_blocking(self.pipe.fileno(), False)
        return self.pipe

    def start_alone(self) -> None:
        """Start the program with its lines going straight to the log file; ``end`` ends it."""
        assert self.log is not None
        with self.log.open("ab") as file:
            self._open(file)

    def _open(self, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        program = self.program
        environ = dict(program.environ) if program.only_environ else {**os.environ, **program.environ}
        self.run = subprocess.Popen(  # noqa: S603 - our own commands, no shell
            launcher(program.command, user=program.user, number=program.stop_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=program.cwd,
            env=environ,
            # A group of its own from the first moment: Ctrl-C at the terminal is ours to pass on.
            start_new_session=True,
        )
        self._started, self.due = time.monotonic(), None
        self.starts += 1
        return self.run

    def is_running(self) -> bool:
        """Whether the present run has not ended."""
        return self.run is not None and self.run.poll() is None

    def plan_restart(self, now: float) -> float:
        """Set when to start again, later each time; returns the pause in seconds."""
        if now - self._started > STEADY_SECONDS:
            self._pause = FIRST_PAUSE
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        self.due = now + pause
        return pause

    def send(self, number: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to the process, or to all it started that stayed in its group."""
        if self.run is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if to_group else os.kill)(self.run.pid, number)

    def end(self) -> None:
        """Stop it and wait: politely, then by force."""
        assert self.run is not None
        self.send(self.program.stop_signal)
        try:
            self.run.wait(self.program.grace)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL, to_group=True)
            self.run.wait()

    def read(self) -> tuple[list[str], bool]:
        """The whole lines that stand in the pipe, and whether it has ended."""
        assert self.pipe is not None
        try:
            data = os.read(self.pipe.fileno(), 65536)
        except BlockingIOError:
            return [], False
        if not data:
            return self.close(), True
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace").rstrip() for line in lines], False

    def close(self) -> list[str]:
        """Close the pipe; returns the half line that was left."""
        if self.pipe is not None:
            self.pipe.close()
            self.pipe = None
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace").rstrip()] if rest else []

    def keep(self, line: str) -> None:
        """Remember the last lines, and write all of them to the log file."""
        self.tail = [*self.tail[-REMEMBERED_LINES + 1 :], line]
        if self.log is None:
            return
        with contextlib.suppress(OSError):
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            with self.log.open("a") as file:
                file.write(line + "\n")
