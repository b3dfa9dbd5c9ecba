"""Seccomp filters, built and installed without any library."""

from __future__ import annotations

import ctypes
import platform
import socket
import struct
from functools import cache

from governor.jail.process import JailUnavailable, prctl
from governor.jail.syscalls import ABSENT, DENIED, NEWEST, NUMBERS, RUNNER_DENIED

EPERM, EACCES, ENOSYS = 1, 13, 38
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _RETURN, _AND = 0x20, 0x06, 0x54
_IF_EQUAL, _IF_ABOVE, _IF_ANY_BIT = 0x15, 0x25, 0x45
_NR, _ARCH, _ARGS = 0, 4, 16

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_CLONE_THREAD, _CLONE_NEW_ANYTHING = 0x00010000, 0x7E020000
_OPEN_TO_WRITE = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000  # O_WRONLY O_RDWR O_CREAT O_TRUNC O_APPEND
# F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY: each makes the kernel send signals, to anyone.
_FCNTL_SIGNALS = (8, 10, 15, 1024, 1026)
# FIOSETOWN, SIOCSPGRP, FIOASYNC: the same by ioctl; TIOCSTI, TIOCLINUX: typing into a terminal.
_IOCTL_SIGNALS = (0x8901, 0x8902, 0x5452, 0x5412, 0x541C)
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (malloc names its memory).
_PRCTL_HARMLESS = (3, 15, 16, 0x53564D41)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _fail(errno: int) -> bytes:
    return _step(_RETURN, _ERRNO | errno)


_PASS = _step(_RETURN, _ALLOW)


def _argument(index: int) -> bytes:
    # The low half: every argument we look at is an int for the kernel.
    return _step(_LOAD, _ARGS + 8 * index)


def _unless_any_bit(index: int, bits: int, errno: int) -> bytes:
    return _argument(index) + _step(_IF_ANY_BIT, bits, 0, 1) + _fail(errno) + _PASS


def _unless(index: int, values: tuple[int, ...]) -> bytes:
    tests = b"".join(_step(_IF_EQUAL, value, 0, 1) + _fail(EPERM) for value in values)
    return _argument(index) + tests + _PASS


def _only(*values: int) -> bytes:
    return b"".join(_step(_IF_EQUAL, value, 0, 1) + _PASS for value in values) + _fail(EPERM)


def _socketpair() -> bytes:
    # A datagram pair could be sent to any address; a stream pair cannot be connected again.
    return (
        _argument(0)
        + _step(_IF_EQUAL, socket.AF_UNIX, 1, 0)
        + _fail(EPERM)
        + _argument(1)
        + _step(_AND, 0xF)
        + _only(socket.SOCK_STREAM)
    )


def _program(rules: dict[str, bytes], machine: str) -> bytes:
    column, arch = _MACHINES[machine]
    program = _step(_LOAD, _ARCH) + _step(_IF_EQUAL, arch, 1, 0) + _step(_RETURN, _KILL)
    program += _step(_LOAD, _NR) + _step(_IF_ABOVE, NEWEST, 0, 1) + _fail(ENOSYS)
    for name, rule in rules.items():
        number = NUMBERS[name][column]
        if number is not None:
            program += _step(_IF_EQUAL, number, 0, len(rule) // 8) + rule
    return program + _PASS


@cache
def zygote_filter(machine: str) -> bytes:
    """No network, no programs, no signals, no file written; may fork."""
    rules = {name: _fail(EPERM) for names in DENIED.values() for name in names}
    rules |= {name: _fail(ENOSYS) for name in ABSENT}
    rules |= {
        "socketpair": _socketpair(),
        "open": _unless_any_bit(1, _OPEN_TO_WRITE, EACCES),
        "openat": _unless_any_bit(2, _OPEN_TO_WRITE, EACCES),
        "clone": _unless_any_bit(0, _CLONE_NEW_ANYTHING, EPERM),
        "fcntl": _unless(1, _FCNTL_SIGNALS),
        "ioctl": _unless(1, _IOCTL_SIGNALS),
        "prlimit64": _argument(0) + _only(0),
    }
    return _program(rules, machine)


@cache
def runner_filter(machine: str) -> bytes:
    """On top of the zygote's: no process, only threads; no way back to what was given up."""
    rules = {name: _fail(EPERM) for name in RUNNER_DENIED}
    rules |= {
        "clone": _argument(0) + _step(_IF_ANY_BIT, _CLONE_THREAD, 1, 0) + _fail(EPERM) + _PASS,
        "prctl": _argument(0) + _only(*_PRCTL_HARMLESS),
    }
    return _program(rules, machine)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def install(program: bytes) -> None:
    """Filter this thread and all it starts, for good. Raises ``JailUnavailable`` where the kernel refuses."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    header = _Program(len(program) // 8, program)
    prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(header))


def machine() -> str:
    """The machine's name if filters can be built for it. Raises ``JailUnavailable``."""
    name = platform.machine()
    if name not in _MACHINES:
        raise JailUnavailable(f"no system call table for {name}")
    return name
