"""A test event: a delivery as the connection's CRM would send it, really signed, through our own ingest.

Its records are made up and their ids new; the event says ``test`` where it comes from, so that it is not
counted and nothing of it is written to the CRM.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets as random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tenants import audit
from tenants.choices import CRM
from triggers import delivery_connections, ingest, test_event_secret
from triggers.admission import TEST
from triggers.test_event_secret import PERSON, CannotTest, secret_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tenants.models import Connection
    from triggers.delivery_connections import Hook

__all__ = ["CannotTest", "send"]


def send(*, connection: Connection, url: str, actor: str, at: datetime) -> ingest.Receipt:
    """Send a new contact to the connection at ``url``. Raises ``CannotTest``, and as ``ingest.receive``."""
    if not connection.is_active:
        raise CannotTest("The connection is switched off; switch it on, then send a test event.")
    hook = delivery_connections.hook_of(connection, at=at)
    if connection.is_workflow or connection.crm in test_event_secret.BODIES:
        body, headers = test_event_secret.made(connection, hook, at=at)
    else:
        body = json.dumps(_BODIES[CRM(connection.crm)](connection, at), separators=(",", ":")).encode()
        hook, headers = _SIGNERS[CRM(connection.crm)](hook, body, url, at)
    receipt = ingest.receive(
        hook=hook, body=body, headers=headers, method="POST", uris=(url,), at=at, origin=TEST
    )
    audit.record(
        actor=actor,
        verb="sent a test event to",
        target=f"connection {connection.code}",
        tenant=connection.tenant,
        data={"events": receipt.event_ids},
        at=at,
    )
    return receipt


def _gohighlevel(connection: Connection, at: datetime) -> Any:
    return {
        "type": "ContactCreate",
        "locationId": connection.account_id or "test-location",
        "webhookId": str(uuid4()),
        "timestamp": _iso(at),
        "id": f"test-{uuid4().hex[:12]}",
        "firstName": PERSON["first"],
        "lastName": PERSON["last"],
        "email": PERSON["email"],
        "phone": PERSON["phone"],
        "postalCode": "80202",
        "country": "US",
        "source": "test event",
        "dateAdded": _iso(at),
    }


def _hubspot(connection: Connection, at: datetime) -> Any:
    try:
        portal = int(connection.account_id or 1)
    except ValueError:
        raise CannotTest("HubSpot's account ID is a number; this connection has another.") from None
    event = {
        "portalId": portal,
        "objectId": 9 * 10**14 + random.randbelow(10**14),  # above the ids that HubSpot gives
        "occurredAt": int(at.timestamp() * 1000),
        "attemptNumber": 0,
        "changeSource": "CRM_UI",
    }
    values = {"firstname": PERSON["first"], "lastname": PERSON["last"], "email": PERSON["email"]}
    changes = [
        {
            **event,
            "eventId": random.randbelow(2**40),
            "subscriptionType": "contact.propertyChange",
            "propertyName": name,
            "propertyValue": value,
        }
        for name, value in values.items()
    ]
    made = {**event, "eventId": random.randbelow(2**40), "subscriptionType": "contact.creation"}
    return [made, *changes]


def _standard(connection: Connection, at: datetime) -> Any:
    return {
        "type": "contact.created",
        "timestamp": _iso(at),
        "data": {
            "id": f"test-{uuid4().hex[:12]}",
            "first_name": PERSON["first"],
            "last_name": PERSON["last"],
            "email": PERSON["email"],
            "phone": PERSON["phone"],
            "postal_code": "80202",
            "source": "test event",
        },
    }


def _sign_gohighlevel(hook: Hook, body: bytes, url: str, at: datetime) -> tuple[Hook, dict[str, str]]:
    """HighLevel's private key is HighLevel's: a key made for this one delivery stands in for it."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    stand_in = msgspec.structs.replace(hook, public_keys=(base64.b64encode(public).decode(),))
    return stand_in, {"x-ghl-signature": base64.b64encode(key.sign(body)).decode()}


def _sign_hubspot(hook: Hook, body: bytes, url: str, at: datetime) -> tuple[Hook, dict[str, str]]:
    sent = str(int(at.timestamp() * 1000))
    digest = hmac.digest(secret_of(hook).encode(), b"POST" + url.encode() + body + sent.encode(), "sha256")
    signature = base64.b64encode(digest).decode()
    return hook, {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": sent}


def _sign_standard(hook: Hook, body: bytes, url: str, at: datetime) -> tuple[Hook, dict[str, str]]:
    message, sent = f"msg_{uuid4().hex}", str(int(at.timestamp()))
    try:
        key = base64.b64decode(secret_of(hook).removeprefix("whsec_"))
    except ValueError:
        raise CannotTest("The connection's secret is no base64; rotate it, then send a test event.") from None
    digest = hmac.digest(key, f"{message}.{sent}.".encode() + body, "sha256")
    return hook, {
        "webhook-id": message,
        "webhook-timestamp": sent,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_BODIES: dict[CRM, Callable[[Connection, datetime], Any]] = {
    CRM.GOHIGHLEVEL: _gohighlevel,
    CRM.HUBSPOT: _hubspot,
    CRM.STANDARD: _standard,
}
_SIGNERS: dict[CRM, Callable[[Hook, bytes, str, datetime], tuple[Hook, dict[str, str]]]] = {
    CRM.GOHIGHLEVEL: _sign_gohighlevel,
    CRM.HUBSPOT: _sign_hubspot,
    CRM.STANDARD: _sign_standard,
}
