"""What the tenant portal's home shows of executions and of the quota."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection
from django.utils.timezone import now

from governor import policy, usage
from governor.allowances import quantity
from governor.calendar import day_of
from governor.choices import Period
from governor.quotas import Quota
from governor.tenant_governor import resets_at
from tenants.portal import Figure
from tenants.scope import tenant_scope
from triggers import usage_words
from triggers.choices import ExecutionStatus
from triggers.models import Execution

if TYPE_CHECKING:
    from tenants.models import Tenant

PERIOD = timedelta(hours=24)
MOST = 1_000  # counted at most: the page costs the same for a busy tenant
_TROUBLE = {ExecutionStatus.FAILED, ExecutionStatus.PARTIAL}


def figures(tenant: Tenant) -> list[Figure]:
    """Executions of the last 24 hours, and how many of them failed."""
    since = now() - PERIOD
    with tenant_scope(tenant.pk):
        newest = Execution.objects.order_by("-id").values_list("created_at", "status")[: MOST + 1]
        statuses = [status for created_at, status in newest if created_at >= since]
    failed = sum(status in _TROUBLE for status in statuses[:MOST])
    more = "+" if len(statuses) > MOST else ""
    return [
        Figure("Executions in 24 hours", f"{min(len(statuses), MOST):,}{more}"),
        Figure("of them failed", f"{failed:,}{more}"),
    ]


def quota_figures(tenant: Tenant) -> list[Figure]:
    """The day's executions as a meter: three queries."""
    at = now()
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant.pk)
        day, _ = usage.read(cursor, tenant_id=tenant.pk, on=day_of(at, found.timezone))
    allowed = Quota.of(found).executions_per_day
    said = quantity("executions_per_day", allowed)
    percent = day.executions * 100 // allowed if allowed else 100
    resets = usage_words.moment(resets_at(Period.DAY, at, found.timezone), found.timezone, at=at)
    standing = usage_words.STANDINGS[usage_words.tone(percent)]
    return [
        Figure(
            "Executions today",
            f"{day.executions:,} of {said}" if said != "unlimited" else f"{day.executions:,}",
            share=min(100, percent),
            tone=usage_words.tone(percent),
            note=standing or f"Resets {resets}",
            page="portal-usage",
        )
    ]
