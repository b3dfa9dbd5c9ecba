"""What a connection sent lately, and what ran because of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenants.scope import tenant_scope
from triggers import history
from triggers.models import Event

if TYPE_CHECKING:
    from tenants.models import Connection
    from triggers.models import Execution

LOOKED_AT = 200  # newest events of the tenant; a quiet connection beside a busy one may show none
SHOWN = 5
_COLUMNS = (
    "id", "code", "tenant_id", "connection_id", "object", "operation", "kind", "record_id", "status",
    "reason", "origin", "received_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class News:
    """An event of the connection with the executions it was part of."""

    event: Event
    executions: list[Execution] = field(default_factory=list)


def latest(connection: Connection) -> list[News]:
    """The newest events of the connection: two queries."""
    with tenant_scope(connection.tenant_id):
        # Ordered by the tenant's index first: that walk is short however much the tenant has.
        newest = Event.objects.only(*_COLUMNS).order_by("-id")[:LOOKED_AT]
        events = [event for event in newest if event.connection_id == connection.pk][:SHOWN]
        if not events:
            return []
        ran = (
            history.executions()
            .select_related(None)
            .defer(None)
            .defer("terms", "error_detail", "event_codes")
            .filter(
                tenant=connection.tenant_id,
                record_ids__overlap=[event.record_id for event in events],
                event_ids__overlap=[event.pk for event in events],
            )
            .order_by("pk")[:LOOKED_AT]
        )
        by_event: dict[int, list[Execution]] = {}
        for execution in ran:
            for pk in execution.event_ids:
                by_event.setdefault(pk, []).append(execution)
    return [News(event, by_event.get(event.pk, [])) for event in events]
