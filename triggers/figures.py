"""Figures of the last hour, bounded in cost however many executions there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from datetime import datetime

HOUR = timedelta(hours=1)
BUCKETS = 30  # of two minutes
# An index walk over the newest rows; beyond so many an hour the figures are of the newest ones, and say so.
MOST_EXECUTIONS = 20_000
MOST_WAITING = 10_000
P95_GOAL_MS = 5_000  # the service's goals for scoring contacts
SLOW_MS = 10_000

_RECENT = """
    SELECT trigger, status, with_errors, size, ok, failed, wall_ms, created_at FROM (
        SELECT trigger, status, with_errors, size, ok, failed, wall_ms, created_at
        FROM public.triggers_execution
        WHERE %(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s
        ORDER BY id DESC LIMIT %(most)s
    ) newest WHERE created_at >= %(since)s
"""
_BY_TRIGGER = f"""
    SELECT trigger, count(*), count(*) FILTER (WHERE status IN ('failed', 'partial')),
           coalesce(sum(size), 0), max(wall_ms)
    FROM ({_RECENT}) recent GROUP BY trigger
"""  # noqa: S608 — constants only
_BY_TIME = f"""
    SELECT width_bucket(extract(epoch FROM created_at), extract(epoch FROM %(since)s::timestamptz),
                        extract(epoch FROM %(at)s::timestamptz) + 1, %(buckets)s) AS bucket,
           count(*), count(*) FILTER (WHERE status IN ('failed', 'partial')),
           coalesce(sum(ok) FILTER (WHERE status <> 'bisected'), 0),
           coalesce(sum(failed) FILTER (WHERE status <> 'bisected'), 0)
    FROM ({_RECENT}) recent GROUP BY bucket
"""  # noqa: S608 — constants only
_LATENCY = f"""
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY wall_ms),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY wall_ms), count(*) FILTER (WHERE wall_ms > %(slow)s)
    FROM ({_RECENT}) recent WHERE wall_ms IS NOT NULL
"""  # noqa: S608 — constants only
_WAITING = """
    SELECT count(*), min(received_at) FROM (
        SELECT received_at FROM public.triggers_liveevent
        WHERE %(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s ORDER BY id LIMIT %(most)s
    ) live
"""


@dataclass(frozen=True)
class Figures:
    """One trigger's last hour."""

    executions: int = 0
    failed: int = 0  # of the executions, partly failed ones included
    records: int = 0
    slowest_ms: int | None = None

    @property
    def error_rate(self) -> float:
        return self.failed / self.executions if self.executions else 0.0


@dataclass(frozen=True)
class Overview:
    """The last hour of all triggers in scope, and what waits now."""

    executions: int
    failed: int
    records_ok: int
    records_failed: int
    waiting: int
    is_waiting_cut: bool  # there are more than were counted
    oldest_waiting_at: datetime | None
    # Executions and failed ones in each of the BUCKETS, oldest first.
    buckets: list[tuple[int, int]] = field(default_factory=list)
    by_trigger: dict[str, Figures] = field(default_factory=dict)

    @property
    def error_rate(self) -> float:
        return self.failed / self.executions if self.executions else 0.0


def by_trigger(at: datetime) -> dict[str, Figures]:
    """The last hour's figures of each trigger that ran, for the tenant in scope or for all."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_TRIGGER, _arguments(at))
        return {name: Figures(*rest) for name, *rest in cursor.fetchall()}


def overview(at: datetime) -> Overview:
    """The last hour at a glance: three queries."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_TIME, {**_arguments(at), "buckets": BUCKETS})
        buckets = [(0, 0)] * BUCKETS
        totals = [0, 0, 0, 0]
        for bucket, *figures in cursor.fetchall():
            place = min(max(bucket, 1), BUCKETS) - 1
            buckets[place] = (buckets[place][0] + figures[0], buckets[place][1] + figures[1])
            totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
        cursor.execute(_WAITING, {**_arguments(at), "most": MOST_WAITING})
        waiting, oldest = cursor.fetchone()
    return Overview(
        executions=totals[0],
        failed=totals[1],
        records_ok=totals[2],
        records_failed=totals[3],
        waiting=waiting,
        is_waiting_cut=waiting >= MOST_WAITING,
        oldest_waiting_at=oldest,
        buckets=buckets,
        by_trigger=by_trigger(at),
    )


@dataclass(frozen=True)
class Latency:
    """How long the last hour's executions took, in milliseconds; None when none has ended."""

    p50: float | None
    p95: float | None
    slow: int  # took longer than SLOW_MS


def latency(at: datetime) -> Latency:
    """The last hour's times of execution: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_LATENCY, {**_arguments(at), "slow": SLOW_MS})
        return Latency(*cursor.fetchone())


def _arguments(at: datetime) -> dict[str, Any]:
    return {"tenant": current_tenant_id(), "since": at - HOUR, "at": at, "most": MOST_EXECUTIONS}
