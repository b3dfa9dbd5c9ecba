"""Become another program, tied to the process that asked for it and, for PostgreSQL, without root.

Run as a script (``python -I -S launch.py --parent PID --signal N [--user MODE] -- program …``):
the standard library alone, and nothing of ours, so that it costs 10 ms.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
NAMESPACE = "namespace"  # one id, mapped on root: PostgreSQL sees a plain user, files stay root's
PLAIN_ID = 1000


def main(arguments: list[str]) -> None:
    """Exec the program named after ``--``. Never returns; exits 126 with a sentence when it cannot."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, default=int(signal.SIGTERM))
    parser.add_argument("--user", default="")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    program = options.program[1:] if options.program[:1] == ["--"] else options.program

    if os.getpid() != os.getsid(0):
        os.setsid()
    # Python ignores SIGPIPE and its parent may have blocked others; the program expects neither.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        if options.user == NAMESPACE:
            enter_namespace()
        elif options.user:
            become(options.user)
    except (OSError, KeyError) as error:
        sys.stderr.write(f"Cannot run {program[0]} as a plain user: {error}\n")
        sys.exit(126)
    # After every change of user: the kernel forgets the request on one.
    die_with(options.parent, options.signal)
    try:
        os.execv(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"Cannot run {program[0]}: {error}\n")
        sys.exit(126)


def enter_namespace() -> None:
    """Enter a user namespace whose single user is plain inside and ourselves outside."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{PLAIN_ID} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{PLAIN_ID} {group} 1")


def become(name: str) -> None:
    """Become the system user ``name`` for good."""
    import pwd

    entry = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with(parent: int, number: int) -> None:
    """Ask the kernel for signal ``number`` when the parent ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    # The parent may have ended before the request stood.
    if os.getppid() != parent:
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
