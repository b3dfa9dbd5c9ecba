"""A private token is tried before it is kept: one real call says whether it opens the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from governor import egress
from tenants import connection_changes
from tenants.choices import CRM
from tenants.connections import BadConnection
from tenants.models import Connection
from triggers import reconnecting

if TYPE_CHECKING:
    from datetime import datetime

SECONDS = 10.0
CHECKED = frozenset({CRM.GOHIGHLEVEL.value, CRM.HUBSPOT.value})
# What a private integration has to be allowed in HighLevel.
NEEDED = (
    *("View and edit Contacts", "View and edit Opportunities", "View Calendars and Calendar Events"),
    "View and edit Custom Fields",
)


def keep(connection: Connection, token: str, *, actor: str, at: datetime) -> None:
    """Keep a token that opens the account; what waited for it goes on. Raises ``BadConnection``."""
    token = token.strip()
    if connection.crm in CHECKED:
        check(connection, token)
    with transaction.atomic():
        connection_changes.keep_token(connection=connection, token=token, actor=actor, at=at)
        # Who holds a token of the account may have its events; of two tenants the first.
        others = Connection.objects.filter(
            crm=connection.crm, account_id=connection.account_id, is_proven=True
        ).exclude(pk=connection.pk)
        if connection.account_id and not others.exists():
            connection.is_proven = True
            connection.save(update_fields=["is_proven"])
        reconnecting.resume(connection)


def check(connection: Connection, token: str) -> None:
    """Ask the CRM with the token for what is the account's own. Raises ``BadConnection``."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise BadConnection("A token is one word of plain characters; this has others in it.")
    name = connection.get_crm_display()
    if connection.crm == CRM.GOHIGHLEVEL:
        status, said = _ask(
            "POST",
            f"{settings.GOHIGHLEVEL_API_URL}/contacts/search",
            token,
            json_body={"locationId": connection.account_id, "pageLimit": 1},
        )
        is_open = status == 200
    else:
        status, said = _ask("GET", f"{settings.HUBSPOT_API_URL}/account-info/v3/details", token)
        is_open = status == 200
        if is_open and str(said.get("portalId")) != connection.account_id:
            raise BadConnection(
                f"This token is of another HubSpot account than {connection.account_id}. Nothing was kept."
            )
    if is_open:
        return
    if status == 401:
        raise BadConnection(f"{name} does not know this token. Copy it again; nothing was kept.")
    if status == 403:
        raise BadConnection(
            f"The token may not read {connection.account_id}. Check its scopes, and which account it is of."
        )
    if status in {0, 429} or status >= 500:
        raise BadConnection(f"{name} does not answer just now, so the token could not be tried. Try again.")
    raise BadConnection(f"{name} refused the token ({status}). Nothing was kept.")


def _ask(method: str, url: str, token: str, *, json_body: Any = None) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {token}", "accept": "application/json", "version": "2021-07-28"}
    try:
        answer = egress.send(method, url, headers=headers, json=json_body, timeout=SECONDS, is_operators=True)
    except (egress.CalloutFailed, egress.EgressRefused):
        return 0, {}
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = {}
    return answer.status, said if type(said) is dict else {}
