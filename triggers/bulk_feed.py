"""Feeding bulk replays: waiting items become executions of the replay lanes, a few at a time.

The rows are the truth: whoever feeds locks the replay's row first, so that no item is started twice; one
that dies leaves what it committed, and the next goes on from there. Called after each round of the lanes,
and by the beat.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction

from tenants.errors import CodedError
from tenants.scope import every_tenant
from triggers.choices import ItemStatus, ReplayStatus
from triggers.models import Replay, ReplayItem
from triggers.replay import LIVE_RELEASE, replay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

logger = logging.getLogger(__name__)

MOST_RUNNING = 20  # executions of one bulk replay that are made and have not ended
MOST_REPLAYS = 100  # fed in one round
LONGEST = 1.0  # seconds of one replay's feeding
NOT_STARTED = "It could not be started."
GONE = "Its execution is gone."

# A split execution has ended when its halves have, and theirs.
_ENDED = """
WITH RECURSIVE part AS (
    SELECT item.id AS item_id, execution.id, execution.status, execution.error_code
    FROM triggers_replayitem item JOIN triggers_execution execution ON execution.id = item.made_id
    WHERE item.replay_id = %(replay)s AND item.status = 'running'
    UNION ALL
    SELECT part.item_id, half.id, half.status, half.error_code
    FROM part JOIN triggers_execution half ON half.parent_id = part.id WHERE part.status = 'bisected'
),
ended AS (
    SELECT item_id,
           CASE WHEN bool_and(status = 'succeeded') THEN 'succeeded'
                WHEN bool_and(status = 'failed') THEN 'failed'
                WHEN bool_and(status = 'cancelled') THEN 'cancelled'
                ELSE 'partial' END AS status,
           coalesce(max(error_code) FILTER (WHERE status IN ('failed', 'partial')), '') AS reason
    FROM part WHERE status <> 'bisected'
    GROUP BY item_id HAVING NOT bool_or(status IN ('queued', 'running'))
)
UPDATE triggers_replayitem item SET status = ended.status, reason = ended.reason
FROM ended WHERE item.id = ended.item_id
"""
_UNSTARTED_LANES = """
SELECT lane.id, lane.lease_until IS NULL OR lane.lease_until <= clock_timestamp()
FROM triggers_lane lane
WHERE lane.id IN (
    SELECT execution.lane_id FROM triggers_replayitem item
    JOIN triggers_execution execution ON execution.id = item.made_id
    WHERE item.replay_id = %s AND item.status = 'running' AND execution.status = 'queued'
)
ORDER BY lane.id FOR UPDATE
"""
_RECALL = """
WITH recalled AS (
    UPDATE triggers_execution execution SET status = 'cancelled', finished_at = %(at)s
    FROM triggers_replayitem item
    WHERE item.replay_id = %(replay)s AND item.status = 'running' AND execution.id = item.made_id
      AND execution.status = 'queued' AND execution.attempts = 0 AND execution.lane_id = ANY(%(lanes)s)
    RETURNING item.id
)
UPDATE triggers_replayitem item SET status = 'cancelled' FROM recalled WHERE item.id = recalled.id
"""
_COUNT = "SELECT status, count(*) FROM triggers_replayitem WHERE replay_id = %s GROUP BY status"


def feed(*, at: datetime) -> int:
    """Note what has ended, and start what there is room for. Returns how many executions were made."""
    with every_tenant():
        ids = list(
            Replay.objects.filter(finished_at=None).order_by("pk").values_list("pk", flat=True)[:MOST_REPLAYS]
        )
        return sum(_feed(replay_id, at=at) for replay_id in ids)


def _feed(replay_id: int, *, at: datetime) -> int:
    made = 0
    until = time.monotonic() + LONGEST
    with transaction.atomic(), connection.cursor() as cursor:
        # Another feeder has it, or it ended meanwhile: passed over.
        current: Replay | None = (
            Replay.objects.select_for_update(skip_locked=True).filter(pk=replay_id, finished_at=None).first()
        )
        if current is None:
            return 0
        _note_ended(cursor, current)
        if current.status != ReplayStatus.CANCELLED:
            room = MOST_RUNNING - current.items.filter(status=ItemStatus.RUNNING).count()
            while room > 0 and time.monotonic() < until and (items := _next(current, room)):
                started = sum(_start(current, item, at=at) for item in items)
                made, room = made + started, room - started
        count(cursor, current, at=at)
    return made


def _note_ended(cursor: Any, current: Replay) -> None:
    cursor.execute(_ENDED, {"replay": current.pk})
    current.items.filter(status=ItemStatus.RUNNING, made=None).update(status=ItemStatus.FAILED, reason=GONE)


def _next(current: Replay, room: int) -> Sequence[ReplayItem]:
    waiting = current.items.filter(status=ItemStatus.WAITING).select_related("original")
    return list(waiting.order_by("pk")[:room])


def _start(current: Replay, item: ReplayItem, *, at: datetime) -> bool:
    """Make the item's execution, or say why it cannot be."""
    try:
        with transaction.atomic():
            item.made = replay(
                execution=item.original,
                mode=current.mode,
                release=LIVE_RELEASE,
                records=current.records,
                actor=current.actor,
                at=at,
            )
            item.status = ItemStatus.RUNNING
            item.save(update_fields=["made", "status"])
    except OperationalError:
        raise
    except Exception as error:
        # One that cannot be started must not keep the others waiting.
        if not isinstance(error, CodedError):
            logger.exception("Item %s of replay %s cannot be started", item.pk, current.code)
        item.made, item.status = None, ItemStatus.SKIPPED
        item.reason = str(error)[:200] if isinstance(error, CodedError) else NOT_STARTED
        item.save(update_fields=["made", "status", "reason"])
        return False
    return True


def recall(cursor: Any, current: Replay, *, at: datetime) -> int:
    """Cancel executions that were made and have not started. Returns how many.

    A lane that a worker has leased is left to it: what it holds in memory, it runs.
    """
    cursor.execute(_UNSTARTED_LANES, [current.pk])
    free = [lane_id for lane_id, is_free in cursor.fetchall() if is_free]
    cursor.execute(_RECALL, {"replay": current.pk, "lanes": free, "at": at})
    return int(cursor.rowcount)


def count(cursor: Any, current: Replay, *, at: datetime) -> None:
    """Store how far it is, and its end."""
    cursor.execute(_COUNT, [current.pk])
    counts = dict(cursor.fetchall())
    for status in ItemStatus.values:
        setattr(current, status, counts.get(status, 0))
    is_cancelled = current.status == ReplayStatus.CANCELLED
    if not is_cancelled and current.waiting < current.total:
        current.status = ReplayStatus.RUNNING
        current.started_at = current.started_at or at
    if not current.waiting and not current.running:
        current.finished_at = at
        current.status = ReplayStatus.CANCELLED if is_cancelled else ReplayStatus.DONE
    current.save(update_fields=["status", "started_at", "finished_at", *ItemStatus.values])
