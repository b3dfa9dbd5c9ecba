"""Reconciling: the counters of usage against the ledger, the executions and what is really running."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection, transaction

if TYPE_CHECKING:
    from datetime import date

logger = logging.getLogger(__name__)

# Usage rows with what they should say. A month's row is the sum of its days.
_DIFFERENCES = """
WITH ledger AS (
    SELECT tenant_id, period, starts_on, sum(executions) AS executions, sum(api_calls) AS api_calls,
           sum(ai_tokens) AS ai_tokens, sum(ai_cost_micros) AS ai_cost_micros
    FROM (SELECT *, 'd' AS period, "on" AS starts_on FROM public.governor_charged
          UNION ALL
          SELECT *, 'm', date_trunc('month', "on")::date FROM public.governor_charged) charged
    WHERE starts_on >= %(since)s AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s)
    GROUP BY tenant_id, period, starts_on
),
held AS (
    SELECT tenant_id, period, starts_on, sum(held_executions) AS executions, sum(held_calls) AS calls,
           sum(held_tokens) AS tokens
    FROM (SELECT tenant_id, held_executions, held_calls, held_tokens, 'd' AS period, held_on AS starts_on
          FROM public.triggers_execution WHERE held_on IS NOT NULL AND status IN ('queued', 'running')
          UNION ALL
          SELECT tenant_id, held_executions, held_calls, held_tokens, 'm', date_trunc('month', held_on)::date
          FROM public.triggers_execution
          WHERE held_on IS NOT NULL AND status IN ('queued', 'running')) holding
    GROUP BY tenant_id, period, starts_on
)
SELECT usage.id, usage.tenant_id, usage.period, usage.starts_on, field.name, field.counted, field.real
FROM public.governor_usage usage
LEFT JOIN ledger USING (tenant_id, period, starts_on)
LEFT JOIN held USING (tenant_id, period, starts_on)
CROSS JOIN LATERAL (VALUES
    ('executions', usage.executions, coalesce(ledger.executions, 0)),
    ('api_calls', usage.api_calls, coalesce(ledger.api_calls, 0)),
    ('ai_tokens', usage.ai_tokens, coalesce(ledger.ai_tokens, 0)),
    ('ai_cost_micros', usage.ai_cost_micros, coalesce(ledger.ai_cost_micros, 0)),
    ('held_executions', usage.held_executions, coalesce(held.executions, 0)),
    ('held_calls', usage.held_calls, coalesce(held.calls, 0)),
    ('held_tokens', usage.held_tokens, coalesce(held.tokens, 0))
) AS field (name, counted, real)
WHERE usage.starts_on >= %(since)s AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s)
  AND field.counted <> field.real
ORDER BY usage.tenant_id, usage.starts_on, usage.period, field.name
"""
# As ``governor.usage`` does: months first.
_LOCK = """
SELECT FROM public.governor_usage WHERE tenant_id = %s AND starts_on >= %s
ORDER BY period DESC, starts_on FOR UPDATE
"""
# An execution is in the ledger once when it was counted, and never when it was not.
_UNCHARGED = """
SELECT execution.code FROM public.triggers_execution execution
LEFT JOIN public.governor_charged charged
    ON charged.execution = execution.code AND charged.executions > 0
    AND charged.tenant_id = execution.tenant_id AND charged."on" >= %(since)s::date - 1
WHERE execution.created_at >= %(since)s
GROUP BY execution.id, execution.code, execution.is_counted
HAVING coalesce(sum(charged.executions), 0) <> execution.is_counted::int
ORDER BY execution.code LIMIT 100
"""
_FIELDS = frozenset(
    {"executions", "api_calls", "ai_tokens", "ai_cost_micros", "held_executions", "held_calls", "held_tokens"}
)


class Difference(NamedTuple):
    """A counter that does not say what the ledger, or the running executions, say."""

    usage_id: int
    tenant_id: int
    period: str
    starts_on: date
    field: str
    counted: int
    real: int


def differences(cursor: Any, *, since: date, tenant_id: int | None = None) -> list[Difference]:
    """Where counters of days and months that began since then are wrong; empty when all is well.

    One statement sees one moment, and a charge is one transaction: nothing need be locked to look.
    """
    cursor.execute(_DIFFERENCES, {"since": since, "tenant": tenant_id})
    return [Difference(*row) for row in cursor.fetchall()]


def uncharged(cursor: Any, *, since: date) -> list[str]:
    """Executions whose mark and ledger disagree."""
    cursor.execute(_UNCHARGED, {"since": since})
    return [str(code) for (code,) in cursor.fetchall()]


def mend(*, since: date) -> list[Difference]:
    """Set wrong counters to what the ledger says, loudly. Returns what was wrong."""
    with connection.cursor() as cursor:
        tenants = sorted({each.tenant_id for each in differences(cursor, since=since)})
    wrong = [each for tenant_id in tenants for each in _mend(tenant_id, since=since)]
    for each in wrong:
        logger.error(
            "Usage of tenant %s, %s %s: %s was %s, the ledger says %s; mended.",
            *(each.tenant_id, each.period, each.starts_on, each.field, each.counted, each.real),
        )
    return wrong


def _mend(tenant_id: int, *, since: date) -> list[Difference]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Nothing of this tenant is charged between looking and mending.
        cursor.execute(_LOCK, [tenant_id, since])
        wrong = differences(cursor, since=since, tenant_id=tenant_id)
        for each in wrong:
            assert each.field in _FIELDS
            cursor.execute(
                f"UPDATE public.governor_usage SET {each.field} = %s WHERE id = %s",  # noqa: S608
                [each.real, each.usage_id],
            )
    return wrong
