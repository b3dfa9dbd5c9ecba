"""Usage and parked events, as the engine leaves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection

from governor import usage
from governor.calendar import day_of
from governor.choices import Charge
from governor.quotas import Hold, Quota, Refusal
from tenants.ids import new_code
from tenants.scope import every_tenant
from tests.rows import make_event
from triggers import parking
from triggers.models import Lane


def spend(tenant, spent, *, trigger="T.score", at=None, kind=Charge.EXECUTION, on=None):
    at = at or datetime.now(UTC)
    with connection.cursor() as cursor:
        usage.charge(
            cursor,
            tenant_id=tenant.pk,
            on=on or day_of(at, tenant.timezone),
            hold=Hold(),
            spent=spent,
            quota=Quota(),
            kind=kind,
            execution=new_code() if kind == Charge.EXECUTION else None,
            trigger=trigger,
            at=at,
        )


def park(tenant, *, events=3, until=None):
    at = datetime.now(UTC)
    until = until or at + timedelta(hours=2)
    with every_tenant():
        lane = Lane.objects.create(tenant=tenant, object="Contact", parked_reason="quota", parked_until=until)
    for n in range(events):
        make_event(tenant, lane=lane, received_at=at - timedelta(minutes=events - n))
    with connection.cursor() as cursor:
        refusal = Refusal("executions", "d", 100, 100)
        parking.begin(cursor, tenant_id=tenant.pk, refusal=refusal, at=at, until=until)
    return lane
