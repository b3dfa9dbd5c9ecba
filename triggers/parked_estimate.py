"""Parked events: how many wait for their tenant's quota, and when they will have run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from django.db import connection

from governor.calendar import day_of, month_of, next_day, starts_at
from governor.quotas import PARKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from governor.quotas import Counters, Quota

MOST_COUNTED = 10_000  # events of one lane
FULL_BATCH = 200
LOOK_BACK = timedelta(days=7)
MOST_EXECUTIONS = 1_000  # looked back over
MOST_DAYS = 366  # looked ahead

_WAITING = """
SELECT lane.object, waiting.operation, count(*), min(waiting.received_at), max(waiting.place)
FROM public.triggers_lane lane
CROSS JOIN LATERAL (
    SELECT operation, received_at, row_number() OVER (ORDER BY id) AS place FROM public.triggers_liveevent
    WHERE lane_id = lane.id AND status = 'queued' ORDER BY id LIMIT %s
) waiting
WHERE lane.tenant_id = %s AND lane.parked_reason = %s
GROUP BY lane.object, waiting.operation ORDER BY min(waiting.received_at)
"""
_FIRST = """
SELECT waiting.object, waiting.operation, waiting.record_id, waiting.received_at
FROM public.triggers_lane lane
CROSS JOIN LATERAL (
    SELECT id, object, operation, record_id, received_at FROM public.triggers_liveevent
    WHERE lane_id = lane.id AND status = 'queued' ORDER BY id LIMIT %s
) waiting
WHERE lane.tenant_id = %s AND lane.parked_reason = %s
ORDER BY waiting.id LIMIT %s
"""
# An execution counts once, so halves are left out; so are dry runs.
_TYPICAL = """
SELECT object, operation, count(DISTINCT trigger), avg(size), coalesce(avg(calls), 0),
       coalesce(avg(wall_ms), 0)
FROM (
    SELECT object, operation, trigger, size, wall_ms, created_at, parent_id, mode,
           CASE WHEN jsonb_typeof(usage -> 'api_calls' -> 0) = 'number'
                THEN (usage -> 'api_calls' ->> 0)::numeric END AS calls
    FROM public.triggers_execution WHERE tenant_id = %s ORDER BY id DESC LIMIT %s
) newest
WHERE created_at >= %s AND parent_id IS NULL AND mode = 'live'
GROUP BY object, operation
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Parked events of one object and operation. ``is_cut``: there are more than were counted."""

    object: str
    operation: str
    events: int
    oldest_at: datetime
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Typical:
    """How executions of one object and operation went lately. The defaults are of one that never ran."""

    triggers: int = 1
    batch: float = 1.0
    calls: float = 0.0
    wall_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """What it takes to run what waits. ``at_best`` is with full batches, which waiting events make likely."""

    executions: int = 0
    at_best: int = 0
    calls: float = 0.0
    wall_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Run:
    """How many of the executions run on one day of the tenant."""

    on: date
    executions: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """When what waits will have run, if nothing else comes. None: not within a year."""

    executions: int
    at_best: int
    runs: tuple[Run, ...]
    done_at: datetime | None


def waiting(tenant_id: int) -> list[Waiting]:
    """The tenant's parked events by object and operation, the longest waiting first: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [MOST_COUNTED, tenant_id, PARKED])
        rows: list[tuple[str, str, int, datetime, int]] = cursor.fetchall()
    return [
        Waiting(name, operation, events, oldest_at, is_cut=place >= MOST_COUNTED)
        for name, operation, events, oldest_at, place in rows
    ]


def first_in_line(tenant_id: int, *, most: int) -> list[tuple[str, str, str, datetime]]:
    """Object, operation, record and arrival of the events that run first: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, [most, tenant_id, PARKED, most])
        return list(cursor.fetchall())


def typical(tenant_id: int, *, at: datetime) -> dict[tuple[str, str], Typical]:
    """How the tenant's executions of the last days went: one query over the newest thousand."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPICAL, [tenant_id, MOST_EXECUTIONS, at - LOOK_BACK])
        return {
            (name, operation): Typical(triggers, *(float(figure) for figure in figures))
            for name, operation, triggers, *figures in cursor.fetchall()
        }


def need(found: Iterable[Waiting], went: dict[tuple[str, str], Typical]) -> Need:
    """The executions that waiting events come to, in batches as they lately were."""
    total = Need()
    for each in found:
        seen = went.get((each.object, each.operation), Typical())
        executions = ceil(each.events / max(1.0, seen.batch)) * seen.triggers
        total = Need(
            executions=total.executions + executions,
            at_best=total.at_best + ceil(each.events / FULL_BATCH) * seen.triggers,
            calls=total.calls + executions * seen.calls,
            wall_ms=total.wall_ms + executions * seen.wall_ms,
        )
    return total


def estimate(
    wanted: Need,
    *,
    quota: Quota,
    day: Counters,
    month: Counters,
    lanes: int,
    timezone: str,
    begins_at: datetime,
    at: datetime,
) -> Estimate:
    """On which days the executions run, from ``begins_at`` on, at most as many a day as the quota lets.

    ``day`` and ``month`` are what is used of the periods that hold ``at``. Pure.
    """
    begins_at = max(begins_at, at)
    runs: list[Run] = []
    left = wanted.executions
    done_at: datetime | None = begins_at
    for on, room in _days(wanted, quota, day, month, timezone=timezone, begins_at=begins_at, at=at):
        if left <= 0:
            break
        today = min(left, room)
        if today:
            runs.append(Run(on, today))
            left -= today
            started = max(begins_at, starts_at(on, timezone))
            each_ms = wanted.wall_ms / wanted.executions / max(1, lanes)
            done_at = started + timedelta(milliseconds=each_ms * today)
    return Estimate(wanted.executions, wanted.at_best, tuple(runs), done_at if left <= 0 else None)


def _days(
    wanted: Need,
    quota: Quota,
    day: Counters,
    month: Counters,
    *,
    timezone: str,
    begins_at: datetime,
    at: datetime,
) -> Iterator[tuple[date, int]]:
    """Days from ``begins_at`` on, each with how many executions its quota and its month's let start."""
    each_calls = wanted.calls / wanted.executions if wanted.executions else 0.0
    on, today = day_of(begins_at, timezone), day_of(at, timezone)
    of_month, used = month_of(today), month
    for _ in range(MOST_DAYS):
        if month_of(on) != of_month:
            of_month, used = month_of(on), replace(used, executions=0, api_calls=0)
        taken = day if on == today else replace(day, executions=0, api_calls=0)
        rooms: list[float] = [
            quota.executions_per_day - taken.executions,
            quota.executions_per_month - used.executions,
        ]
        if each_calls:
            rooms += [
                (quota.api_calls_per_day - taken.api_calls) / each_calls,
                (quota.api_calls_per_month - used.api_calls) / each_calls,
            ]
        room = max(0, int(min(rooms)))
        yield on, room
        calls = round(room * each_calls)
        used = replace(used, executions=used.executions + room, api_calls=used.api_calls + calls)
        on = next_day(on)
