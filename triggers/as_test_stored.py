"""The records beside its batch that an execution read or changed, as the mirror holds them now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from logs.curl import is_shortened
from tenants.errors import CodedError
from tenants.records import store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triggers.models import Execution
    from triggers.past_records import PastChange, PastRecord

MOST = 500
_BY_ID = {"records.get", "records.update", "records.delete"}
Rows = dict[tuple[str, str], dict[str, Any]]


def stored_of(
    execution: Execution,
    effects: Sequence[dict[str, Any]],
    batch: Sequence[PastRecord],
    changes: Sequence[PastChange],
    notes: list[str],
) -> dict[str, list[dict[str, Any]]]:
    """By object. What the reader must know of them is added to ``notes``."""
    own = {(execution.object, each.record_id) for each in batch}
    asked = [effect for effect in effects if effect.get("op") in {*_BY_ID, "records.query"}]
    if any(is_shortened(effect.get("args")) or "***" in str(effect.get("args")) for effect in asked):
        notes.append("The trace shortens long requests: a record it read may be missing from STORED.")
    wanted = _ids(asked, changes) - own
    rows = {**_queried(execution, asked), **_named(execution, wanted)}
    stored: dict[str, list[dict[str, Any]]] = {}
    for (name, key), row in list(rows.items())[:MOST]:
        if (name, key) not in own:
            stored.setdefault(name, []).append(row)
    if stored:
        notes.append("STORED holds records as the mirror has them now, not as they were then.")
    return stored


def _ids(asked: Sequence[dict[str, Any]], changes: Sequence[PastChange]) -> set[tuple[str, str]]:
    found = {(change.object, change.id) for change in changes if change.operation in {"update", "delete"}}
    for effect in asked:
        args = effect.get("args") or {}
        rows = [row.get("id") for row in _items(args.get("rows")) if isinstance(row, dict)]
        if effect["op"] in _BY_ID:
            found |= {(str(args.get("object") or ""), str(key)) for key in [*rows, *_items(args.get("ids"))]}
    return found


def _items(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else []
    return [item for item in items if not (isinstance(item, str) and item.startswith("… "))]


def _named(execution: Execution, wanted: set[tuple[str, str]]) -> Rows:
    found: Rows = {}
    with connection.cursor() as cursor:
        for name in sorted({name for name, _ in wanted}):
            ids = sorted(key for obj, key in wanted if obj == name)
            rows = store.get(cursor, schema=execution.tenant.schema_name, object=name, ids=ids)
            found |= {(name, key): row for key, row in rows.items()}
    return found


def _queried(execution: Execution, asked: Sequence[dict[str, Any]]) -> Rows:
    """The same questions again, those that the trace tells whole."""
    found: Rows = {}
    with connection.cursor() as cursor:
        for effect in asked:
            args = effect.get("args") or {}
            is_whole = not is_shortened(args) and "***" not in str(args)
            if effect["op"] != "records.query" or effect.get("error") or not is_whole:
                continue
            name = str(args.get("object") or "")
            try:
                rows = store.query(
                    cursor,
                    schema=execution.tenant.schema_name,
                    object=name,
                    where=args.get("where") or {},
                    order_by=args.get("order_by"),
                    limit=min(int(args.get("limit") or 100), MOST),
                )
            except CodedError:
                continue
            found |= {(name, str(row["id"])): row for row in rows}
    return found
