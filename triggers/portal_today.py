"""What the portal's home tells of the tenant's day: leads scored, hot ones, what failed, what waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from governor.calendar import day_of, starts_at

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Tenant

MOST = 1_000  # executions looked at: the page costs the same for a busy tenant
MOST_WAITING = 10_000

_NEWEST = """
    SELECT id, code, created_at, mode, status, failed, is_test FROM (
        SELECT id, code, created_at, mode, status, failed,
               finished_at IS NOT NULL AND NOT is_counted AND parent_id IS NULL AS is_test
        FROM public.triggers_execution
        WHERE tenant_id = %(tenant)s ORDER BY id DESC LIMIT %(most)s
    ) newest WHERE created_at >= %(since)s
"""
_RAN = f"""
    SELECT count(*), coalesce(sum(failed) FILTER (WHERE status <> 'bisected' AND mode = 'live'), 0)
    FROM ({_NEWEST}) today
"""  # noqa: S608 — constants only
# Of what scores, only a test event's execution is not counted; nor is a half, of a batch that is.
# The scoring scripts log one line for each batch; what else says "scored" has no such figures.
_SCORED = f"""
    SELECT coalesce(sum((entry -> 'data' ->> 'leads')::numeric), 0),
           coalesce(sum((entry -> 'data' ->> 'hot')::numeric), 0)
    FROM ({_NEWEST}) today
    JOIN public.logs_trace trace ON trace.execution = today.code AND trace.started_at >= %(since)s
    CROSS JOIN LATERAL jsonb_array_elements(trace.entries) entry
    WHERE today.mode = 'live' AND NOT today.is_test AND entry ->> 'message' = 'scored'
        AND jsonb_typeof(entry -> 'data' -> 'leads') = 'number'
        AND jsonb_typeof(entry -> 'data' -> 'hot') = 'number'
"""  # noqa: S608 — constants only
_WAITING = """
    SELECT count(*) FROM (
        SELECT FROM public.triggers_liveevent WHERE tenant_id = %(tenant)s AND status = 'queued'
        LIMIT %(most_waiting)s
    ) waiting
"""


@dataclass(frozen=True, slots=True)
class Today:
    """The tenant's day so far. ``is_cut``: only its newest executions were looked at."""

    executions: int
    failed: int  # records
    scored: int
    hot: int
    waiting: int
    is_cut: bool
    is_waiting_cut: bool


def today(tenant: Tenant, *, at: datetime) -> Today:
    """Three queries of bounded cost."""
    since = starts_at(day_of(at, tenant.timezone), tenant.timezone)
    arguments = {"tenant": tenant.pk, "most": MOST, "since": since, "most_waiting": MOST_WAITING}
    with connection.cursor() as cursor:
        cursor.execute(_RAN, arguments)
        executions, failed = cursor.fetchone()
        cursor.execute(_SCORED, arguments)
        scored, hot = cursor.fetchone()
        cursor.execute(_WAITING, arguments)
        (waiting,) = cursor.fetchone()
    return Today(
        executions=executions,
        failed=failed,
        scored=int(scored),
        hot=int(hot),
        waiting=waiting,
        is_cut=executions >= MOST,
        is_waiting_cut=waiting >= MOST_WAITING,
    )
