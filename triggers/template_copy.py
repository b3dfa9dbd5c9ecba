"""What a tenant lends to a new one of its triggers: which run, in which order, with which settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
