"""The registered triggers in their order: how each is configured, how it does, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q

from triggers import paused_waiting, pausing, trigger_figures
from triggers.models import TriggerConfig
from triggers.paused_waiting import Waiting
from triggers.registry import registry
from triggers.trigger_figures import Figures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tenants.models import Tenant
    from triggers.pausing import Pause
    from triggers.registry import TriggerSpec

MOST_CONFIGS = 200  # tenants with a configuration of their own, of one trigger


@dataclass(frozen=True, slots=True)
class Row:
    """One trigger as lists show it, for a tenant or for all."""

    spec: TriggerSpec
    release: str
    order: int
    is_enabled: bool
    pause: Pause | None
    figures: Figures
    waiting: Waiting

    @property
    def status(self) -> str:
        if not self.is_enabled:
            return "off"
        return "paused" if self.pause else "active"

    @property
    def sentence(self) -> str:
        """What waits for it, and how long that takes once it is resumed."""
        return self.waiting.sentence(self.figures)

    @property
    def document(self) -> dict[str, Any]:
        """The row as the REST API tells it."""
        seen = self.figures
        return {
            "name": self.spec.name,
            "object": self.spec.object,
            "events": list(self.spec.events),
            "order": self.order,
            "batch_size": self.spec.batch_size,
            "status": self.status,
            "pause_reason": self.pause.reason if self.pause and self.is_enabled else "",
            "paused_until": self.pause.until if self.pause and self.is_enabled else None,
            "limits": dict(self.spec.limits),
            "release": self.release,
            "last_hour": {
                "executions": seen.hour,
                "failed": seen.failed_in_hour,
                "records": seen.records_in_hour,
                "slowest_ms": seen.slowest_in_hour_ms,
            },
            "p50_ms": seen.p50_ms,
            "p95_ms": seen.p95_ms,
            "error_rate": round(seen.error_rate, 6),
            "calls_per_record": seen.calls_per_record,
            "waiting": self.waiting.events,
        }


def rows(*, tenant: Tenant | None, at: datetime, name: str = "") -> list[Row]:
    """Every registered trigger (or the named one) in its order: three queries.

    Figures and what waits are of the tenant in scope, or of all. Raises ``UnknownTrigger``.
    """
    current = registry()
    specs: Sequence[TriggerSpec] = (current.get(name),) if name else current.triggers
    named = TriggerConfig.objects.filter(Q(tenant=None) | Q(tenant=tenant))
    if name:
        named = named.filter(trigger=name)
    of_all: dict[str, TriggerConfig] = {}
    own: dict[str, TriggerConfig] = {}
    for config in named:
        (of_all if config.tenant_id is None else own)[config.trigger] = config
    seen = trigger_figures.of([spec.name for spec in specs], at=at)
    waiting = paused_waiting.of(spec.name for spec in specs)
    found = []
    for spec in specs:
        general, special = of_all.get(spec.name), own.get(spec.name)
        rules = special or general
        orders = [config.order for config in (special, general) if config and config.order is not None]
        found.append(
            Row(
                spec=spec,
                release=current.release,
                order=orders[0] if orders else spec.order,
                is_enabled=rules is None or rules.is_enabled,
                pause=pausing.longest(*(pausing.pause_of(config, at=at) for config in (general, special))),
                figures=seen.get(spec.name, Figures()),
                waiting=waiting.get(spec.name, Waiting()),
            )
        )
    return sorted(found, key=lambda row: (row.order, row.spec.name))


def configs(name: str, *, at: datetime) -> list[tuple[TriggerConfig, Pause | None]]:
    """The tenants with a configuration of their own, and the one for all first, each with its pause."""
    found = (
        TriggerConfig.objects.filter(trigger=name)
        .select_related("tenant")
        .order_by(F("tenant__slug").asc(nulls_first=True))[:MOST_CONFIGS]
    )
    return [(config, pausing.pause_of(config, at=at)) for config in found]


def paused_for(names: Sequence[str], *, at: datetime) -> dict[str, int]:
    """How many single tenants each trigger is paused for."""
    found: dict[str, int] = {}
    rows = TriggerConfig.objects.filter(trigger__in=names, tenant__isnull=False, paused_until__gt=at)
    for trigger in rows.values_list("trigger", flat=True)[:10_000]:
        found[trigger] = found.get(trigger, 0) + 1
    return found
