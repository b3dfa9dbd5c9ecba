"""The mirror, set-based: a batch costs one locking read and one write. Never touches ``search_path``.

The functions take a cursor, so that the caller's transaction holds them, and a schema by name.
Rows are locked in the order of (object, id), so two batches wait for each other and never deadlock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2 import sql

from tenants.records.jsonb import dump, load
from tenants.records.merge import (
    OWN,
    Applied,
    Change,
    Incoming,
    State,
    Written,
    merge_change,
    merge_incoming,
    stamp,
)
from tenants.records.query import TooMuchData, UnknownLookup, existing, get, query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from tenants.records.query import Cursor

__all__ = [
    "Applied",
    "Change",
    "Incoming",
    "TooMuchData",
    "UnknownLookup",
    "Written",
    "apply_changes",
    "apply_incoming",
    "compare",
    "existing",
    "get",
    "mark_written",
    "query",
]

_LOCK = """
SELECT r.id, r.object, r.external_id, r.source, r.data::text, r.watermark, r.marks::text, r.deleted_at,
       r.written_at
FROM {schema}.records_record r
JOIN unnest(%s::text[], %s::text[]) AS wanted (object, external_id)
  ON r.object = wanted.object AND r.external_id = wanted.external_id
ORDER BY r.object, r.external_id
FOR UPDATE OF r
"""
# One JSON document is read several times faster than arrays of a hundred literals. Of a stored record it
# holds the changed fields alone: the row is locked, and a merge takes no field away.
_ROWS = """
jsonb_to_recordset(%s::jsonb) AS new (
    id bigint, object text, external_id text, data jsonb, source text, watermark timestamptz, marks jsonb,
    deleted_at timestamptz, written_at timestamptz)
"""
_UPDATE = """
UPDATE {schema}.records_record r
SET data = r.data || new.data, source = new.source, watermark = new.watermark, marks = new.marks,
    deleted_at = new.deleted_at, written_at = new.written_at, updated_at = %s
FROM {rows}
WHERE r.id = new.id
"""
_INSERT = """
INSERT INTO {schema}.records_record
    (created_at, updated_at, object, external_id, data, source, watermark, marks, deleted_at, written_at)
