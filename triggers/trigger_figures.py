"""How each trigger does: its newest executions of the last day, read by an index however many there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST = 3_000  # executions of one trigger; beyond, figures are of the newest ones, and say so
MOST_CHARTED = 20_000  # of the one trigger that has a page
HOURS = 24

_NEWEST = """
SELECT status, wall_ms, size, created_at, parent_id,
       CASE WHEN jsonb_typeof(usage -> 'api_calls' -> 0) = 'number'
            THEN (usage -> 'api_calls' ->> 0)::numeric END AS calls
FROM public.triggers_execution
WHERE trigger = name AND mode = 'live' AND {whose} ORDER BY id DESC LIMIT %(most)s
"""
_FIGURES = """
SELECT name, count(*), count(*) FILTER (WHERE created_at >= %(hour)s),
       count(*) FILTER (WHERE status <> 'bisected' AND wall_ms IS NOT NULL),
       count(*) FILTER (WHERE status IN ('failed', 'partial')),
       count(*) FILTER (WHERE status IN ('failed', 'partial') AND created_at >= %(hour)s),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms) FILTER (WHERE status <> 'bisected'),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY wall_ms) FILTER (WHERE status <> 'bisected'),
       avg(wall_ms)::float8, coalesce(avg(size) FILTER (WHERE parent_id IS NULL), 1)::float8,
       sum(calls)::float8 / nullif(sum(size) FILTER (WHERE calls IS NOT NULL), 0),
       coalesce(sum(size) FILTER (WHERE created_at >= %(hour)s), 0)::int,
       max(wall_ms) FILTER (WHERE created_at >= %(hour)s)
FROM unnest(%(names)s::varchar[]) AS name CROSS JOIN LATERAL ({newest}) newest
WHERE created_at >= %(day)s GROUP BY name
"""
_CHART = """
SELECT floor(extract(epoch FROM %(at)s - created_at) / 3600)::int AS ago, count(*),
       count(*) FILTER (WHERE status IN ('failed', 'partial'))
FROM (SELECT %(name)s::varchar AS name) one CROSS JOIN LATERAL ({newest}) newest
WHERE created_at > %(day)s GROUP BY ago
"""
_WHOSE = {True: "tenant_id = %(tenant)s", False: "true"}


@dataclass(frozen=True, slots=True)
class Figures:
    """One trigger's last day."""

    day: int = 0  # executions
    hour: int = 0
    finished: int = 0
    failed: int = 0  # of the day's, partly failed ones included
    failed_in_hour: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    mean_ms: float | None = None
    batch: float = 1.0  # records of an execution
    calls_per_record: float | None = None
    records_in_hour: int = 0
    slowest_in_hour_ms: int | None = None

    @property
    def is_cut(self) -> bool:
        """There were more in the day than were read."""
        return self.day >= MOST

    @property
    def error_rate(self) -> float:
        return self.failed / self.finished if self.finished else 0.0


@dataclass(frozen=True, slots=True)
class Hour:
    """One bar of the chart."""

    ago: int
    executions: int
    failed: int


def of(names: Iterable[str], *, at: datetime) -> dict[str, Figures]:
    """The figures of these triggers, for the tenant in scope or for all: one query."""
    arguments = {**_arguments(at), "names": list(names), "most": MOST}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES.format(newest=_newest()), arguments)
        return {name: Figures(*counts) for name, *counts in cursor.fetchall()}


def chart(name: str, *, at: datetime) -> list[Hour]:
    """A trigger's executions in each of the last 24 hours, oldest first, of the newest twenty thousand."""
    with connection.cursor() as cursor:
        arguments = {**_arguments(at), "name": name, "most": MOST_CHARTED}
        cursor.execute(_CHART.format(newest=_newest()), arguments)
        found = {ago: (executions, failed) for ago, executions, failed in cursor.fetchall()}
    return [Hour(ago, *found.get(ago, (0, 0))) for ago in reversed(range(HOURS))]


def _newest() -> str:
    return _NEWEST.format(whose=_WHOSE[current_tenant_id() is not None])


def _arguments(at: datetime) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "at": at, "hour": at - HOUR, "day": at - DAY}
