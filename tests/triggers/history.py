"""A CRM with a past, for the tests of import and reconciliation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tenants import credentials
from tenants.credentials import Credentials
from triggers import backfill, missed

if TYPE_CHECKING:
    from tenants.models import Connection
    from tests.crm_servers.accounts import Accounts


def link(connection: Connection, accounts: Accounts) -> Connection:
    """Give the connection a token that the double takes."""
    token, _ = accounts.issue()
    credentials.store(connection, Credentials(token))
    return connection


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def contact(number: int, *, at: datetime, **fields: Any) -> dict[str, Any]:
    """A contact as HighLevel's search tells it."""
    return {
        "id": f"c{number:05}",
        "locationId": "loc",
        "firstName": "Ada",
        "lastName": f"Lead {number}",
        "email": f"ada{number}@example.test",
        "dateAdded": iso(at - timedelta(days=1)),
        "dateUpdated": iso(at),
        **fields,
    }


def opportunity(number: int, contact_id: str, status: str, *, at: datetime) -> dict[str, Any]:
    return {
        "id": f"o{number:05}",
        "name": f"Deal {number}",
        "contactId": contact_id,
        "status": status,
        "monetaryValue": 100,
        "createdAt": iso(at - timedelta(minutes=number)),
        "updatedAt": iso(at),
    }


def hubspot(number: int, *, at: datetime, **properties: str) -> dict[str, Any]:
    """A record as HubSpot's search tells it."""
    return {
        "id": str(number),
        "createdAt": iso(at - timedelta(days=1)),
        "updatedAt": iso(at),
        "properties": properties,
    }


def import_all(at: datetime) -> int:
    """Steps until nothing is due."""
    steps = 0
    while backfill.step(at=at):
        steps += 1
    return steps


def look_all(at: datetime) -> int:
    steps = 0
    while missed.step(at=at):
        steps += 1
    return steps
