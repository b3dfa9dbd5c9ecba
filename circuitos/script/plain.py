"""Turns what authors hand over into plain data: strictly for what is stored or sent, leniently for logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from circuitos.script.errors import RecordError

DEPTH = 20
LOG_CHARACTERS = 8_000  # one string in a log line
LOG_ITEMS = 200  # one list or mapping in a log line
_ATOMS = (str, int, float, bool, type(None), bytes)
_LARGEST = 2**63


def strict(value: Any, where: str = "value", depth: int = 0) -> Any:
    """``value`` as JSON-like data. Raises ``RecordError`` naming the place of what cannot be stored.

    Dates become ISO 8601, decimals and UUIDs text, sets sorted lists, pydantic objects and dataclasses
    mappings, numpy scalars and arrays numbers and lists. NaN, infinity, NUL characters and lone surrogates
    are refused.
    """
    if depth == 0:
        try:
            return _already(value)
        except _NotYetPlain:
            pass  # once more, slowly, with the place of what is not
    kind = type(value)
    if kind is str:
        return _text(value, where)
    if kind is bool or value is None:
        return value
    if kind is int:
        if not -_LARGEST <= value < _LARGEST:
            raise RecordError(f"{where} is a whole number of more than 64 bits.")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise RecordError(f"{where} is {value}, which is no number that can be stored.")
        return value
    if depth > DEPTH:
        raise RecordError(f"{where} is nested more than {DEPTH} deep.")
    if isinstance(value, Mapping):
        return {
            _text(name if isinstance(name, str) else str(name), where): strict(
                item, f"{where}.{name}", depth + 1
            )
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [strict(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    simple = _simple(value)
    if simple is not value:
        return strict(simple, where, depth + 1)
    raise RecordError(f"{where} is a {kind.__name__}, which cannot be stored or sent.")


class _NotYetPlain(Exception):
    """There is something that has to be turned into plain data, or refused."""


def _already(value: Any, depth: int = 0) -> Any:
    """A copy of what is plain data throughout, as most rows are: several times faster than ``strict``."""
    kind = type(value)
    if kind is str:
        if "\0" not in value and (value.isascii() or _has_utf8(value)):
            return value
    elif value is None or kind is bool or (kind is float and math.isfinite(value)):
        return value
    elif kind is int:
        if -_LARGEST <= value < _LARGEST:
            return value
    elif depth <= DEPTH:
        if kind is dict:
            for name in value:
                if type(name) is not str or not name.isascii() or "\0" in name:
                    raise _NotYetPlain
            return {name: _already(item, depth + 1) for name, item in value.items()}
        if kind is list:
            return [_already(item, depth + 1) for item in value]
    raise _NotYetPlain


def _has_utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: str, where: str) -> str:
    if not value.isascii() and not _has_utf8(value):
        raise RecordError(f"{where} holds a lone surrogate, which is no character.")
    if "\0" in value:
        raise RecordError(f"{where} holds a NUL character.")
    return value


def _simple(value: Any) -> Any:
    """One step towards plain data, or ``value`` itself when there is none."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, Set):
        return sorted(value, key=str)
    dump = getattr(value, "model_dump", None)
    if dump is not None and not isinstance(value, type):
        return dump(mode="json")
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    for method in ("tolist", "item"):  # numpy arrays and scalars
        convert = getattr(value, method, None)
        if convert is not None and type(value).__module__.partition(".")[0] == "numpy":
            return convert()
    for base in (str, int, float):  # subclasses
        if isinstance(value, base):
            return base(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value


def lenient(value: Any, depth: int = 0) -> Any:
    """Anything at all as bounded plain data; what has no plain form becomes its text. Never raises."""
    try:
        return _lenient(value, depth)
    except Exception as error:  # the author's own __str__ or __iter__ may do anything
        return f"<{type(value).__name__}: {type(error).__name__} while writing it down>"


def _lenient(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if type(value) is int and -_LARGEST <= value < _LARGEST:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, BaseException):
        return text(f"{type(value).__name__}: {value}")
    if depth > 6:
        return text(repr(value))
    if isinstance(value, Mapping):
        taken = [(text(str(name)), lenient(item, depth + 1)) for name, item in _first(value.items())]
        if len(value) > LOG_ITEMS:
            taken.append(("…", f"{len(value) - LOG_ITEMS} more"))
        return dict(taken)
    if isinstance(value, (list, tuple)):
        items = [lenient(item, depth + 1) for item in _first(value)]
        return [*items, f"… {len(value) - LOG_ITEMS} more"] if len(value) > LOG_ITEMS else items
    simple = _simple(value)
    return text(repr(value)) if simple is value else _lenient(simple, depth + 1)


def _first(items: Any) -> list[Any]:
    return [item for item, _ in zip(items, range(LOG_ITEMS), strict=False)]


def text(value: str) -> str:
    """A string that can be stored: bounded, no NUL, no lone surrogate."""
    if len(value) > LOG_CHARACTERS:
        value = f"{value[:LOG_CHARACTERS]}… ({len(value)} characters)"
    if "\0" in value:
        value = value.replace("\0", "\\0")
    return value if value.isascii() else value.encode(errors="replace").decode()
