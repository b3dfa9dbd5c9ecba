"""The past: an event goes there with its last outcome, out of the hot table and in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triggers.choices import EventStatus, Skip
from triggers.work import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from triggers.work import Verdict

# From the mildest to the worst: an event ends as the worst that any of its triggers said.
_ENDS = {
    "skipped": EventStatus.SKIPPED,
    "ok": EventStatus.SUCCEEDED,
    "quarantined": EventStatus.QUARANTINED,
    "failed": EventStatus.FAILED,
}
_RANK = {status: rank for rank, status in enumerate(_ENDS)}
_KEPT = (
    "id, code, tenant_id, connection_id, lane_id, crm, object, operation, record_id, kind, occurred_at,"
    " received_at, delivery, position, body, attempts, origin, depth"
)
_MOVE = f"""
WITH ending AS (
    SELECT * FROM unnest(%s::bigint[], %s::varchar[], %s::varchar[], %s::jsonb[], %s::bytea[], %s::boolean[])
        AS ending(event_id, final, why, fault, image, known)
),
gone AS (
    DELETE FROM triggers_liveevent e USING ending WHERE e.id = ending.event_id RETURNING e.*, ending.*
)
INSERT INTO triggers_event_past
    ({_KEPT}, status, reason, error, pending, next_attempt_at, before, old_known, finished_at)
SELECT {_KEPT}, final, why,
    CASE WHEN error ? 'released'  -- what an operator let pass stays let pass
        THEN coalesce(fault, '{{}}') || jsonb_build_object('released', error -> 'released') ELSE fault END,
    '{{}}', NULL, coalesce(image, before), coalesce(known, old_known), %s
FROM gone
"""  # noqa: S608  # constants of this module


@dataclass(frozen=True)
class EventEnd:
    """How one event ended. ``before`` (sealed) is given when it was not stored yet."""

    event_id: int
    status: str
    reason: str = ""
    error: dict[str, Any] | None = None
    before: bytes | None = None
    old_known: bool | None = None


def end_of(event_id: int, verdicts: Mapping[str, Verdict]) -> EventEnd:
    """How an event ends, given what became of it under each of its triggers."""
    trigger, worst = max(verdicts.items(), key=lambda item: _RANK[item[1].status])
    status = _ENDS[worst.status]
    if status == EventStatus.SUCCEEDED:
        return EventEnd(event_id, status)
    if status == EventStatus.SKIPPED:
        return EventEnd(event_id, status, Skip.SCRIPT)
    error: dict[str, Any] = {"code": worst.code, "detail": worst.detail}
    if trigger:
        error["trigger"] = trigger
    if worst.data:
        error["fields"] = worst.data
    return EventEnd(event_id, status, worst.code, error)


def move(cursor: Any, ends: Sequence[EventEnd], *, at: datetime) -> int:
    """Move the events to the history with their final status. Returns how many were still live."""
    if not ends:
        return 0
    cursor.execute(
        _MOVE,
        [
            [end.event_id for end in ends],
            [str(end.status) for end in ends],
            [str(end.reason)[:60] for end in ends],
            [as_json(end.error) if end.error else None for end in ends],
            [end.before for end in ends],
            [end.old_known for end in ends],
            at,
        ],
    )
    return int(cursor.rowcount)