SELECT %s, %s, object, external_id, data, source, watermark, marks, deleted_at, written_at
FROM {rows}
ORDER BY object, external_id
ON CONFLICT (object, external_id) DO NOTHING
RETURNING object, external_id
"""
_DELETE = """
DELETE FROM {schema}.records_record r USING unnest(%s::text[], %s::text[]) AS gone (object, external_id)
WHERE r.object = gone.object AND r.external_id = gone.external_id
"""

# Locked in the one order first: an UPDATE alone locks in any.
_MARK = """
WITH locked AS MATERIALIZED (
    SELECT r.id FROM {schema}.records_record r
    JOIN unnest(%s::text[], %s::text[]) AS wanted (object, external_id)
      ON r.object = wanted.object AND r.external_id = wanted.external_id
    ORDER BY r.object, r.external_id
    FOR UPDATE OF r
)
UPDATE {schema}.records_record r SET written_at = %s FROM locked WHERE r.id = locked.id
"""

Key = tuple[str, str]  # object, external id
States = dict[Key, State]


def apply_incoming(
    cursor: Cursor, *, schema: str, object: str, changes: Sequence[Incoming], at: datetime
) -> list[Applied]:
    """Apply events to the mirror, answers in the order of ``changes``. Call inside a transaction."""
    applied: list[Applied] = []

    def merge(states: States) -> None:
        applied.clear()
        for change in changes:
            state = states.setdefault((object, change.record_id), State(change.record_id, change.source))
            applied.append(merge_incoming(state, change, at=at))

    _apply(cursor, schema=schema, keys={(object, change.record_id) for change in changes}, merge=merge, at=at)
    return applied


def compare(
    cursor: Cursor, *, schema: str, object: str, changes: Sequence[Incoming], at: datetime
) -> list[Applied]:
    """What ``apply_incoming`` would do with each of the changes, and nothing is done."""
    wanted = sorted({(object, change.record_id) for change in changes})
    states = _lock(cursor, schema, wanted) if wanted else {}
    return [
        merge_incoming(
            states.pop((object, change.record_id), State(change.record_id, change.source)), change, at=at
        )
        for change in changes
    ]


def apply_changes(
    cursor: Cursor,
    *,
    schema: str,
    changes: Sequence[Change],
    at: datetime,
    source_of: Mapping[str, str] | None = None,
) -> list[Written]:
    """Apply a script's changes, later ones over earlier ones; one answer a record, first touched first.

    ``source_of`` names the CRM of an object's new records; without, they are our own.
    Call inside a transaction.
    """
    written: dict[Key, Written] = {}

    def merge(states: States) -> None:
        written.clear()
        befores: dict[Key, dict[str, Any] | None] = {}
        for change in changes:
            key = (change.object, change.id)
            if key not in states:
                states[key] = State(change.id, (source_of or {}).get(change.object, OWN))
            state = states[key]
            if key not in befores:
                befores[key] = state.image() if state.is_known else None
            merge_change(state, change, at=at)
        for key, before in befores.items():
            written[key] = Written(*key, before, states[key].image() if states[key].is_known else None)

    _apply(cursor, schema=schema, keys={(change.object, change.id) for change in changes}, merge=merge, at=at)
    return list(written.values())


def mark_written(cursor: Cursor, *, schema: str, keys: Iterable[Key], at: datetime) -> None:
    """Note that the CRM took our change of these records just now: what it tells of it is our echo."""
    wanted = sorted(keys)
    if wanted:
        objects, ids = zip(*wanted, strict=True)
        cursor.execute(_in(schema, _MARK), [list(objects), list(ids), at])


def _apply(
    cursor: Cursor,
    *,
    schema: str,
    keys: set[Key],
    merge: Callable[[States], None],
    at: datetime,
) -> None:
    wanted = sorted(keys)
    if not wanted:
        return
    while True:
        states = _lock(cursor, schema, wanted)
        merge(states)
        dirty = {key: state for key, state in states.items() if state.is_dirty}
        new = {key: state for key, state in dirty.items() if state.pk is None}
        stored = _insert(cursor, schema, new, at=at)
        if len(stored) == len(new):
            break
        # Another worker made one of them since we looked: its row comes first, ours merge into it.
        if stored:
            objects, ids = zip(*stored, strict=True)
            cursor.execute(_in(schema, _DELETE), [list(objects), list(ids)])
    known = {key: state for key, state in dirty.items() if state.pk is not None}
    if known:
        cursor.execute(_in(schema, _UPDATE), [at, _rows(known)])


def _lock(cursor: Cursor, schema: str, wanted: Sequence[Key]) -> States:
    objects, ids = zip(*wanted, strict=True)
    cursor.execute(_in(schema, _LOCK), [list(objects), list(ids)])
    states = {}
    for pk, object_, external_id, source, data, watermark, marks, deleted_at, written_at in cursor.fetchall():
        states[object_, external_id] = State(
            external_id=external_id,
            source=source,
            pk=pk,
            data=(known := load(data)),
            stored=known,
            watermark=stamp(watermark),
            marks={name: time for time, names in load(marks).items() for name in names},
            deleted_at=stamp(deleted_at),
            written_at=written_at,
            is_known=True,
        )
    return states


def _insert(cursor: Cursor, schema: str, states: States, *, at: datetime) -> list[Key]:
    if not states:
        return []
    cursor.execute(_in(schema, _INSERT), [at, at, _rows(states)])
    return [(object_, external_id) for object_, external_id in cursor.fetchall()]


def _rows(states: States) -> str:
    return dump(
        [
            {
                "id": state.pk,
                "object": object_,
                "external_id": external_id,
                "data": state.unstored(),
                "source": state.source,
                "watermark": state.watermark or None,
                "marks": state.names_by_mark(),
                "deleted_at": state.deleted_at or None,
                "written_at": state.written_at,
            }
            for (object_, external_id), state in states.items()
        ]
    )


def _in(schema: str, statement: str) -> sql.Composed:
    return sql.SQL(statement).format(schema=sql.Identifier(schema), rows=sql.SQL(_ROWS))
