"""Connections: linking a CRM account, the secrets that prove its webhooks, and the token of its API."""

from __future__ import annotations

import base64
import json
import secrets as random
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, TypedDict

from django.db import transaction

from tenants import audit, credentials
from tenants.choices import CRM
from tenants.errors import CodedError
from tenants.models import Connection, Tenant
from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OVERLAP = timedelta(hours=24)


class BadConnection(CodedError):
    """The description of a connection does not hold."""

    code = "tenants.bad-connection"


class _Entry(TypedDict):
    secret: str
    until: str | None  # ISO time; None = the newest, no end


def connect(
    *,
    tenant: Tenant,
    crm: str,
    account_id: str = "",
    secrets: Iterable[str] = (),
    public_keys: Iterable[str] = (),
    name: str = "",
    is_proven: bool = False,
    is_workflow: bool = False,
    allowed_senders: Iterable[str] = (),
) -> Connection:
    """Link a CRM account to a tenant. ``secrets`` stand newest first and do not expire by themselves.

    ``is_proven``: the account is known to be the tenant's, and not only said to be.
    """
    if is_workflow and crm != CRM.GOHIGHLEVEL:
        raise BadConnection("Only GoHighLevel has workflows that send webhooks.")
    if crm not in CRM.values:
        raise BadConnection(f"There is no CRM {crm!r}; there are: {', '.join(CRM.values)}.")
    connection = Connection(
        tenant=tenant,
        crm=crm,
        account_id=str(account_id),
        public_keys=list(public_keys),
        name=name,
        is_proven=is_proven,
        is_workflow=is_workflow,
        allowed_senders=check_senders(allowed_senders),
    )
    _store(connection, [{"secret": secret, "until": None} for secret in secrets])
    connection.save(force_insert=True)
    return connection


def signing_secrets(connection: Connection, *, at: datetime) -> list[str]:
    """The secrets that verify now, newest first; those whose overlap ended are dropped."""
    return [
        entry["secret"]
        for entry in _load(connection)
        if entry["until"] is None or datetime.fromisoformat(entry["until"]) > at
    ]


def overlap_until(connection: Connection, *, at: datetime) -> datetime | None:
    """Until when a secret before the newest still verifies; None when none does."""
    ends = [datetime.fromisoformat(entry["until"]) for entry in _load(connection) if entry["until"]]
    return max((end for end in ends if end > at), default=None)


def rotate_secret(
    *, connection: Connection, new: str | None = None, overlap: timedelta = OVERLAP, at: datetime
) -> str:
    """Put a new signing secret in front; the others still verify for ``overlap``. Returns the new one."""
    secret = new or new_secret(connection.crm)
    until = at + overlap
    with transaction.atomic():
        # Two rotations at once must not lose one another's secret.
        locked = Connection.objects.select_for_update().get(pk=connection.pk)
        kept: list[_Entry] = []
        for entry in _load(locked):
            end = datetime.fromisoformat(entry["until"]) if entry["until"] else until
            if end > at and entry["secret"] != secret:
                kept.append({"secret": entry["secret"], "until": min(end, until).isoformat()})
        _store(locked, [{"secret": secret, "until": None}, *kept])
        locked.save(update_fields=["sealed_secrets"])
    connection.sealed_secrets = locked.sealed_secrets
    return secret


def set_credentials(connection: Connection, *, token: str | None) -> None:
    """Keep what we call the CRM's API with, such as a HubSpot private app's token; None forgets it.

    From then on the records that scripts change are written to the CRM. Earlier changes are not.
    """
    credentials.store(connection, credentials.Credentials(token) if token else None)
    if token:
        reconnected(connection)


def needs_reconnecting(connection: Connection, reason: str, at: datetime) -> bool:
    """The CRM no longer lets us in: from now on its events and our writes wait. False: that was known.

    ``triggers.reconnecting`` tells the owner, and lets what waits go on after ``reconnected``.
    """
    with transaction.atomic():
        # Of all who find the access gone, one notes it.
        changed = Connection.objects.filter(pk=connection.pk, reconnect_since=None).update(
            reconnect_since=at, reconnect_reason=reason[:200], is_held=True
        )
        if changed:
            audit.record(
                actor="system",
                verb="lost its access",
                target=f"connection {connection.code}",
                tenant=connection.tenant,
                data={"crm": connection.crm, "reason": reason[:200]},
                at=at,
            )
    if changed:
        connection.reconnect_since, connection.reconnect_reason, connection.is_held = at, reason[:200], True
    return bool(changed)


def reconnected(connection: Connection) -> None:
    """The CRM lets us in again, as far as we know. What waits goes on with the next round of the beat."""
    Connection.objects.filter(pk=connection.pk).exclude(reconnect_since=None).update(
        reconnect_since=None, reconnect_reason=""
    )
    connection.reconnect_since, connection.reconnect_reason = None, ""


def api_token(connection: Connection) -> str | None:
    """What we call the CRM's API with; None when we have nothing."""
    known = credentials.load(connection)
    return known.token if known else None


def change(connection: Connection, wanted: Mapping[str, Any], *, actor: str, at: datetime) -> None:
    """Set ``name``, ``is_active`` and ``api_token`` (None forgets it), as far as they are named; audited."""
    fields = sorted({"name", "is_active"} & wanted.keys())
    with transaction.atomic():
        for name in fields:
            setattr(connection, name, wanted[name])
        if fields:
            connection.save(update_fields=fields)
        if "api_token" in wanted:
            set_credentials(connection, token=wanted["api_token"])
        audit.record(
            actor=actor,
            verb="changed",
            target=f"connection {connection.code}",
            tenant=connection.tenant,
            data={"fields": sorted({*fields, *({"api_token"} & wanted.keys())})},
            at=at,
        )


def uses_secret(crm: str, *, is_workflow: bool) -> bool:
    """Whether a secret that both sides know proves what comes: as a signature's key, or by itself."""
    return crm != CRM.GOHIGHLEVEL or is_workflow


def makes_secret(crm: str, *, is_workflow: bool) -> bool:
    """Whether we make the secret, for the sender to be told; else the CRM makes it."""
    return uses_secret(crm, is_workflow=is_workflow) and crm != CRM.HUBSPOT


def check_senders(texts: Iterable[str]) -> list[str]:
    """The networks as they are kept. Raises ``BadConnection`` for what is none."""
    try:
        return [str(ip_network(text.strip(), strict=False)) for text in texts]
    except (ValueError, AttributeError):
        raise BadConnection("A sender is an address or a network, such as 203.0.113.0/24.") from None


def new_secret(crm: str) -> str:
    """A random signing secret in the form its scheme writes it."""
    if crm == CRM.PIPEDRIVE:
        return f"circuitos:{random.token_urlsafe(24)}"  # user name and password
    if crm == CRM.STANDARD:
        return "whsec_" + base64.b64encode(random.token_bytes(32)).decode()
    return random.token_urlsafe(32)


def _context(connection: Connection) -> str:
    return f"connection:{connection.tenant_id}:{connection.code}"


def _load(connection: Connection) -> list[_Entry]:
    if connection.sealed_secrets is None:
        return []
    entries: list[_Entry] = json.loads(unseal(connection.sealed_secrets, context=_context(connection)))
    return entries


def _store(connection: Connection, entries: list[_Entry]) -> None:
    connection.sealed_secrets = (
        seal(json.dumps(entries).encode(), context=_context(connection)) if entries else None
    )
