"""Lanes that are held: why, how many events wait in each, until when, and what would let them go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection, transaction

from governor import hosts
from governor.models import HostState
from governor.quotas import PARKED as QUOTA
from tenants import audit
from tenants.errors import CodedError
from tenants.scope import tenant_scope
from triggers import outage
from triggers.models import Lane

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Tenant

MOST_LANES = 100
MOST_COUNTED = 1_000  # events of one lane
TENANT = "tenant"  # not a reason of the lane: its tenant is not active

_HELD = """
WITH held AS (
    (SELECT id, tenant_id, object, kind, parked_reason AS reason, parked_until AS until
     FROM public.triggers_lane WHERE parked_reason <> '' ORDER BY id DESC LIMIT %(lanes)s)
    UNION ALL
    (SELECT lane.id, lane.tenant_id, lane.object, lane.kind, 'tenant', NULL
     FROM public.tenants_tenant tenant JOIN public.triggers_lane lane ON lane.tenant_id = tenant.id
     WHERE tenant.status <> 'active' AND lane.parked_reason = ''
       AND EXISTS (SELECT FROM public.triggers_liveevent e WHERE e.lane_id = lane.id AND e.status = 'queued')
     ORDER BY lane.id DESC LIMIT %(lanes)s)
)
SELECT tenant.code, tenant.name, tenant.status, held.object, held.kind, held.reason, held.until,
       waiting.events, waiting.oldest_at
FROM held JOIN public.tenants_tenant tenant ON tenant.id = held.tenant_id
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(received_at) AS oldest_at FROM (
        SELECT received_at FROM public.triggers_liveevent
        WHERE lane_id = held.id AND status = 'queued' ORDER BY id LIMIT %(most)s
    ) queued
) waiting
ORDER BY waiting.oldest_at NULLS LAST, held.id LIMIT %(lanes)s
"""


class NothingHeld(CodedError):
    """No lane of the tenant waits for a host."""

    code = "triggers.nothing-held"
    status = 409


@dataclass(frozen=True, slots=True)
class Held:
    """One lane that is held."""

    tenant_code: UUID
    tenant: str
    tenant_status: str
    object: str
    kind: str
    reason: str
    until: datetime | None
    events: int
    oldest_at: datetime | None

    @property
    def events_told(self) -> str:
        return f"{self.events:,}{'+' if self.events >= MOST_COUNTED else ''}"

    @property
    def said(self) -> str:
        """Why, for people."""
        return {
            QUOTA: "over its quota",
            outage.PARKED: "a host it calls is down",
            TENANT: f"the tenant is {self.tenant_status}",
        }.get(self.reason, self.reason)

    @property
    def is_quota(self) -> bool:
        return self.reason == QUOTA

    @property
    def is_outage(self) -> bool:
        return self.reason == outage.PARKED

    @property
    def is_tenant(self) -> bool:
        return self.reason == TENANT


def held() -> list[Held]:
    """The lanes that are held, the longest waiting first: one bounded query over all tenants."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"lanes": MOST_LANES, "most": MOST_COUNTED})
        return [Held(*row) for row in cursor.fetchall()]


def try_now(*, tenant: Tenant, actor: str, at: datetime) -> tuple[int, int]:
    """Let requests to the tenant's hosts pass, and the lanes go on that wait for them.

    Returns how many hosts and lanes. A host that is still down parks them again. Raises ``NothingHeld``.
    """
    with tenant_scope(tenant.pk), transaction.atomic(), connection.cursor() as cursor:
        waiting = Lane.objects.filter(parked_reason=outage.PARKED).count()
        if not waiting:
            raise NothingHeld(f"No lane of {tenant.name} waits for a host.")
        names = list(
            HostState.objects.exclude(state=HostState.State.CLOSED)
            .order_by("pk")
            .values_list("host", flat=True)
        )
        for host in names:
            hosts.reset(tenant.pk, host)
        outage.resume(cursor, tenant_id=tenant.pk)
        audit.record(
            actor=actor,
            verb="lane.try-now",
            target=f"lanes of {tenant.slug}",
            tenant=tenant,
            data={"hosts": names, "lanes": waiting},
            at=at,
        )
    return len(names), waiting
