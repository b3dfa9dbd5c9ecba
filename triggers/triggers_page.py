"""The pages of triggers: all in their order, and one with its chart, its failures and its configurations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db import connection
from django.urls import reverse

from governor import policy
from governor.limits import LIMITS
from logs.vocabulary import duration, word
from triggers import effective, history, pausing, trigger_figures, trigger_rows
from triggers.choices import ExecutionStatus
from triggers.home import execution_row

if TYPE_CHECKING:
    from datetime import datetime

    from governor.policy import Policy
    from tenants.models import Tenant
    from triggers.trigger_rows import Row

MOST_FAILURES = 8
ERROR_RATE_GOAL = 0.001


def triggers_page(*, tenant: Tenant | None, at: datetime) -> dict[str, Any]:
    """All triggers as configured for the tenant, or for all: a fixed number of queries."""
    rows = trigger_rows.rows(tenant=tenant, at=at)
    rules = _policy(tenant)
    single = {} if tenant else trigger_rows.paused_for([row.spec.name for row in rows], at=at)
    shown = [_row(row, rules, tenant=tenant, paused_for=single.get(row.spec.name, 0)) for row in rows]
    return {"rows": shown, "paused": sum(row["status"] == "paused" for row in shown)}


def trigger_page(name: str, *, tenant: Tenant | None, at: datetime) -> dict[str, Any]:
    """One trigger. Raises ``UnknownTrigger``."""
    (row,) = trigger_rows.rows(tenant=tenant, at=at, name=name)
    hours = trigger_figures.chart(name, at=at)
    highest = max(hour.executions for hour in hours)
    failures = (
        history.executions()
        .filter(trigger=name, status__in=(ExecutionStatus.FAILED, ExecutionStatus.PARTIAL))
        .order_by("-pk")
    )
    if row.figures.failed == 0:
        # None in the last day: do not walk all that succeeded in search of one.
        failures = failures.none()
    return {
        "row": _row(row, _policy(tenant), tenant=tenant),
        "doc": row.spec.doc,
        "bars": [
            {
                "total": hour.executions,
                "failed": hour.failed,
                "ago": hour.ago,
                "height": round(hour.executions / highest * 100) if highest else 0,
                "failed_share": round(hour.failed / hour.executions * 100) if hour.executions else 0,
            }
            for hour in hours
        ],
        "charted": sum(hour.executions for hour in hours),
        "is_chart_cut": sum(hour.executions for hour in hours) >= trigger_figures.MOST_CHARTED,
        "failures": [execution_row(execution) for execution in failures[:MOST_FAILURES]],
        "configs": [
            {
                "config": config,
                "tenant": config.tenant,
                "word": word("closed" if not config.is_enabled else "paused" if pause else "active"),
                "is_off": not config.is_enabled,
                "pause": pause,
            }
            for config, pause in trigger_rows.configs(name, at=at)
        ],
        "until_resumed": pausing.UNTIL_RESUMED,
    }


def _policy(tenant: Tenant | None) -> Policy:
    with connection.cursor() as cursor:
        return policy.load(cursor, tenant.pk) if tenant else policy.of_scope(cursor)


def _row(row: Row, rules: Policy, *, tenant: Tenant | None, paused_for: int = 0) -> dict[str, Any]:
    spec, seen = row.spec, row.figures
    query = {"trigger": spec.name, **({"tenant__id__exact": tenant.pk} if tenant else {})}
    executions = reverse("admin:triggers_execution_changelist")
    limits = rules.limits(spec.name, declared=spec.limits)
    return {
        "name": spec.name,
        "object": spec.object,
        "events": " ".join(spec.events),
        "order": row.order,
        "batch_size": spec.batch_size,
        "status": row.status,
        "word": word("closed" if row.status == "off" else row.status),
        "is_off": row.status == "off",
        "pause": row.pause if row.is_enabled else None,
        "paused_for": paused_for,
        "day": f"{seen.day:,}{'+' if seen.is_cut else ''}",
        "hour": f"{seen.hour:,}{'+' if seen.is_cut and seen.hour >= seen.day else ''}",
        "p50": duration(seen.p50_ms),
        "p95": duration(seen.p95_ms),
        "rate": f"{seen.error_rate:.1%}" if seen.finished else "–",
        "is_bad": seen.error_rate > ERROR_RATE_GOAL,
        "failed": seen.failed,
        "calls": "–" if seen.calls_per_record is None else f"{seen.calls_per_record:.2g}",
        "waits": row.waiting.events,
        "sentence": row.sentence,
        "limits": [
            {
                "label": LIMITS[name].label,
                "value": effective.told(name, limit.value),
                "sentence": limit.sentence,
            }
            for name, limit in limits.items()
            if limit.value != LIMITS[name].default
        ],
        "executions": f"{executions}?{urlencode(query)}",
        "failures": f"{executions}?{urlencode({**query, 'status': 'failed,partial'})}",
        "file": spec.file,
        "line": spec.line,
        "cron": spec.cron,
        "release": row.release,
    }
