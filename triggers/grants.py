"""Grants: what waits for a quota runs now, with just enough more of it until the quota starts anew."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction

from governor import overrides, usage
from governor.calendar import day_of
from governor.choices import Period
from governor.models import Override
from governor.policy import load
from governor.quotas import PARKED, Quota
from governor.tenant_governor import resets_at
from tenants import audit
from tenants.errors import CodedError
from triggers import bells, claim, outbox_lanes, parking
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from governor.policy import Policy
    from governor.quotas import Counters
    from tenants.models import Tenant

MOST_EVENTS = 20_000  # looked at; beyond, the estimate goes on in proportion
_PERIODS = {
    "executions": (Period.DAY, Period.MONTH),
    "api_calls": (Period.DAY, Period.MONTH),
    "ai_tokens": (Period.DAY,),
}
_WAITING = """
SELECT lane.id, lane.object, e.id, e.operation, e.record_id, octet_length(e.body)
FROM public.triggers_lane lane JOIN public.triggers_liveevent e ON e.lane_id = lane.id AND e.status = 'queued'
WHERE lane.tenant_id = %s AND lane.parked_reason = %s ORDER BY lane.id, e.id LIMIT %s
"""
_COUNT = """
SELECT count(*) FROM public.triggers_lane lane
JOIN public.triggers_liveevent e ON e.lane_id = lane.id AND e.status = 'queued'
WHERE lane.tenant_id = %s AND lane.parked_reason = %s
"""
_OPEN = """
SELECT least_calls, least_tokens FROM public.governor_parking WHERE tenant_id = %s AND ended_at IS NULL
"""
_WRITES = """
SELECT count(*) FROM (
    SELECT FROM public.triggers_outboxlane lane
    JOIN public.triggers_outboxwrite w ON w.connection_id = lane.connection_id AND w.status = 'pending'
    WHERE lane.tenant_id = %s AND lane.waits_for_quota LIMIT %s
) waiting
"""


class NothingWaits(CodedError):
    """No event or write of the tenant waits for its quota."""

    code = "governor.nothing-waits"
    status = 409


class InTheWay(CodedError):
    """A lasting override would end with the grant."""

    code = "governor.override-in-the-way"
    status = 409


class Enough(NamedTuple):
    """What waits, and an estimate of what it takes to run it."""

    events: int
    writes: int
    executions: int
    api_calls: int
    ai_tokens: int


class Released(NamedTuple):
    """What a grant set going."""

    lanes: int
    writes: bool  # to CRMs


def enough(cursor: Any, *, tenant_id: int, at: datetime) -> Enough:
    """How much would let all that waits run: batches as they would be claimed, calls as they were used."""
    cursor.execute(_WAITING, [tenant_id, PARKED, MOST_EVENTS])
    rows = cursor.fetchall()
    executions = events = len(rows)
    if rows:
        executions = sum(_executions(rows))
    if events == MOST_EVENTS:
        cursor.execute(_COUNT, [tenant_id, PARKED])
        (events,) = cursor.fetchone()
        executions = -(-executions * events // MOST_EVENTS)
    cursor.execute(_WRITES, [tenant_id, MOST_EVENTS])
    (writes,) = cursor.fetchone()
    cursor.execute(_OPEN, [tenant_id])
    least_calls, least_tokens = cursor.fetchone() or (0, 0)
    policy = load(cursor, tenant_id)
    _, month = usage.read(cursor, tenant_id=tenant_id, on=day_of(at, policy.timezone))
    calls = executions * _each(month.api_calls, month.executions, policy.limits()["api_calls"].value)
    tokens = executions * _each(month.ai_tokens, month.executions, 0)
    return Enough(
        events=events,
        writes=writes,
        executions=executions,
        api_calls=max(calls, least_calls) + writes,
        ai_tokens=max(tokens, least_tokens) if least_tokens else 0,
    )


def grant(
    *,
    tenant: Tenant,
    executions: int,
    api_calls: int,
    ai_tokens: int = 0,
    reason: str,
    actor: str,
    at: datetime,
) -> Released:
    """Give the tenant so much more until its quotas start anew, and open its lanes.

    Raises ``NothingWaits``, ``InTheWay`` or ``BadOverride``; then nothing has changed.
    """
    granted = {"executions": executions, "api_calls": api_calls, "ai_tokens": ai_tokens}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OPEN, [tenant.pk])
        is_parked = cursor.fetchone() is not None
        had_writes = writes_wait(cursor, tenant_id=tenant.pk)
        if not is_parked and not had_writes:
            raise NothingWaits(f"Nothing of {tenant.name} waits for its quota any more.")
        policy = load(cursor, tenant.pk)
        day, month = usage.read(cursor, tenant_id=tenant.pk, on=day_of(at, policy.timezone))
        for name, value, until in _needed(policy, day, month, granted, at=at):
            _check_free(tenant, name, until=until, at=at)
            overrides.put(
                name=name, value=value, reason=reason, actor=actor, tenant=tenant, until=until, at=at
            )
        audit.record(
            actor=actor,
            verb="let run what waited of",
            target=f"tenant {tenant.slug}",
            tenant=tenant,
            data={**granted, "reason": reason.strip()},
            at=at,
        )
        opened = parking.release(tenant_id=tenant.pk, actor=actor, at=at)
        outbox_lanes.review(at=at)
        sends = had_writes and not writes_wait(cursor, tenant_id=tenant.pk)
        transaction.on_commit(partial(bells.ring, opened))
    return Released(len(opened), sends)


def writes_wait(cursor: Any, *, tenant_id: int) -> bool:
    """Whether writes to a CRM wait for the tenant's quota."""
    cursor.execute(_WRITES, [tenant_id, 1])
    return bool(cursor.fetchone()[0])


