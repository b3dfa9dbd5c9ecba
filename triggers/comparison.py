"""Field by field: what a record was, what came in, and what the script made of it. Masked as traces are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from governor.judgment.masking import mask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.past_records import PastChange, PastRecord

MOST_FIELDS = 60  # of one record
LONGEST = 400  # characters of one value
ABSENT = object()


def compare(past: PastRecord, changes: Sequence[PastChange]) -> list[dict[str, Any]]:
    """The fields that differ: ``field``, ``before``, ``after`` (as it came in) and ``script``."""
    record, old = _flat(past.record or {}), _flat(past.old or {})
    made: dict[str, Any] = {}
    for change in changes:
        made |= dict.fromkeys(record, None) if change.operation == "delete" else _flat(change.fields)
    has_old = past.old is not None
    rows = []
    for name in [*record, *(name for name in made if name not in record)]:
        before, after = old.get(name, ABSENT), record.get(name, ABSENT)
        came = after not in (ABSENT, None) if not has_old else before != after
        if name == "id" or not (came or (name in made and made[name] != after)):
            continue
        rows.append(
            {
                "field": name,
                "before": _text(name, before) if has_old else "",
                "after": _text(name, after),
                "script": _text(name, made[name]) if name in made else "",
                "is_set": name in made,
            }
        )
    return rows[:MOST_FIELDS]


def other_changes(changes: Sequence[PastChange], *, object: str, ids: set[str]) -> list[dict[str, Any]]:
    """Changes of records that are none of the batch's."""
    return [
        {
            "object": change.object,
            "operation": change.operation,
            "id": change.id,
            "fields": [
                {"field": name, "script": _text(name, value)}
                for name, value in list(_flat(change.fields).items())[:MOST_FIELDS]
            ],
        }
        for change in changes
        if change.object != object or change.id not in ids
    ]


def _flat(fields: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict) and name in {"custom_fields", "extra"}:
            flat |= {f"{name}.{inner}": nested for inner, nested in value.items()}
        else:
            flat[name] = value
    return flat


def _text(name: str, value: Any) -> str:
    if value is ABSENT:
        return ""
    if value is None:
        return "–"
    shown = mask({name.rpartition(".")[2]: value}, longest=LONGEST)
    only = next(iter(shown.values()))
    return only if isinstance(only, str) else json.dumps(only, ensure_ascii=False)[:LONGEST]
