"""The worker's side of the jail: starts the zygote, has it fork runners, and kills them from outside."""

from __future__ import annotations

import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from governor.jail import process
from governor.jail.lookout import Lookout
from governor.jail.wire import pack, unpack
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
ANSWER_SECONDS = 10
# After its report a runner has nothing left to do but to end.
END_SECONDS = 0.25
_MESSAGE = 64 * 1024
_PAGE = os.sysconf("SC_PAGESIZE")
_MEMORY = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s*(\d+) kB", re.MULTILINE)
_TICKS_PER_MS = os.sysconf("SC_CLK_TCK") / 1000


class JailBroken(CodedError):
    """The zygote cannot be started, or died and could not be started again."""

    code = "governor.jail-broken"
    status = 503


@dataclass(frozen=True, slots=True)
class Exit:
    """How a runner ended: by itself, by a signal, or (all None) nobody could say."""

    status: int | None
    signal: int | None
    cpu_ms: float | None
    peak_bytes: int | None = None


class Runner:
    """A forked runner: its socket, and the handle that kills exactly it."""

    def __init__(self, zygote: Zygote, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.sock = sock
        # The runner waits for its start frame, so it cannot have ended and its number be another's yet.
        self.pidfd = os.pidfd_open(pid)
        self._zygote = zygote
        self._proc = os.open(f"/proc/{pid}", os.O_PATH | os.O_DIRECTORY)
        resident, self._warm_private = self._memory()
        self.warm_bytes = resident

    def grown_bytes(self) -> int:
        """Memory it holds now beyond what it was forked with; mapped files do not count."""
        found = _MEMORY.findall(self._read("status"))
        return max(0, 1024 * sum(int(kilobytes) for kilobytes in found) - self._warm_private) if found else 0

    def cpu_ms(self) -> float:
        """CPU time used by all its threads, from the kernel's books; 0 when it is gone."""
        fields = self._read("stat").rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_MS if len(fields) > 12 else 0.0

    def thread_count(self) -> int:
        """How many threads it has; 0 when it is gone."""
        fields = self._read("stat").rpartition(b")")[2].split()
        return int(fields[17]) if len(fields) > 17 else 0

    def place(self) -> tuple[str, str]:
        """Where in the script it is now, and at which record, as far as it says."""
        lookout = self._zygote.lookout
        return (lookout.line(self.pidfd, self._zygote.scripts), lookout.record()) if lookout else ("", "")

    def kill(self) -> None:
        """End it now, whatever it is doing."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        if not self._zygote.is_strict:
            # Its children too. They are of its group unless they took care not to be.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> Exit:
        """Wait for its end, let the zygote bury it, and close what we hold of it."""
        try:
            if not select.select([self.pidfd], [], [], END_SECONDS)[0]:
                self.kill()
                select.select([self.pidfd], [], [])
            if not self._zygote.is_strict:
                self.kill()
            return self._zygote.bury(self.pid)
        finally:
            self.sock.close()
            os.close(self.pidfd)
            os.close(self._proc)

    def _memory(self) -> tuple[int, int]:
        """Resident bytes in all, and those that are private to it."""
        fields = [int(pages) * _PAGE for pages in self._read("statm").split()]
        return (fields[1], fields[1] - fields[2]) if len(fields) > 2 else (0, 0)

    def _read(self, name: str) -> bytes:
        try:
            fd = os.open(name, os.O_RDONLY, dir_fd=self._proc)
        except OSError:
            return b""
        try:
            return os.read(fd, 4096)
        except OSError:
            return b""
        finally:
            os.close(fd)


class Zygote:
    """One zygote, started when first needed and again whenever it died or its scripts changed.

    Belongs to the process (and thread) that uses it: a supervisor starts it after it was forked itself.
    ``is_safe`` is asked before each start, and raises when no script may run on this machine's jail.
    """

    def __init__(
        self,
        scripts: Iterable[Path | str],
        *,
        mode: str = "strict",
        is_safe: Callable[[], object] | None = None,
        is_quiet: bool = False,
    ) -> None:
        self.scripts = _resolved(scripts)
        self.mode = mode
        self.walls_missing: dict[str, str] = {}  # wall: why
        self.is_strict = False
        self.lookout: Lookout | None = None
        self._is_safe = is_safe
        self._is_quiet = is_quiet
        self._owner = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Why walls are missing, a sentence each."""
        return tuple(self.walls_missing.values())

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it unless it runs. Raises ``JailBroken`` if scripts do not load, or what ``is_safe`` does."""
        if self._owner not in (0, os.getpid()):
            self._forget()  # inherited over a fork: it is our parent's
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        if self._is_safe is not None:
            self._is_safe()
        process.hide()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.lookout = Lookout()
        given = [theirs.fileno(), self.lookout.page_fd, self.lookout.tell_fd]
        with theirs, tempfile.TemporaryFile() as complaints:
            self._process = subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    "-B",
                    "-m",
                    "governor.jail.zygote",
                    ",".join(map(str, given)),
                    self.mode,
                    *self.scripts,
                ],
                cwd=ROOT,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaints,
                pass_fds=given,
                close_fds=True,
                start_new_session=True,
            )
            self._control = ours
            self._owner = os.getpid()
            theirs.close()
            self.lookout.give_away()
            self._greet(complaints)

    def reload(self, scripts: Iterable[Path | str] | None = None) -> None:
        """Use these scripts (or the same, changed) from the next execution on."""
        if scripts is not None:
            self.scripts = _resolved(scripts)
        self.close()

    def fork(self) -> Runner:
        """A runner that waits for its start frame. A dead zygote is replaced first, once."""
        try:
            return self._fork()
        except (ConnectionError, TimeoutError):
            self.close()
        try:
            return self._fork()
        except (ConnectionError, TimeoutError) as error:
            self.close()
            raise JailBroken("The jail's parent process dies as soon as it is started.") from error

    def bury(self, pid: int) -> Exit:
        """Collect a dead runner from its parent."""
        try:
            answer = self._ask({"t": "reap", "pid": pid})
        except (ConnectionError, TimeoutError):
            self.close()
            return Exit(None, None, None)
        status = int(answer["status"])
        killed = os.WIFSIGNALED(status)
        return Exit(
            status=None if killed else os.WEXITSTATUS(status),
            signal=os.WTERMSIG(status) if killed else None,
            cpu_ms=answer["cpu_ms"],
            peak_bytes=answer["peak_kb"] * 1024,
        )

    def close(self) -> None:
        """End it, and with it every runner it forked."""
        if self._owner not in (0, os.getpid()):
            self._forget()
            return
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self.lookout is not None:
            self.lookout.close()
        self._control = self._process = self.lookout = None

    def _fork(self) -> Runner:
        self.start()
        assert self.lookout is not None
        self.lookout.clear()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                answer = self._ask({"t": "fork"}, [theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        if answer["t"] != "forked":
            ours.close()
            self.close()
            raise JailBroken(f"The jail refuses to run these scripts: {answer.get('detail', answer)}")
        return Runner(self, answer["pid"], ours)

    def _ask(self, message: dict[str, Any], fds: Iterable[int] = ()) -> dict[str, Any]:
        if self._control is None:
            raise ConnectionError("no zygote")
        socket.send_fds(self._control, [pack(message)], list(fds))
        return self._hear(ANSWER_SECONDS)

    def _hear(self, seconds: float) -> dict[str, Any]:
        assert self._control is not None
        self._control.settimeout(seconds)
        data = self._control.recv(_MESSAGE)
        if not data:
            raise ConnectionError("the zygote is gone")
        answer: dict[str, Any] = unpack(data[4:])
        return answer

    def _greet(self, complaints: IO[bytes]) -> None:
        try:
            answer = self._hear(START_SECONDS)
        except (ConnectionError, TimeoutError) as error:
            complaints.seek(0)
            said = complaints.read()[-2000:].decode(errors="replace").strip()
            self.close()
            raise JailBroken(f"The jail's parent process did not start: {said or error}") from error
        if answer["t"] != "ready":
            self.close()
            raise JailBroken(f"The scripts do not load: {answer['detail']}", traceback=answer["traceback"])
        self.is_strict = bool(answer["strict"])
        self.walls_missing = dict(answer["missing"])
        if not self._is_quiet:
            for reason in self.missing:
                logger.warning("The jail is weaker than it can be: %s.", reason)

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
        if self.lookout is not None:
            self.lookout.close()
        self._control = self._process = self.lookout = None
        self._owner = 0


def clean_environment() -> dict[str, str]:
    """All that a script can see of our environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _resolved(scripts: Iterable[Path | str]) -> list[str]:
    # A dotted module name is no path, and stays as it is.
    return [str(Path(script).resolve()) if Path(script).exists() else str(script) for script in scripts]
