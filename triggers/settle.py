"""Settling: one transaction commits what an execution changed, what became of its records, and its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from governor import meter
from governor.judgment.masking import mask
from logs import traces
from logs.search import terms_of
from tenants.records import store
from triggers import lanes, outbox, past, sizing, work
from triggers.admission import TEST
from triggers.bisect import MOST_ATTEMPTS, MOST_LOSSES, Family
from triggers.choices import Mode

if TYPE_CHECKING:
    from datetime import datetime

    from governor.job import RunResult
    from triggers.bisect import Ending
    from triggers.lanes import Lease
    from triggers.work import Verdict, Work

LONGEST_DETAIL = 2000

_EXECUTION = """
UPDATE triggers_execution SET status = %s, with_errors = %s, error_code = %s, error_type = %s,
    error_detail = %s, limit_name = %s, ok = %s, failed = %s, skipped = %s, wall_ms = %s, cpu_ms = %s,
    usage = %s::jsonb, attempts = %s, losses = %s, release = %s, started_at = %s, held_on = NULL,
    held_executions = 0, held_calls = 0, held_tokens = 0, is_counted = is_counted OR %s,
    finished_at = CASE WHEN %s THEN %s END,
    next_attempt_at = clock_timestamp() + %s * interval '1 second'
WHERE id = %s RETURNING next_attempt_at
"""
_STILL_PENDING = """
UPDATE triggers_liveevent e SET pending = array_remove(e.pending, %s), error = said.outcomes
    || CASE WHEN e.error ? 'released' THEN jsonb_build_object('released', e.error -> 'released') ELSE '{}' END
FROM unnest(%s::bigint[], %s::jsonb[]) AS said(event_id, outcomes) WHERE e.id = said.event_id
"""
_WAITING = (
    "UPDATE triggers_liveevent SET attempts = least(attempts + %s, 32000), next_attempt_at = %s"
    " WHERE id = ANY(%s)"
)
_FAMILY = """
WITH RECURSIVE part AS (
    SELECT id, parent_id, limit_name FROM triggers_execution WHERE code = %s
    UNION ALL
    SELECT child.id, child.parent_id, child.limit_name
    FROM triggers_execution child JOIN part ON child.parent_id = part.id
)
SELECT count(*) - 1, coalesce(max(limit_name) FILTER (WHERE parent_id = %s AND id <> %s), '') FROM part
"""


class Fenced(Exception):
    """The lane was leased to another worker meanwhile; nothing was committed."""


def fence(cursor: Any, lease: Lease, *, is_last: bool, lease_seconds: float = lanes.LEASE_SECONDS) -> None:
    """Lock the lane as its holder, and keep it or (``is_last``) give it back. Raises ``Fenced``: roll back.

    From here to the commit no other worker can lease the lane, so what we commit is its newest word. A
    worker whose lease was taken over finds another token and commits nothing.
    """
    is_ours = (
        lanes.release(cursor, lease, is_served=True)
        if is_last
        else lanes.renew(cursor, lease, lease_seconds=lease_seconds)
    )
    if not is_ours:
        raise Fenced


def settle(
    cursor: Any,
    lease: Lease,
    done: Work,
    *,
    ending: Ending,
    result: RunResult,
    is_counted: bool = False,
    at: datetime,
) -> list[Work]:
    """Store the end of an execution, behind the ``fence``. Returns the parts when the batch was split.

    ``is_counted``: it counts among its tenant's executions from now on.
    """
    if (result.error is None or result.changes) and done.mode == Mode.LIVE:
        _change(cursor, lease, done, ending, result, at=at)
    waits_until = _update(cursor, done, ending, result, is_counted=is_counted, at=at)
    _trace(cursor, lease, done, ending, result, at=at)
    parts = _split(cursor, lease, done, ending, at=at)
    if done.replay_of_id is None:
        if waits_until:
            # Tried, unless its host was down: then it only waits.
            tried = int(bool(ending.retry_in))
            cursor.execute(_WAITING, [tried, waits_until, [member.event_id for member in done.members]])
        elif not parts:
            _end_events(cursor, done, ending, at=at)
    return parts


def family(cursor: Any, done: Work) -> Family:
    """What is known of the other parts of the batch that ``done`` is a part of."""
    cursor.execute(_FAMILY, [str(done.root), done.parent_id, done.id])
    parts, sibling_limit = cursor.fetchone()
    return Family(parts, sibling_limit)


def remember(done: Work, ending: Ending) -> None:
    """Note in memory what was committed: the members' next executions see it. Call after the commit."""
    for member in done.members:
        verdict = ending.verdicts.get(member.record_id)
        if verdict is not None:
            member.pending = [name for name in member.pending if name != done.trigger]
            member.verdicts[done.trigger] = verdict


def _change(
    cursor: Any, lease: Lease, done: Work, ending: Ending, result: RunResult, *, at: datetime
) -> None:
    failed = {record_id for record_id, verdict in ending.verdicts.items() if verdict.status == "failed"}
    if result.error is not None:
        failed.clear()  # these are of on_limit, which speaks of records that failed
    changes = [
        change for change in result.changes if change.object != lease.object or change.id not in failed
    ]
    if not changes:
        return
    crm = done.members[0].crm or "circuitos"
    source_of = {change.object: crm for change in changes if outbox.is_of_crm(change.object)}
    written = store.apply_changes(cursor, schema=lease.schema, changes=changes, at=at, source_of=source_of)
    contact_of = {member.record_id: member.record.get("contact_id") for member in done.members}
    # The CRM does not know the record of a test event: nothing of it goes there.
    homes = {
        member.record_id: None if member.origin == TEST else member.connection_id for member in done.members
    }
    outbox.put(
        cursor,
        changes,
        tenant_id=lease.tenant_id,
        execution=done.code,
        connection_of={(lease.object, record_id): home for record_id, home in homes.items()},
        otherwise=next((home for home in homes.values() if home is not None), None),
        at=at,
        hints=outbox.hints_of(changes, written, contact_of=contact_of),
    )


