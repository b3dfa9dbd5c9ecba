"""Claiming: from a lane's waiting events to executions with members, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from governor.judgment.findings import PLATFORM
from logs.search import terms_of
from tenants.records.store import Incoming, apply_incoming
from triggers import judging, members, past, quarantine, sizing, work
from triggers.choices import EventStatus, Skip
from triggers.past import EventEnd

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from tenants.records.merge import Applied
    from triggers.admission import Gate
    from triggers.config import Configuration, Wanted
    from triggers.lanes import Lease
    from triggers.work import Member, Work

MOST = 200  # events of a batch
WINDOW = 1000  # waiting events looked at
# Of a batch's bodies: a worker has them in memory several times over, and a frame to the jail holds 16 MiB.
MOST_BYTES = 4 * 1024 * 1024

_WINDOW = """
SELECT id, operation, record_id, octet_length(body) FROM triggers_liveevent
WHERE lane_id = %s AND status = 'queued' AND record_id <> ALL(%s::varchar[]) ORDER BY id LIMIT %s
"""
_CLAIM = """
UPDATE triggers_liveevent e SET status = 'running', attempts = attempts + 1, before = claimed.image,
    old_known = claimed.known, pending = %s::varchar[]
FROM unnest(%s::bigint[], %s::bytea[], %s::boolean[]) AS claimed(event_id, image, known)
WHERE e.id = claimed.event_id
"""


@dataclass
class Claimed:
    """What a claim took from its lane."""

    works: list[Work] = field(default_factory=list)
    finished: int = 0  # events that no trigger has to see: misfits, echoes, stale ones, unwanted ones

    @property
    def is_empty(self) -> bool:
        return not self.works and not self.finished


def claim(
    cursor: Any,
    lease: Lease,
    *,
    configuration: Configuration,
    held: Collection[str] = (),
    most: int = MOST,
    gate: Gate | None = None,
    at: datetime,
) -> Claimed:
    """Take the next batch of the lane: one operation, each record once, in the order acknowledged.

    ``gate`` has to let the first execution start; without one, it starts.

    ``held`` are records that an open execution holds back. Events that need no trigger go to the history
    at once; the others are stored as running, with the image before them. Call it under the lane's lock.
    """
    cursor.execute(_WINDOW, [lease.lane_id, list(held), WINDOW])
    window = cursor.fetchall()
    if not window:
        return Claimed()
    operation = window[0][1]
    wanted = configuration.wanted(cursor, tenant_id=lease.tenant_id, obj=lease.object, operation=operation)
    most = min([most, *(each.spec.batch_size for each in wanted)])
    known = configuration.profiles.of(cursor, lease.tenant_id)
    sized = sizing.size(known, wanted, most=most, limit_of=gate.calls_for if gate else sizing.declared)
    chosen = choose(window, operation, sized.size)
    rows = members.read(cursor, chosen)

    ends: list[EventEnd] = []
    changes: list[Incoming] = []
    olds: dict[int, dict[str, Any]] = {}  # what the CRM itself says was there before
    fit: list[tuple[members.Row, Any]] = []
    for row in rows:
        try:
            fit.append((row, members.normalise(row, lease)))
        except members.Unfit as unfit:
            ends.append(past.end_of(row.id, {"": unfit.verdict}))
    opinions, judged_ms = judging.judge(
        [(row.record_id, normalised.fields, _is_released(row)) for row, normalised in fit],
        obj=lease.object,
        thresholds=gate.thresholds if gate else PLATFORM,
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for (row, normalised), opinion in zip(fit, opinions, strict=True):
        if opinion.verdict is not None:
            ends.append(past.end_of(row.id, {"": opinion.verdict}))
            continue
        if opinion.found:
            found[row.id] = opinion.found
        if normalised.old:
            olds[row.id] = normalised.old
        changes.append(
            Incoming(
                key=row.id,
                record_id=row.record_id,
                operation=row.operation,
                fields=opinion.fields,
                occurred_at=row.occurred_at,
                is_partial=normalised.is_partial,
                source=row.crm,
            )
        )
    kept = _apply(cursor, lease, rows, changes, ends, olds=olds, is_wanted=bool(wanted), at=at)
    past.move(cursor, ends, at=at)
    for member, _ in kept:
        member.judgments = found.get(member.event_id, [])
    claimed = Claimed(finished=len(ends))
    if kept:
        claimed.works = _executions(
            cursor,
            lease,
            kept,
            wanted=wanted,
            operation=operation,
            release=configuration.registry.release,
            paused=configuration.paused(cursor, lease),
            gate=gate,
            at=at,
        )
        for each in claimed.works:
            each.judged_ms = judged_ms
        if sized.size < most:
            sized.say(claimed.works, taken=len(chosen), of=len(choose(window, operation, most)))
    return claimed


def _is_released(row: members.Row) -> bool:
    """Whether somebody let it pass: what they saw and released is not held again."""
    return any(code.startswith("judgment.") for code in quarantine.released(row.error))


def set_aside(
    cursor: Any, lease: Lease, *, held: Collection[str], code: str, detail: str, at: datetime
) -> Claimed:
    """Quarantine the lane's next event: the mirror cannot hold it, and it must not hold the lane."""
    cursor.execute(_WINDOW, [lease.lane_id, list(held), 1])
    verdict = work.Verdict("quarantined", code, detail)
    ends = [past.end_of(event_id, {"": verdict}) for event_id, *_ in cursor.fetchall()]
    past.move(cursor, ends, at=at)
    return Claimed(finished=len(ends))


