"""How a tenant's connections are: when each last sent something, and what it sent that was refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from tenants.choices import CRM
from triggers.delivery_refused import MAX_BODIES

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Connection, Tenant

DAY = timedelta(hours=24)  # refused deliveries are kept as long


@dataclass(frozen=True, slots=True)
class Health:
    """One connection as its owner wants to see it."""

    connection: Connection
    refused: int  # in 24 hours
    tone: str  # good, wait, bad or quiet
    symbol: str
    word: str
    sentence: str

    @property
    def refused_text(self) -> str:
        """Beyond so many no delivery is kept, and so none is counted here."""
        return f"{self.refused:,}{'+' if self.refused >= MAX_BODIES else ''}"

    @property
    def writes(self) -> bool:
        """Whether changes go back to the CRM."""
        return self.connection.sealed_credentials is not None

    @property
    def can_write(self) -> bool:
        """Whether there is a way to write back to this CRM."""
        return self.connection.crm == CRM.HUBSPOT


def of_tenant(tenant: Tenant, *, at: datetime, code: str | None = None) -> list[Health]:
    """The tenant's connections, oldest first, or the one with this id: one query."""
    refused = Count("refused_deliveries", filter=Q(refused_deliveries__received_at__gt=at - DAY))
    rows = tenant.connections.annotate(refused_lately=refused).order_by("pk")
    if code is not None:
        rows = rows.filter(code=code)
    return [_health(row, row.refused_lately, at=at) for row in rows]


def with_event(health: Health, received_at: datetime, *, at: datetime) -> Health:
    """The health with an event that the connection's row does not tell of yet: that may take seconds."""
    last = health.connection.last_event_at
    if last is not None and last >= received_at:
        return health
    health.connection.last_event_at = received_at
    return _health(health.connection, health.refused, at=at)


def _health(connection: Connection, refused: int, *, at: datetime) -> Health:
    last = connection.last_event_at
    if not connection.is_active:
        said = ("quiet", "‖", "Switched off", "Its webhooks are refused until you switch it on.")
    elif connection.reconnect_since is not None:
        said = ("bad", "⟲", "Needs reconnecting", f"{connection.reconnect_reason} Its events wait.")
    elif last is None and refused:
        said = ("bad", "✕", "Refused", "All it sent was refused. The secrets of both sides may differ.")
    elif last is None:
        said = ("wait", "○", "Waiting", "Nothing has come yet.")
    elif refused and last < at - DAY:
        said = ("bad", "✕", "Refused", "All it sent in the last 24 hours was refused.")
    elif refused:
        said = ("warn", "▲", "Some refused", "Some of what it sent in the last 24 hours was refused.")
    else:
        said = ("good", "✓", "Healthy", "What it sends is taken.")
    return Health(connection, refused, *said)
