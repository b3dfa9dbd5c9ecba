"""What a jailed process gives up besides system calls: privileges, limits, being looked at."""

from __future__ import annotations

import ctypes
import os
import resource
from contextlib import suppress
from functools import cache

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 4, 24, 36
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x20080522
_M_ARENA_MAX = -8

# When Python looks for cycles: a batch makes tens of thousands of objects that are no garbage, and by default
# a look comes with each 700 of them.
CALM = (50_000, 20, 50)

OPEN_FILES = 64
THREAD_STACK_BYTES = 1024 * 1024
MAIN_STACK_BYTES = 8 * 1024 * 1024
# Threads and loaded code take addresses that are no memory in use; the watcher measures the memory itself.
# A twelfth at most: what fits in between two looks of the watcher is then within a tenth over the limit.
ADDRESS_SLACK = 12 * 1024 * 1024
_SLACK_SHARE = 12
# Of threads and processes, for a plain user in a basic jail: beside those the user has elsewhere.
MOST_TASKS = 128
_MOST_ROUNDS = 1_000


class JailUnavailable(Exception):
    """The kernel does not offer a wall of the jail."""


@cache
def libc() -> ctypes.CDLL:
    """The C library, for what Python has no name for."""
    return ctypes.CDLL(None, use_errno=True)


def prctl(option: int, *values: int) -> None:
    """Set something of this process. Raises ``JailUnavailable`` with the kernel's reason."""
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if libc().prctl(option, *arguments) != 0:
        raise JailUnavailable(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def hide() -> None:
    """Keep others of the same user out of this process: its memory, its environment, its open files."""
    prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent() -> None:
    prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def drop_capabilities() -> None:
    """Root without its powers. Nothing to do for a plain user."""
    if os.geteuid() != 0:
        return
    for capability in range(64):
        try:
            prctl(_PR_CAPBSET_DROP, capability)
        except JailUnavailable:
            break  # past the last one this kernel knows
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc().capset(header, nothing) != 0:
        raise JailUnavailable(f"capset: {os.strerror(ctypes.get_errno())}")


def one_arena() -> None:
    """Threads share one heap: an arena each would reserve 128 MB of addresses a thread."""
    libc().mallopt(_M_ARENA_MAX, 1)


def limit_runner(*, cpu_seconds: int, memory_bytes: int, warm_bytes: int) -> None:
    """Lower, for good, what the kernel gives this process. Memory is growth over the warm addresses.

    Processes are not among them: that limit counts all tasks of the user, threads too, and never root's. A
    filter denies new processes; without one, ``limit_tasks`` does what it can.
    """
    slack = min(ADDRESS_SLACK, memory_bytes // _SLACK_SHARE)
    _lower(resource.RLIMIT_AS, warm_bytes + memory_bytes + slack)
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_MEMLOCK, 0)
    _lower(resource.RLIMIT_MSGQUEUE, 0)
    _lower(resource.RLIMIT_RTPRIO, 0)
    _lower(resource.RLIMIT_NICE, 0)
    _lower(resource.RLIMIT_STACK, MAIN_STACK_BYTES)


def limit_tasks() -> None:
    """Bound what a fork bomb of a plain user can come to. The kernel does not count root's."""
    if os.geteuid() != 0:
        _lower(resource.RLIMIT_NPROC, _tasks_of(os.geteuid()) + MOST_TASKS)


def adopt_orphans() -> None:
    """Become the parent of whatever a child of ours leaves behind."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_children() -> None:
    """Kill and bury every child, and what they leave behind, until there is none."""
    children = f"/proc/self/task/{os.getpid()}/children"
    for _ in range(_MOST_ROUNDS):
        with open(children, encoding="ascii") as file:
            left = [int(pid) for pid in file.read().split()]
        if not left:
            return
        for pid in left:
            os.kill(pid, _SIGKILL)
        for pid in left:
            os.waitpid(pid, 0)


def _tasks_of(user: int) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        with suppress(OSError):
            if entry.name.isdigit() and entry.stat().st_uid == user:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
    return count


def _lower(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))
