"""Stay behind when ``up`` is killed, and end what it started.

Run as a script with a pipe as its input: ``+PID`` and ``-PID`` lines name process groups, the end of
the pipe means the supervisor is gone. It inherits the lock on the home folder, so the next ``up``
waits until the last child of the earlier one has ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

GRACE = 8.0  # seconds between the polite signals, which the kernel sent already, and SIGKILL


def main() -> None:
    """Follow the pipe to its end, then see every group still named in it off."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            groups.add(int(line[1:]))
        elif line.startswith("-"):
            groups.discard(int(line[1:]))
    deadline = time.monotonic() + GRACE
    for group in groups:
        _send(group, signal.SIGTERM)
    while groups and time.monotonic() < deadline:
        groups &= living(groups)
        time.sleep(0.05)
    for group in groups:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def living(groups: set[int]) -> set[int]:
    """The process groups in which something other than a zombie runs; all of them where no /proc tells."""
    if not Path("/proc/self/stat").exists():
        return groups
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            # "pid (name) state parent group …"; the name may hold spaces and brackets.
            state, _, group = entry.read_text().rpartition(")")[2].split()[:3]
            if state not in "ZX":
                found.add(int(group))
    return found


if __name__ == "__main__":
    main()
