"""Escapes through the kernel: its doors, memory nobody counts, and what the process gave up."""

from __future__ import annotations

import ctypes
import errno
import mmap
import resource
from typing import Any

from governor.jail.escapes.attempt import Held, attempt, call, prctl
from governor.jail.findings import CAPABILITIES, LIMITS
from governor.jail.process import OPEN_FILES, libc

MIB = 1024 * 1024
BEYOND = 1024 * MIB  # what no limit of the self-test allows
_IPC_REMOVE = 0
_NOTHING = b"/nonexistent"
_SEIZED = 128  # bytes of zeros to point at

# Doors into the kernel: the arguments are such that the call fails where it is let through.
_DOORS: dict[str, tuple[str, tuple[object, ...]]] = {
    "setns": ("setns", (-1, 0)),
    "mount": ("mount", (None, _NOTHING, None, 0, None)),
    "umount": ("umount2", (_NOTHING, 0)),
    "pivot_root": ("pivot_root", (_NOTHING, _NOTHING)),
    "chroot": ("chroot", (_NOTHING,)),
    "moving a mount": ("move_mount", (-1, _NOTHING, -1, _NOTHING, 0)),
    "opening a file system": ("fsopen", (_NOTHING, 0)),
    "opening a tree": ("open_tree", (-100, _NOTHING, 0)),
    "opening by handle": ("open_by_handle_at", (-100, None, 0)),
    "watching all files": ("fanotify_init", (0xFFFF, 0)),
    "bpf": ("bpf", (-1, None, 0)),
    "perf": ("perf_event_open", (None, 0, -1, -1, 0)),
    "userfaultfd": ("userfaultfd", (-1,)),
    "io_uring": ("io_uring_setup", (1, None)),
    "asynchronous io": ("io_setup", (0, None)),
    "keyrings": ("keyctl", (6, -3, 0, 0, 0)),
    "adding a key": ("add_key", (None, None, None, 0, -3)),
    "asking for a key": ("request_key", (None, None, None, -3)),
    "loading a module": ("init_module", (None, 0, None)),
    "loading a module by descriptor": ("finit_module", (-1, None, 0)),
    "another kernel": ("kexec_load", (0, 0, None, 0xFFFF)),
    "the kernel's log": ("syslog", (10, None, 0)),
    "the host's name": ("sethostname", (None, -1)),
    "the clock": ("settimeofday", (None, None)),
    "swap": ("swapon", (_NOTHING, 0)),
    "accounting": ("acct", (_NOTHING,)),
    "quotas": ("quotactl", (0, _NOTHING, 0, None)),
    "another personality": ("personality", (0xFFFFFFFF,)),
    "input and output ports": ("iopl", (0,)),
    "advice on another's memory": ("process_madvise", (-1, None, 0, 0, 0)),
    "moving pages": ("move_pages", (0, 0, None, None, None, 0)),
    "secret memory": ("memfd_secret", (0xFFFF,)),
    "a message queue": ("mq_open", (b"circuitos-escape", 0, 0, None)),
}

for _name, (_call, _arguments) in _DOORS.items():
    attempt(_name)(lambda hints, name=_call, arguments=_arguments: call(name, *arguments))


@attempt("unshare")
def _unshare(hints: dict[str, Any]) -> None:
    call("unshare", 1)  # no flag of its own: where the call is let through, it changes nothing


@attempt("a file in memory")
def _memfd(hints: dict[str, Any]) -> None:
    call("memfd_create", b"escape", 0)


@attempt("shared memory of System V")
def _shmget(hints: dict[str, Any]) -> None:
    call("shmctl", call("shmget", 0, 4096, 0o600), _IPC_REMOVE, None)


@attempt("semaphores of System V")
def _semget(hints: dict[str, Any]) -> None:
    call("semget", 0, 0, 0)  # a set of none, which the kernel would not make


@attempt("messages of System V")
def _msgget(hints: dict[str, Any]) -> None:
    call("msgget", 0x7EC4, 0)  # of a key nobody has


@attempt("being looked at", is_grave=True)
def _dumpable(hints: dict[str, Any]) -> None:
    prctl(4, 1)


@attempt("outliving its parent")
def _pdeathsig(hints: dict[str, Any]) -> None:
    prctl(1, 0)


@attempt("another filter")
def _seccomp(hints: dict[str, Any]) -> None:
    call("seccomp", 2, 0, ctypes.create_string_buffer(_SEIZED))


@attempt("leaving the filter")
def _unfilter(hints: dict[str, Any]) -> None:
    prctl(22, 0)


@attempt("becoming root")
def _setuid(hints: dict[str, Any]) -> None:
    call("setresuid", 0, 0, 0)


@attempt("another group")
def _setgroups(hints: dict[str, Any]) -> None:
    call("setgroups", 0, None)


@attempt("taking capabilities")
def _capset(hints: dict[str, Any]) -> None:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    call("capset", header, (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6))


@attempt("having capabilities", wall=CAPABILITIES)
def _capabilities(hints: dict[str, Any]) -> str:
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    if libc().capget(header, data) != 0:
        raise OSError(ctypes.get_errno(), "refused")
    if not any(data):
        raise Held("it has none")
    return f"it has {data[0]:x}"


def _raise(limit: int, most: int) -> None:
    try:
        resource.setrlimit(limit, (most, most))
    except ValueError as error:
        raise Held(str(error)) from None


@attempt("more open files", wall=LIMITS)
def _raise_files(hints: dict[str, Any]) -> None:
    _raise(resource.RLIMIT_NOFILE, OPEN_FILES * 2)


@attempt("addresses without a limit", wall=LIMITS)
def _raise_memory(hints: dict[str, Any]) -> None:
    _raise(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def _held_by_memory(error: OSError) -> Exception:
    return Held("no addresses left") if error.errno == errno.ENOMEM else error


@attempt("memory past the limit", wall=LIMITS)
def _memory(hints: dict[str, Any]) -> None:
    bytearray(BEYOND)


@attempt("shared memory past the limit", wall=LIMITS)
def _shared(hints: dict[str, Any]) -> None:
    try:
        mmap.mmap(-1, BEYOND).close()
    except OSError as error:
        raise _held_by_memory(error) from None


@attempt("locking memory", wall=CAPABILITIES)
def _mlock(hints: dict[str, Any]) -> None:
    area = mmap.mmap(-1, MIB)
    where = ctypes.addressof(ctypes.c_char.from_buffer(area))
    if libc().mlock(ctypes.c_void_p(where), ctypes.c_size_t(MIB)) != 0:
        raise _held_by_memory(OSError(ctypes.get_errno(), "refused"))


@attempt("a core file", wall=LIMITS)
def _core(hints: dict[str, Any]) -> str:
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        raise Held("its size is limited to nothing")
    return "it may leave one"
