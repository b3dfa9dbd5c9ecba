"""What a tenant lends to a new one: which triggers run, in which order, how they are set, its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.timezone import now

from governor.models import Override
from triggers.models import TriggerConfig

if TYPE_CHECKING:
    from tenants.models import Tenant


def copy_switches(source: Tenant, target: Tenant) -> int:
    """Copy the switches, not the pauses: these have a reason that is the source's own."""
    rows = [
        TriggerConfig(
            tenant=target,
            trigger=row.trigger,
            is_enabled=row.is_enabled,
            order=row.order,
            settings=row.settings,
        )
        for row in TriggerConfig.objects.filter(tenant=source).order_by("pk")
    ]
    return len(TriggerConfig.objects.bulk_create(rows))


def copy_overrides(source: Tenant, target: Tenant) -> int:
    """Copy limits and quotas that stand without an end: one for a while had a reason of the source's own."""
    at = now()
    rows = [
        Override(
            tenant=target,
            name=row.name,
            value=row.value,
            trigger=row.trigger,
            reason=f"From the template {source.slug}: {row.reason}"[:300],
            actor=row.actor,
            created_at=at,
        )
        for row in Override.objects.filter(tenant=source, ended_at=None, until=None).order_by("pk")
    ]
    return len(Override.objects.bulk_create(rows))