def _update(
    cursor: Any, done: Work, ending: Ending, result: RunResult, *, is_counted: bool, at: datetime
) -> datetime | None:
    cursor.execute(
        _EXECUTION,
        [
            *(str(ending.status), result.with_errors, ending.code[:60], _type_of(ending)),
            *(str(mask(ending.detail))[:LONGEST_DETAIL], ending.error.limit or "" if ending.error else ""),
            *(ending.count("ok"), ending.count("failed", "quarantined"), ending.count("skipped")),
            *(round(result.wall_ms), round(result.cpu_ms), work.as_json(result.usage)),
            *(
                done.attempts,
                done.losses,
                done.release,
                done.started_at or at,
                is_counted,
                ending.retry_in is None,
                at,
                ending.retry_in,
            ),
            done.id,
        ],
    )
    waits_until: datetime | None = cursor.fetchone()[0]
    return waits_until


def _type_of(ending: Ending) -> str:
    return ending.error.type[:60] if ending.error else ""


def _trace(cursor: Any, lease: Lease, done: Work, ending: Ending, result: RunResult, *, at: datetime) -> None:
    error = None
    if ending.error is not None:
        names = ("code", "type", "detail", "traceback", "at", "record", "limit", "used", "max")
        error = {name: getattr(ending.error, name) for name in names}
        error |= {"code": ending.code, "detail": ending.detail}
    traces.write(
        cursor,
        tenant_id=lease.tenant_id,
        execution=done.code,
        started_at=done.started_at or at,
        release=done.release,
        spans=_spans(done, result),
        entries=[
            *_notes(done, at=at),
            *result.entries,
            *meter.warnings(result.usage, known=_known_limits(done, ending)),
        ],
        usage=result.usage,
        effects=result.effects,
        judgments=[
            *(found for member in done.members for found in member.judgments),
            *result.judgments,
        ],
        outcomes={
            record_id: [verdict.status, verdict.detail, verdict.data]
            for record_id, verdict in ending.verdicts.items()
        },
        error=error,
        at=at,
    )


def _spans(done: Work, result: RunResult) -> list[dict[str, Any]]:
    """The run's spans, and before them how long its batch was judged."""
    if not done.judged_ms:
        return result.spans
    ms = round(done.judged_ms, 3)
    found = sum(len(member.judgments) for member in done.members)
    note = f"{found} finding{'s'[: found != 1]}" if found else "nothing found"
    judged = {
        "name": "judgment", "kind": "phase", "at_ms": -ms, "ms": ms, "ok": True, "parent": None, "note": note,
    }  # fmt: skip
    moved = [
        {**span, "parent": span["parent"] + 1} if isinstance(span.get("parent"), int) else span
        for span in result.spans
    ]
    return [judged, *moved]


def _known_limits(done: Work, ending: Ending) -> set[str]:
    """Limits of which a trace speaks anyway: the one that was exceeded, and the one a batch was sized to."""
    exceeded = {ending.error.limit} if ending.error else set()
    return exceeded | ({sizing.LIMIT} if done.note else set())


def _notes(done: Work, *, at: datetime) -> list[dict[str, Any]]:
    """What the platform has to say of the execution, before the script's own lines."""
    if not done.note:
        return []
    said_at = (done.started_at or at).isoformat()
    return [{"level": "info", "source": "governor", "message": done.note, "at": said_at, "line": ""}]


def _split(cursor: Any, lease: Lease, done: Work, ending: Ending, *, at: datetime) -> list[Work]:
    if not ending.parts:
        return []
    parts = [
        work.create(
            trigger=done.trigger,
            operation=done.operation,
            release=done.release,
            members=batch,
            at=at,
            parent=done,
        )
        for batch in ending.parts
    ]
    for part in parts:
        # A part of what was tried often enough, or cost enough workers, has one chance and no more.
        part.attempts = MOST_ATTEMPTS - 1 if ending.error and ending.error.is_retryable else 0
        part.losses = min(part.losses, MOST_LOSSES)
    work.store(
        cursor,
        parts,
        tenant_id=lease.tenant_id,
        lane_id=lease.lane_id,
        obj=lease.object,
        terms=[terms_of([member.record for member in part.members]) for part in parts],
    )
    return parts


def _end_events(cursor: Any, done: Work, ending: Ending, *, at: datetime) -> None:
    ended: list[past.EventEnd] = []
    others: list[tuple[int, dict[str, Verdict]]] = []
    for member in done.members:
        verdicts = {**member.verdicts, done.trigger: ending.verdicts[member.record_id]}
        if set(member.pending) <= {done.trigger}:
            ended.append(past.end_of(member.event_id, _masked(verdicts)))
        else:
            others.append((member.event_id, verdicts))
    past.move(cursor, ended, at=at)
    if others:
        said = [work.as_json({"outcomes": _masked(verdicts)}) for _, verdicts in others]
        cursor.execute(_STILL_PENDING, [done.trigger, [event_id for event_id, _ in others], said])


def _masked(verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """Reasons are the script's words: they may name people."""
    return {
        name: verdict._replace(detail=str(mask(verdict.detail))[:LONGEST_DETAIL], data=mask(verdict.data))
        if verdict.detail or verdict.data
        else verdict
        for name, verdict in verdicts.items()
    }
