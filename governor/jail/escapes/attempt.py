"""How an escape is tried: it is held when the kernel refuses it, and nothing else counts as held."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from governor.jail.findings import ESCAPED, HELD, NOT_APPLICABLE, SECCOMP
from governor.jail.process import libc
from governor.jail.syscalls import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Callable

# Refused before the kernel looked at what was asked for. Any other answer means that it did look.
REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS})
_COLUMN = {"x86_64": 0, "aarch64": 1}


class NotHere(Exception):
    """There is nothing of the kind on this machine."""


class Held(Exception):
    """The jail held, though no call was refused."""


class Attempt(NamedTuple):
    """One escape. ``hints`` are the places the supervisor tells, which an intruder could guess."""

    name: str
    wall: str
    is_grave: bool
    make: Callable[[dict[str, Any]], object]


ATTEMPTS: list[Attempt] = []


def attempt(name: str, *, wall: str = SECCOMP, is_grave: bool = True) -> Callable[[Any], Any]:
    """Register the function as an escape. It returns when the escape succeeded, and raises when not."""

    def register(function: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
        ATTEMPTS.append(Attempt(name, wall, is_grave, function))
        return function

    return register


def outcome(tried: Attempt, hints: dict[str, Any]) -> tuple[str, str]:
    """``(verdict, detail)`` of one escape."""
    try:
        got = tried.make(hints)
    except NotHere as reason:
        return NOT_APPLICABLE, str(reason)
    except Held as reason:
        return HELD, str(reason)
    except MemoryError:
        return HELD, "MemoryError"
    except FileNotFoundError as error:
        return (
            (ESCAPED, "the kernel looked for it") if error.filename is None else (NOT_APPLICABLE, "not here")
        )
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, str(error.errno))
        return (HELD, name) if error.errno in REFUSALS else (ESCAPED, f"the kernel took the call: {name}")
    except BaseException as error:
        return ESCAPED, f"it went as far as {type(error).__name__}: {error}"[:200]
    return ESCAPED, str(got)[:200] if got is not None else "it succeeded"


def call(name: str, *arguments: object) -> int:
    """The system call of that name. Raises ``OSError`` without a file name, or ``NotHere``."""
    number = NUMBERS[name][_COLUMN[os.uname().machine]]
    if number is None:
        raise NotHere("this machine has no such call")
    result: int = libc().syscall(number, *(_wide(argument) for argument in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def prctl(option: int, *values: int) -> None:
    """``prctl``. Raises ``OSError``."""
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if libc().prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), "refused")


def _wide(argument: object) -> object:
    # Without a prototype ctypes passes 32 bits, and half of a register would be left over from before.
    return ctypes.c_long(argument) if isinstance(argument, int) else argument
