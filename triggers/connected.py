"""What happens once, when a connection can be read: its past is imported, and what it fails to tell found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from tenants.models import Connection
from triggers import backfill, crm_fields, missed
from triggers.crm.readers import READERS

if TYPE_CHECKING:
    from datetime import datetime

AT_A_TIME = 20


def connected(connection: Connection, *, at: datetime) -> bool:
    """Called once for a connection that got access to its CRM's API. False: nothing of it can be read."""
    if connection.crm not in READERS:
        return False
    with transaction.atomic():
        missed.watch(connection, at=at)
        backfill.queue(connection, at=at)
        crm_fields.read_soon(connection)
    return True


def notice(*, at: datetime) -> int:
    """Find connections that got access, by whatever road: portal, console, REST, install. One query."""
    new = Connection.objects.filter(
        crm__in=READERS, is_active=True, sealed_credentials__isnull=False, reconciled__isnull=True
    )
    return sum(connected(each, at=at) for each in new.select_related("tenant").order_by("pk")[:AT_A_TIME])
