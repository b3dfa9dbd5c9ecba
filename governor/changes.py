"""The changes an execution asks for: one a record, laid over what it reads, made only if it succeeds."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Any

from tenants.ids import new_code
from tenants.records.merge import NESTED
from tenants.records.store import Change

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

UNKNOWN = "records.unknown"
LONGEST_NAME = 200
_DEPTH = 24
_LARGEST = 2**63
_PLAIN = {bool, float, str, type(None)}


class Changes:
    """Pending changes by object and id, in the order their records were first touched."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], Change] = {}

    def as_list(self) -> list[Change]:
        return list(self._pending.values())

    def is_pending(self, object_: str, record_id: str) -> bool:
        """Whether the record will exist if this execution succeeds."""
        pending = self._pending.get((object_, record_id))
        return pending is not None and pending.operation != "delete"

    def is_deleted(self, object_: str, record_id: str) -> bool:
        pending = self._pending.get((object_, record_id))
        return pending is not None and pending.operation == "delete"

    def add(self, object_: str, operation: str, record_id: str, fields: dict[str, Any]) -> None:
        """Lay a change over what is pending for its record."""
        key = (object_, record_id)
        before = self._pending.get(key)
        if before is None:
            self._pending[key] = Change(object_, operation, record_id, fields)
        elif operation == "delete":
            if before.operation == "insert":
                del self._pending[key]  # it never was
            else:
                self._pending[key] = Change(object_, "delete", record_id, {})
        elif before.operation == "delete":
            self._pending[key] = Change(object_, "upsert", record_id, fields)
        else:
            self._pending[key] = Change(object_, before.operation, record_id, _merged(before.fields, fields))

    def overlay(self, object_: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Committed rows as they will be if this execution succeeds; those it deletes are left out."""
        if not self._pending:
            return list(rows)
        laid = []
        for row in rows:
            pending = self._pending.get((object_, row["id"]))
            if pending is None:
                laid.append(row)
            elif pending.operation != "delete":
                laid.append(_merged(row, pending.fields))
        return laid

    def new_row(self, object_: str, record_id: str) -> dict[str, Any] | None:
        """A record that only this execution knows."""
        pending = self._pending.get((object_, record_id))
        if pending is None or pending.operation == "delete":
            return None
        return {"id": record_id, **pending.fields}


def new_id() -> str:
    """An id for a record we make."""
    return str(new_code())


def are_plain(rows: list[Any]) -> bool:
    """Whether ``faults`` would find none in any row, told for a whole batch at once and much sooner."""
    if set(map(type, rows)) - {dict}:
        return False
    if any(type(name) is not str or not 0 < len(name) <= LONGEST_NAME for name in set().union(*rows)):
        return False
    level = rows
    for depth in range(_DEPTH + 2):  # the rows, what is in them, and so on
        by_type: defaultdict[type, list[Any]] = defaultdict(list)
        for value in level:
            by_type[type(value)].append(value)
        mappings, lists = by_type.pop(dict, []), by_type.pop(list, [])
        names: set[Any] = set().union(*mappings)
        numbers = by_type.pop(int, [0])
        if (
            (depth > _DEPTH and (mappings or lists))
            or by_type.keys() - _PLAIN
            or set(map(type, names)) - {str}
            or "\0" in "".join(names)
            or "\0" in "".join(by_type[str])
            or min(numbers) < -_LARGEST
            or max(numbers) >= _LARGEST
            or not all(map(math.isfinite, by_type[float]))
        ):
            return False
        level = [*chain.from_iterable(map(dict.values, mappings)), *chain.from_iterable(lists)]
        if not level:
            return True
    return False


def faults(row: Any) -> list[str]:
    """Why a row cannot be stored, in sentences; empty when it can.

    The SDK checks the same; but what comes out of the jail is distrusted, and jsonb refuses NUL and NaN only
    when everything is settled.
    """
    if not isinstance(row, dict):
        return ["A row is a mapping of fields."]
    found = []
    for name, value in row.items():
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or "\0" in name:
            found.append(f"{str(name)[:40]!r} is no field name.")
        elif (type(value) is not str or "\0" in value) and (reason := _fault(value, 0)):
            found.append(f"{name} {reason}")
    return found


def unknown(record_id: str, object_: str, known: Collection[str]) -> list[str]:
    """The fault of a row whose record does not exist."""
    return [] if record_id in known else [f"{UNKNOWN}: there is no {object_} {record_id}."]


def _merged(row: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**row, **fields}
    old, new = row.get(NESTED), fields.get(NESTED)
    if isinstance(old, dict) and isinstance(new, dict):
        merged[NESTED] = {**old, **new}
    return merged


def _fault(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is dict or kind is list:
        return _fault_inside(value, depth)
    if kind is str:
        return "holds a NUL character." if "\0" in value else ""
    if kind is bool or value is None:
        return ""
    if kind is int:
        return "" if -_LARGEST <= value < _LARGEST else "is a number of more than 64 bits."
    if kind is float:
        return "" if math.isfinite(value) else "is not a finite number."
    return f"is a {kind.__name__}, which cannot be stored."


def _fault_inside(value: dict[Any, Any] | list[Any], depth: int) -> str:
    if depth >= _DEPTH:
        return "is nested too deep."
    if isinstance(value, dict):
        if any(type(name) is not str or "\0" in name for name in value):
            return "has a key that is no text."
        value = list(value.values())
    for item in value:
        # A batch holds tens of thousands of texts: no call for each.
        if type(item) is str and "\0" not in item:
            continue
        if reason := _fault(item, depth + 1):
            return reason
    return ""
