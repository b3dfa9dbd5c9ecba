"""What a tenant's owner does to its connections, each with a row in the audit log."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from circuitos.env import env
from tenants import audit
from tenants.choices import CRM
from tenants.connections import (
    OVERLAP,
    BadConnection,
    connect,
    makes_secret,
    new_secret,
    rotate_secret,
    set_credentials,
    uses_secret,
)

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Connection, Tenant

MOST_CONNECTIONS = 50  # of one tenant, by its own hand
# CRMs of which each event names the account, so that a connection has to name it too.
ACCOUNTS = {
    CRM.GOHIGHLEVEL: "location ID",
    CRM.HUBSPOT: "account ID (portal ID)",
    CRM.SALESFORCE: "organization ID",
    CRM.PIPEDRIVE: "company ID",
    CRM.ZOHO: "channel ID",
}
_NUMBERED = frozenset({CRM.HUBSPOT, CRM.PIPEDRIVE, CRM.ZOHO})
_LONGEST_ZOHO_TOKEN = 50
LONGEST_SECRET = 500


@dataclass(frozen=True, slots=True)
class Rotated:
    """A new signing secret, shown this once, and until when the one before it still verifies."""

    secret: str
    until: datetime


def link(
    *,
    tenant: Tenant,
    crm: str,
    name: str,
    account_id: str,
    secret: str,
    is_workflow: bool = False,
    actor: str,
    at: datetime,
) -> tuple[Connection, str]:
    """Link a CRM account; returns the secret that was made for it, or "". Raises ``BadConnection``."""
    if crm in ACCOUNTS and not account_id:
        raise BadConnection(f"Write the {ACCOUNTS[CRM(crm)]}: events of other accounts are refused.")
    if crm in _NUMBERED and not (account_id.isascii() and account_id.isdigit()):
        raise BadConnection(f"{CRM(crm).label}'s {ACCOUNTS[CRM(crm)]} is a number, such as 12345678.")
    if crm == CRM.SALESFORCE and not (account_id.isalnum() and len(account_id) in {15, 18}):
        raise BadConnection("Salesforce's organization ID has 15 or 18 characters and begins with 00D.")
    made = ""
    if makes_secret(crm, is_workflow=is_workflow) and not secret:
        secret = made = new_secret(crm)
    if crm == CRM.HUBSPOT and not secret and not env().hubspot_client_secret:
        raise BadConnection("Write the client secret of your HubSpot app: it proves what HubSpot sends.")
    if secret:
        check_secret(crm, secret)
    with transaction.atomic():
        if len(tenant.connections.values_list("pk")[:MOST_CONNECTIONS]) >= MOST_CONNECTIONS:
            raise BadConnection(f"There are {MOST_CONNECTIONS} connections already; ask for more.")
        connection = connect(
            tenant=tenant,
            crm=crm,
            account_id=account_id,
            secrets=[secret] if secret else (),
            name=name,
            is_workflow=is_workflow,
        )
        _note(connection, "created", actor=actor, at=at)
    return connection, made


def rotate(*, connection: Connection, new: str = "", actor: str, at: datetime) -> Rotated:
    """Put a new signing secret in front, made here unless the CRM gave one. Raises ``BadConnection``."""
    if not uses_secret(connection.crm, is_workflow=connection.is_workflow):
        raise BadConnection(f"{connection.get_crm_display()} signs with its own key: nothing to rotate.")
    if not new and connection.crm == CRM.HUBSPOT:
        raise BadConnection("Write the new client secret that HubSpot shows: only HubSpot can make one.")
    if new:
        check_secret(connection.crm, new)
    with transaction.atomic():
        secret = rotate_secret(connection=connection, new=new or None, at=at)
        _note(connection, "rotated the secret of", actor=actor, at=at)
    return Rotated(secret, at + OVERLAP)


def switch(*, connection: Connection, is_active: bool, actor: str, at: datetime) -> None:
    """Take the connection's webhooks, or refuse them from now on."""
    with transaction.atomic():
        connection.is_active = is_active
        connection.save(update_fields=["is_active"])
        _note(connection, "switched on" if is_active else "switched off", actor=actor, at=at)


def keep_token(*, connection: Connection, token: str | None, actor: str, at: datetime) -> None:
    """Keep the token of the CRM's API, or forget it with None. Raises ``BadConnection``."""
    if connection.crm not in {CRM.HUBSPOT, CRM.GOHIGHLEVEL}:
        raise BadConnection(f"Nothing is written to {connection.get_crm_display()} yet: no token is needed.")
    with transaction.atomic():
        set_credentials(connection, token=token)
        _note(connection, "set the API token of" if token else "forgot the API token of", actor=actor, at=at)


def check_secret(crm: str, secret: str) -> None:
    """Raises ``BadConnection`` for what cannot be a signing secret of this CRM."""
    if len(secret) > LONGEST_SECRET:
        raise BadConnection(f"A secret has at most {LONGEST_SECRET} characters.")
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise BadConnection("A secret is one word of plain characters; this has others in it.")
    if crm == CRM.PIPEDRIVE and not all(secret.partition(":")):
        raise BadConnection(
            "Write user name and password with a colon between them, like circuitos:a-long-word."
        )
    if crm == CRM.ZOHO and len(secret) > _LONGEST_ZOHO_TOKEN:
        raise BadConnection(f"Zoho takes no token over {_LONGEST_ZOHO_TOKEN} characters.")
    if crm == CRM.STANDARD:
        try:
            key = binascii.a2b_base64(secret.removeprefix("whsec_").encode(), strict_mode=True)
        except binascii.Error:
            key = b""
        if len(key) < 16:
            example = "whsec_" + base64.b64encode(b"example of a secret key.").decode()
            raise BadConnection(f"A secret is whsec_ and at least 16 bytes in base64, like {example}.")


def _note(connection: Connection, verb: str, *, actor: str, at: datetime) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        target=f"connection {connection.code}",
        tenant=connection.tenant,
        data={"crm": connection.crm},
        at=at,
    )
