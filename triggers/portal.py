"""What the tenant portal's home shows of executions."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.timezone import now

from tenants.portal import Figure
from tenants.scope import tenant_scope
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
