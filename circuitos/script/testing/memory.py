"""Records in memory, read as the mirror is read."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from circuitos.script.errors import RecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOKUPS = ("gt", "gte", "lt", "lte", "in", "ne", "contains")
NESTED = "custom_fields"


def laid_over(row: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record with changed fields over it; custom fields are merged one by one, as in the mirror."""
    laid = {**row, **fields}
    if isinstance(row.get(NESTED), dict) and isinstance(fields.get(NESTED), dict):
        laid[NESTED] = {**row[NESTED], **fields[NESTED]}
    return laid


class Memory:
    """The tenant's records: what is committed, and this execution's own changes beside it."""

    def __init__(self, committed: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        self._committed: dict[str, dict[str, dict[str, Any]]] = {
            name: {str(row["id"]): copy.deepcopy(dict(row)) for row in rows}
            for name, rows in committed.items()
        }
        self._pending: dict[str, dict[str, dict[str, Any] | None]] = {}

    def query(
        self, name: str, where: Mapping[str, Any], order_by: str | None, limit: int
    ) -> list[dict[str, Any]]:
        """Committed records that meet every condition, this execution's changes laid over them."""
        tests = [(_split(key), value) for key, value in where.items()]
        found = [
            row
            for row in self._committed.get(name, {}).values()
            if all(_holds(_field(row, path), lookup, value) for (path, lookup), value in tests)
        ]
        if order_by:
            path, lookup = _split(order_by.removeprefix("-"))
            if lookup:
                raise RecordError(f"One cannot order by {order_by!r}.", code="tenants.unknown-lookup")
            present = [row for row in found if _field(row, path) is not None]
            absent = [row for row in found if _field(row, path) is None]
            present.sort(key=lambda row: _sortable(_field(row, path)), reverse=order_by.startswith("-"))
            found = present + absent
        laid = [self._laid(name, str(row["id"])) for row in found[: max(0, limit)]]
        return [row for row in laid if row is not None]

    def get(self, name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The records that are there, by id."""
        laid = {key: self._laid(name, key) for key in ids}
        return {key: row for key, row in laid.items() if row is not None}

    def has(self, name: str, key: str) -> bool:
        """Whether the record is there, for this execution."""
        return self._laid(name, key) is not None

    def change(self, name: str, key: str, fields: Mapping[str, Any] | None) -> None:
        """Merge fields into a record, creating it; ``None`` deletes it."""
        pending = self._pending.setdefault(name, {})
        if fields is None:
            pending[key] = None
        else:
            pending[key] = laid_over(pending.get(key) or {}, fields)

    def _laid(self, name: str, key: str) -> dict[str, Any] | None:
        committed = self._committed.get(name, {}).get(key)
        pending = self._pending.get(name, {})
        own = pending.get(key, {})
        if own is None or (committed is None and key not in pending):
            return None
        return copy.deepcopy(laid_over({"id": key, **(committed or {})}, own))


def _split(name: str) -> tuple[list[str], str]:
    if name.startswith(f"{NESTED}__"):
        inner, _, lookup = name[len(NESTED) + 2 :].rpartition("__")
        if inner and lookup in LOOKUPS:
            return [NESTED, inner], lookup
        return [NESTED, name[len(NESTED) + 2 :]], ""
    field, separator, lookup = name.partition("__")
    if separator and lookup not in LOOKUPS:
        raise RecordError(
            f"{name!r}: there is no lookup {lookup!r}; there are {', '.join(sorted(LOOKUPS))}.",
            code="tenants.unknown-lookup",
        )
    return [field], lookup


def _field(row: Mapping[str, Any], path: list[str]) -> Any:
    value: Any = row
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _holds(have: Any, lookup: str, want: Any) -> bool:
    if lookup == "":
        return _equal(have, want)
    if lookup == "ne":
        return not _equal(have, want)
    if lookup == "in":
        if not isinstance(want, (list, tuple)):
            raise RecordError("in wants a list.", code="tenants.unknown-lookup")
        return any(_equal(have, each) for each in want)
    if lookup == "contains":
        if isinstance(have, str):
            return str(want) in have
        return isinstance(have, list) and want in have
    if have is None or _kind(have) != _kind(want):
        return False
    return bool({"gt": have > want, "gte": have >= want, "lt": have < want, "lte": have <= want}[lookup])


def _equal(have: Any, want: Any) -> bool:
    return _kind(have) == _kind(want) and bool(have == want)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def _sortable(value: Any) -> tuple[str, Any]:
    return (_kind(value), value if isinstance(value, (int, float, str)) else str(value))
