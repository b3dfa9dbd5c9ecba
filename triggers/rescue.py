"""Rescue: what a dead worker left behind, and what came due while nobody looked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triggers import lanes, members
from triggers.choices import ExecutionStatus
from triggers.work import Work

if TYPE_CHECKING:
    from collections.abc import Collection

    from triggers.lanes import Lease

MOST_RESUMED = 400  # members; executions held for hours come due by the thousand

_OPEN = """
SELECT execution.code, root, trigger, operation, release, seed, now, created_at, mode, id, parent_id,
       replay_of_id, started_at, attempts, losses,
       held_on, held_executions, held_calls, held_tokens, is_counted,
       event_ids, record_ids, status,
       coalesce(next_attempt_at > clock_timestamp(), false) AS waits,
       CASE WHEN status = 'running' THEN (
           SELECT count(*) FROM governor_journalentry sent
           WHERE sent.execution = execution.code AND sent.intended_at >= execution.started_at
       ) ELSE 0 END AS lost_calls
FROM triggers_execution execution WHERE lane_id = %s AND status IN ('queued', 'running') ORDER BY root, id
"""


@dataclass
class Left:
    """A lane's open executions."""

    works: list[Work] = field(default_factory=list)  # to run now, with exactly their members
    held: set[str] = field(default_factory=set)  # records of executions whose next attempt is still to come


def resume(cursor: Any, lease: Lease, *, paused: Collection[str] = ()) -> Left:
    """The lane's executions that are due again, the oldest first, as many as a worker can hold in memory.

    One that was running lost its worker: that counts. Those of ``paused`` triggers wait.
    """
    cursor.execute(_OPEN, [lease.lane_id])
    left = Left()
    names = [column.name for column in cursor.description]
    due: list[dict[str, Any]] = []
    size = 0
    for row in cursor.fetchall():
        found = dict(zip(names, row, strict=True))
        record_ids = found.pop("record_ids")
        if found.pop("waits") or found["trigger"] in paused:
            left.held.update(record_ids)
        elif not due or size + len(record_ids) <= MOST_RESUMED:
            due.append(found)
            size += len(record_ids)
    if not due:
        return left
    ids = {event_id for each in due for event_id in each["event_ids"]}
    rows = members.read(cursor, ids, is_past=lease.is_replay)
    by_id = {row.id: members.member(row, lease) for row in rows}
    for each in due:
        status, event_ids = each.pop("status"), each.pop("event_ids")
        batch = [by_id[event_id] for event_id in event_ids if event_id in by_id]
        execution = Work(**each, members=batch)
        if status == ExecutionStatus.RUNNING:
            execution.losses += 1
        left.works.append(execution)
    return left


def free_dead(cursor: Any) -> int:
    """End the leases of workers that ran beside us and are no more, before their time has passed."""
    cursor.execute(
        "SELECT id, lease_token, leased_by FROM triggers_lane WHERE lease_until > clock_timestamp()"
    )
    freed = 0
    for lane_id, token, worker in cursor.fetchall():
        if lanes.is_dead(worker):
            cursor.execute(
                "UPDATE triggers_lane SET lease_until = clock_timestamp() WHERE id = %s AND lease_token = %s",
                [lane_id, token],
            )
            freed += cursor.rowcount
    return freed


def unpark(cursor: Any) -> int:
    """Open the lanes whose parking ended."""
    cursor.execute(
        "UPDATE triggers_lane SET parked_reason = '', parked_until = NULL"
        " WHERE parked_reason <> '' AND parked_until <= clock_timestamp()"
    )
    return int(cursor.rowcount)