def _needed(
    policy: Policy, day: Counters, month: Counters, granted: dict[str, int], *, at: datetime
) -> Iterator[tuple[str, int, datetime]]:
    """The overrides that make room for what is granted, where there is none."""
    quota = Quota.of(policy)
    for resource, more in granted.items():
        for period in _PERIODS[resource]:
            counters = day if period == Period.DAY else month
            value = getattr(counters, resource) + counters.held(resource) + more
            if more > 0 and value > quota.allowed(resource, period):
                word = "day" if period == Period.DAY else "month"
                yield f"{resource}_per_{word}", value, resets_at(period, at, policy.timezone)


def _check_free(tenant: Tenant, name: str, *, until: datetime, at: datetime) -> None:
    """A new override ends the one before, which would not come back when the grant lapses."""
    lasting = Override.objects.filter(tenant=tenant, trigger="", name=name, ended_at=None).exclude(
        until__lte=until
    )
    found = lasting.first()
    if found is not None:
        raise InTheWay(
            f"{found.actor} set {name} of {tenant.slug} to {found.value:,}"
            f"{f' until {found.until:%-d %b %Y}' if found.until else ' without an end'}; a grant ends that."
            " Set a new value for it instead: what waits then runs within a minute."
        )


def _executions(rows: Iterable[tuple[Any, ...]]) -> Iterator[int]:
    """How many executions each batch comes to, claimed as ``claim`` does."""
    by_lane: dict[tuple[int, str], list[tuple[int, str, str, int]]] = {}
    for lane_id, obj, *event in rows:
        by_lane.setdefault((lane_id, obj), []).append((event[0], event[1], event[2], event[3]))
    scripts = registry()
    for (_, obj), waiting in by_lane.items():
        left = waiting
        while left:
            window, operation = left[: claim.WINDOW], left[0][1]
            wanted = scripts.for_event(obj, operation)
            most = min([claim.MOST, *(spec.batch_size for spec in wanted)])
            chosen = set(claim.choose(window, operation, most))
            left = [event for event in window if event[0] not in chosen] + left[claim.WINDOW :]
            yield len(wanted)


def _each(used: int, executions: int, otherwise: int) -> int:
    """What one execution used on average, rounded up."""
    return -(-used // executions) if executions else otherwise
