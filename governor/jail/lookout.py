"""Where a runner is when it is stopped: its record stands in a shared page, its line it tells on a signal.

Both come from a process that may lie. They name a place for people and decide nothing.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from circuitos.script import frames
from circuitos.script.batch import PAGE_BYTES, read_page

if TYPE_CHECKING:
    from collections.abc import Iterable

# The handler is C code of ``faulthandler``: it answers while Python is deep in other C code.
ASK = signal.SIGUSR2
PATIENCE_MS = 20
_SETTLED_MS = 2
_MOST = 64 * 1024
_FRAME = re.compile(rb'File "([^"\n]{1,1000})", line (\d{1,9}) in ')


class Lookout:
    """The supervisor's end of the page and of the pipe; one for each zygote."""

    def __init__(self) -> None:
        self.page_fd = os.memfd_create("circuitos-place", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.page_fd, PAGE_BYTES)
        # Whoever holds it could make it shorter, and our next look would be a fault.
        fcntl.fcntl(
            self.page_fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        )
        self._page = mmap.mmap(self.page_fd, PAGE_BYTES)
        self._told, self.tell_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def give_away(self) -> None:
        """The zygote has its ends now."""
        os.close(self.page_fd)
        os.close(self.tell_fd)

    def clear(self) -> None:
        """Forget what the last runner left: the next one may be another tenant's."""
        self._page[:] = bytes(PAGE_BYTES)
        self._drain()

    def record(self) -> str:
        """The id of the record that the runner says it is at."""
        return read_page(self._page[:])

    def line(self, pidfd: int, scripts: Iterable[str]) -> str:
        """``file:line`` of the script that the runner's main thread is in; ``""`` when it does not say."""
        self._drain()
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, ASK)
        told, patience = b"", PATIENCE_MS
        while len(told) < _MOST and _is_readable(self._told, patience):
            part = self._drain()
            if not part:
                break
            told += part
            patience = _SETTLED_MS
        for path, number in _FRAME.findall(told):
            file = path.decode(errors="replace")
            if frames.is_script(file):
                return f"{_short(file, scripts)}:{int(number)}"
        return ""

    def close(self) -> None:
        self._page.close()
        os.close(self._told)

    def _drain(self) -> bytes:
        try:
            return os.read(self._told, _MOST)
        except BlockingIOError:
            return b""


def _is_readable(fd: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(milliseconds))


def _short(file: str, scripts: Iterable[str]) -> str:
    """As the script's author knows it. Its folder stands on the runner's path, not on ours."""
    known = frames.short(file)
    if known != os.path.basename(file):
        return known
    for folder in scripts:
        with suppress(ValueError):
            return str(Path(file).relative_to(folder))
    return known
