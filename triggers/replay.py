"""Replay: a new execution over the events of an earlier one, which stays as it is, and so do its events."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from governor.journal import read_answers
from logs import traces
from tenants.errors import CodedError
from tenants.ids import new_code
from tenants.scope import tenant_scope
from triggers import bells, lanes
from triggers.choices import FINISHED, ExecutionStatus, LaneKind, Mode
from triggers.models import Event, Execution
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from triggers.work import Work

logger = logging.getLogger(__name__)

LIVE_RELEASE = "live"

_PARTS = """
WITH RECURSIVE part AS (
    SELECT id, parent_id FROM triggers_execution WHERE id = %s
    UNION ALL
    SELECT child.id, child.parent_id FROM triggers_execution child JOIN part ON child.parent_id = part.id
)
SELECT id FROM part
"""


class NotReplayable(CodedError):
    """The execution cannot be replayed, now or ever."""

    code = "triggers.not-replayable"
    status = 409


class BadReplay(CodedError):
    """The replay was asked for in words we do not know."""

    code = "triggers.bad-replay"


def replay(
    *,
    execution: Execution,
    mode: str = Mode.LIVE,
    release: str = LIVE_RELEASE,
    records: str = "all",
    actor: str,
    at: datetime,
) -> Execution:
    """Queue a new execution of the same events, in a lane of its own. Returns it, queued.

    ``records="failed"`` takes only those that failed. Raises ``BadReplay`` and ``NotReplayable``.
    """
    if mode not in Mode.values:
        raise BadReplay(f"{mode!r} is no mode; write one of {', '.join(Mode.values)}.")
    if records not in {"all", "failed"}:
        raise BadReplay(f"{records!r} is no choice of records; write all or failed.")
    current = registry().release
    if release not in {LIVE_RELEASE, current}:
        raise BadReplay(f"There is no release {release!r}; write live, or {current}.")
    if execution.status not in FINISHED:
        raise NotReplayable("The execution has not ended yet.")
    with tenant_scope(execution.tenant_id), transaction.atomic(), connection.cursor() as cursor:
        chosen = _members(execution, records=records)
        lane_id = _lane(cursor, execution)
        code = new_code()
        made: Execution = Execution.objects.create(
            code=code,
            root=code,
            tenant_id=execution.tenant_id,
            lane_id=lane_id,
            trigger=execution.trigger,
            object=execution.object,
            operation=execution.operation,
            release=current,
            mode=mode,
            replay_of=execution,
            event_ids=[event_id for event_id, _, _ in chosen],
            event_codes=[event_code for _, event_code, _ in chosen],
            record_ids=[record_id for _, _, record_id in chosen],
            terms=execution.terms,
            size=len(chosen),
            depth=execution.depth,
            seed=execution.seed,
            # A recorded run repeats the earlier one, its clock included.
            now=execution.now if mode == Mode.RECORDED else at,
            created_at=at,
        )
        # On commit, or a fast worker would look before the row is there.
        if mode != Mode.LIVE:
            # It costs nothing, so it need not wait for the quota as live replays in its lane may.
            lanes.open_for_free(cursor, lane_id)
        transaction.on_commit(lambda: bells.ring([lane_id]))
    logger.info("%s replays execution %s as %s (%s)", actor, execution.code, code, mode)
    return made


def _lane(cursor: Any, execution: Execution) -> int:
    """The tenant's replay lane. One that is there is not locked: bulk replays stand in many at a time."""
    cursor.execute(
        "SELECT id FROM triggers_lane WHERE tenant_id = %s AND object = %s AND shard = 0 AND kind = %s",
        [execution.tenant_id, execution.object, LaneKind.REPLAY.value],
    )
    if row := cursor.fetchone():
        return int(row[0])
    return lanes.lane_of(cursor, tenant_id=execution.tenant_id, obj=execution.object, kind=LaneKind.REPLAY)


def recorded(cursor: Any, work: Work) -> Mapping[tuple[str, int], Mapping[str, Any]]:
    """The answers that the replayed execution was given."""
    cursor.execute("SELECT root, tenant_id FROM triggers_execution WHERE id = %s", [work.replay_of_id])
    root, tenant_id = cursor.fetchone()
    with tenant_scope(tenant_id):
        return read_answers(root=root)


def _members(execution: Execution, *, records: str) -> list[tuple[int, Any, str]]:
    """The events to run again. Raises ``NotReplayable`` when none is left."""
    members = list(zip(execution.event_ids, execution.event_codes, execution.record_ids, strict=True))
    if records == "failed":
        failed = _failed_records(execution)
        members = [member for member in members if member[2] in failed]
        if not members:
            raise NotReplayable("No record of the execution failed.")
    kept = set(Event.objects.filter(id__in=[member[0] for member in members]).values_list("id", flat=True))
    members = [member for member in members if member[0] in kept]
    if not members:
        raise NotReplayable("The events of the execution are not kept any more.")
    return members


def _failed_records(execution: Execution) -> set[str]:
    """The records that failed in the execution, or in the parts it was split into."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [execution.pk])
        ids = [pk for (pk,) in cursor.fetchall()]
    failed: set[str] = set()
    for part in Execution.objects.filter(id__in=ids):
        if part.status == ExecutionStatus.FAILED:
            failed.update(part.record_ids)
        elif part.status == ExecutionStatus.PARTIAL:
            trace = traces.of_execution(part.code, since=part.created_at)
            outcomes = trace.outcomes if trace else {}
            failed.update(name for name, said in outcomes.items() if said[0] in {"failed", "quarantined"})
    return failed
