"""What a test expects to be changed: exact from the outbox, or from the trace where it tells the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from logs.curl import is_shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triggers.models import Execution
    from triggers.past_records import PastChange

TASK = "Task"
_WRITES = {
    "records.insert": "insert",
    "records.update": "update",
    "records.upsert": "upsert",
    "records.delete": "delete",
}


@dataclass
class Made:
    """The changes to expect."""

    changed: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # object -> id -> fields
    inserted: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # their ids are new each time
    tasks: list[str] | None = None
    is_partial: bool = False  # some changes are not known as they were


def made(
    execution: Execution,
    effects: Sequence[dict[str, Any]],
    changes: Sequence[PastChange],
    *,
    failed: set[str],
    is_live_end: bool,
) -> Made:
    """``is_live_end``: it ended without an error, so what it asked for was made (or planned)."""
    found = Made()
    asked_tasks = [e for e in effects if e.get("op") == "task.create" and e.get("error") is None]
    for change in changes:
        if change.object == TASK and asked_tasks and change.operation == "insert":
            continue
        _lay(found, change.object, change.operation, change.id, change.fields)
    titles = [
        str(change.fields.get("title", ""))
        for change in changes
        if change.object == TASK and change.operation == "insert"
    ]
    if asked_tasks and len(titles) != len(asked_tasks):
        titles = [str((effect.get("args") or {}).get("title", "")) for effect in asked_tasks]
    if not any("***" in title or title.endswith("…") for title in titles) and not failed:
        found.tasks = titles
    if is_live_end:
        _from_trace(found, execution, effects, known={change.object for change in changes}, failed=failed)
    return found


def _from_trace(
    found: Made, execution: Execution, effects: Sequence[dict[str, Any]], *, known: set[str], failed: set[str]
) -> None:
    """Objects of which the outbox holds nothing: the tenant's own, and all where no connection is."""
    unsure: set[str] = set()
    told = Made()
    for effect in effects:
        operation, args = _WRITES.get(str(effect.get("op"))), effect.get("args") or {}
        name = str(args.get("object") or "")
        if operation is None or effect.get("error") is not None or name in known:
            continue
        refused = (effect.get("answer") or {}).get("refused") if isinstance(effect.get("answer"), dict) else 0
        if is_shortened(args) or "***" in str(args) or refused:
            unsure.add(name)
            continue
        rows = args.get("rows") or [{"id": key} for key in args.get("ids") or []]
        for row in rows:
            key = str(row.get("id") or "")
            if name == execution.object and key in failed:
                continue
            kind = "insert" if not key else operation
            _lay(told, name, kind, key, {field: value for field, value in row.items() if field != "id"})
    found.changed |= {name: rows for name, rows in told.changed.items() if name not in unsure}
    found.inserted |= {name: rows for name, rows in told.inserted.items() if name not in unsure}
    found.is_partial = bool(unsure)


def _lay(found: Made, name: str, operation: str, key: str, fields: dict[str, Any]) -> None:
    if operation == "insert":
        found.inserted.setdefault(name, []).append(dict(fields))
        return
    own = found.changed.setdefault(name, {}).setdefault(key, {})
    own.update(fields) if operation != "delete" else own.clear()
