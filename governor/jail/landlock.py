"""Landlock: the jail's view of the file system, where the kernel (5.13 or later) can draw it."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from governor.jail.process import JailUnavailable, libc, prctl

if TYPE_CHECKING:
    from collections.abc import Iterable

# The same numbers on x86-64 and aarch64.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_WANT_VERSION = 1
_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3
# How many rights each version of Landlock knows; those we do not grant are refused.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_NEWEST_FILE_RIGHTS = 16
_TCP_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

# Libraries, time zones, certificates' names: what programs read anywhere. Nobody's secrets, no /proc.
_SYSTEM = (
    "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo", "/etc/localtime",
    "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/sys/devices/system/cpu",
)  # fmt: skip


def readable_paths(scripts: Iterable[str], *, root: Path) -> list[str]:
    """What a runner may read: Python, libraries, the SDK, the scripts; of the project no more."""
    libraries = [entry for entry in sys.path if entry and Path(entry).resolve() != root]
    ours = [str(root / name) for name in ("circuitos", "governor")]
    return [*_SYSTEM, str(Path(sys.base_prefix) / "lib"), *libraries, *ours, *scripts]


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    return max(0, int(libc().syscall(_CREATE, None, 0, _WANT_VERSION)))


def restrict(readable: Iterable[str]) -> None:
    """Read only beneath these paths, write nowhere, for good. Raises ``JailUnavailable``."""
    known = version()
    if known < 1:
        raise JailUnavailable("the kernel has no Landlock")
    files = (1 << _FILE_RIGHTS.get(known, _NEWEST_FILE_RIGHTS)) - 1
    size = 8 if known < 4 else 16 if known < 6 else 24
    rules = struct.pack("=QQQ", files, _TCP_BIND_AND_CONNECT, _ABSTRACT_SOCKETS_AND_SIGNALS)[:size]
    ruleset = _call(_CREATE, rules, size, 0)
    try:
        for path in readable:
            _allow(ruleset, path)
        prctl(_PR_SET_NO_NEW_PRIVS, 1)
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not there: nothing to allow
    try:
        rights = _READ_FILE | _READ_DIR if Path(path).is_dir() else _READ_FILE
        _call(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, fd), 0)
    finally:
        os.close(fd)


def _call(number: int, *arguments: object) -> int:
    result = libc().syscall(number, *arguments)
    if result < 0:
        raise JailUnavailable(f"landlock: {os.strerror(ctypes.get_errno())}")
    return int(result)
