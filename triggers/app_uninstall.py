"""An app that was uninstalled: its connections need reconnecting. Told out of order, it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from tenants.connections import needs_reconnecting
from tenants.models import Connection
from tenants.slots import database_slot

if TYPE_CHECKING:
    from datetime import datetime

    from triggers.crm import Found

KIND = "UNINSTALL"


def notice(crm: str, event: Found, *, account: str, at: datetime) -> int:
    """Note an ``UNINSTALL`` on the connections of the account, or of all of a ``company:<id>``: how many."""
    if event.object != "App" or not account:
        return 0
    company = account.removeprefix("company:") if account.startswith("company:") else None
    of = Q(company_id=company) if company else Q(account_id=account)
    with database_slot():
        found = list(
            Connection.objects.filter(of, crm=crm, is_proven=True).select_related("tenant").order_by("pk")
        )
        return sum(_lose(each, event.occurred_at or at) for each in found)


def _lose(connection: Connection, said_at: datetime) -> bool:
    # Installed again since: the news is late.
    if connection.installed_at is not None and said_at < connection.installed_at:
        return False
    name = connection.get_crm_display()
    return needs_reconnecting(connection, f"The app was uninstalled in {name}.", said_at)