def choose(window: Sequence[tuple[int, str, str, int]], operation: str, most: int) -> list[int]:
    """The ids to claim. An event whose turn has not come holds back the later ones of its record."""
    seen: set[str] = set()
    chosen: list[int] = []
    left = MOST_BYTES
    for event_id, event_operation, record_id, size in window:
        if record_id in seen:
            continue
        seen.add(record_id)
        if event_operation == operation:
            left -= size
            if chosen and left < 0:
                break
            chosen.append(event_id)
            if len(chosen) == most:
                break
    return chosen


def _apply(
    cursor: Any,
    lease: Lease,
    rows: Sequence[members.Row],
    changes: Sequence[Incoming],
    ends: list[EventEnd],
    *,
    olds: Mapping[int, dict[str, Any]],
    is_wanted: bool,
    at: datetime,
) -> list[tuple[Member, bytes]]:
    """Apply the changes to the mirror. Returns what has to run, each with its sealed image."""
    if not changes:
        return []
    applied = apply_incoming(cursor, schema=lease.schema, object=lease.object, changes=changes, at=at)
    by_id = {row.id: row for row in rows}
    fields = {change.key: change.fields for change in changes}
    kept = []
    for change in (_remembered(each, olds.get(each.key)) for each in applied):
        row = by_id[change.key]
        image = members.seal_before(
            change.before,
            fields=fields[row.id],
            after=change.after,
            tenant_id=lease.tenant_id,
            code=row.code,
        )
        skip = Skip.STALE if change.is_stale else Skip.ECHO if change.is_echo else None
        if skip is None and not is_wanted:
            skip = Skip.NO_TRIGGER
        if skip is not None:
            ends.append(EventEnd(row.id, EventStatus.SKIPPED, skip, before=image, old_known=change.old_known))
            continue
        member = work.Member(
            event_id=row.id,
            code=row.code,
            record_id=row.record_id,
            connection_id=row.connection_id,
            received_at=row.received_at,
            crm=row.crm,
            origin=row.origin,
            depth=row.depth,
            old_known=change.old_known,
        )
        members.dress(member, lease.object, row.operation, before=change.before, after=change.after)
        kept.append((member, image))
    return kept


def _remembered(change: Applied, told: dict[str, Any] | None) -> Applied:
    """The change with the old values the CRM told, if the mirror met the record just now."""
    if change.before is not None or not told:
        return change
    return replace(change, before={**change.after, **told}, old_known=True)


def _executions(
    cursor: Any,
    lease: Lease,
    kept: Sequence[tuple[Member, bytes]],
    *,
    wanted: Sequence[Wanted],
    operation: str,
    release: str,
    paused: Collection[str],
    gate: Gate | None,
    at: datetime,
) -> list[Work]:
    """Store an execution for each trigger. Returns those to run now; a paused trigger's waits for its end."""
    batch = [member for member, _ in kept]
    names = [each.spec.name for each in wanted]
    for member in batch:
        member.pending = list(names)
    cursor.execute(
        _CLAIM,
        [
            names,
            [member.event_id for member in batch],
            [image for _, image in kept],
            [member.old_known for member in batch],
        ],
    )
    works = [
        work.create(trigger=name, operation=operation, release=release, members=batch, at=at)
        for name in names
    ]
    ready = [each for each in works if each.trigger not in paused]
    specs = {each.spec.name: each.spec for each in wanted}
    if ready and gate and not gate.admit(ready[0], spec=specs[ready[0].trigger]):
        ready = []
    if ready:
        # The first starts with the claim: one statement less, and its attempt counts if the worker dies now.
        ready[0].started_at, ready[0].attempts = at, 1
    terms = terms_of([member.record for member in batch])
    work.store(
        cursor,
        works,
        tenant_id=lease.tenant_id,
        lane_id=lease.lane_id,
        obj=lease.object,
        terms=[terms] * len(works),
    )
    return ready
