"""For the console's page of a connection, which belongs to the tenants and knows nothing of what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import template
from django.utils.timezone import now

from triggers import connection_history

if TYPE_CHECKING:
    from tenants.models import Connection
    from triggers.connection_history import History

register = template.Library()


@register.simple_tag
def history_of(connection: Connection) -> History:
    """What it held, and what it failed to tell."""
    return connection_history.of(connection, at=now(), with_names=False)
