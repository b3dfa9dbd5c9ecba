"""Test data: functions with sensible defaults, and signers that speak each CRM's scheme."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from tenants.models import Connection, Tenant

# A throw-away pair, made for each run of the suite.
ED25519_KEY = Ed25519PrivateKey.generate()
ED25519_PUBLIC = base64.b64encode(
    ED25519_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
STRANGER_KEY = Ed25519PrivateKey.generate()
HUBSPOT_SECRET = "hubspot-client-secret-for-tests"
# Of the marketplace apps with one address for all their accounts.
APP_SECRET = "hubspot-app-secret-for-tests"
APP_ID = "app-of-ours"
STANDARD_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SHARED_SECRET = "a-secret-both-sides-know-0123456789"
LOCATION = "loc-test-0001"
PORTAL = 4242
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def body_of(document: Any) -> bytes:
    """Compact JSON, as CRMs send it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def sign_gohighlevel(body: bytes, *, key: Ed25519PrivateKey = ED25519_KEY) -> dict[str, str]:
    """Headers of a GoHighLevel delivery: Ed25519 over the raw body."""
    return {
        "Content-Type": "application/json",
        "X-GHL-Signature": base64.b64encode(key.sign(body)).decode(),
    }


def sign_hubspot(
    body: bytes, *, uri: str, secret: str = HUBSPOT_SECRET, at: datetime | None = None, method: str = "POST"
) -> dict[str, str]:
    """Headers of a HubSpot v3 delivery: HMAC over method, URI, body and timestamp."""
    timestamp = str(int((at or datetime.now(UTC)).timestamp() * 1000))
    source = method.encode() + uri.encode() + body + timestamp.encode()
    signature = base64.b64encode(hmac.digest(secret.encode(), source, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Signature-v3": signature,
        "X-HubSpot-Request-Timestamp": timestamp,
    }


def sign_standard(
    body: bytes,
    *,
    secret: str = STANDARD_SECRET,
    message_id: str | None = None,
    at: datetime | None = None,
    others: tuple[str, ...] = (),
) -> dict[str, str]:
    """Headers of a Standard Webhooks delivery; ``others`` are signatures put before ours."""
    message_id = message_id or f"msg_{next(_numbers)}"
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join([*others, "v1," + base64.b64encode(signature).decode()]),
    }


def contact_create(*, number: int | None = None, location: str = LOCATION, **fields: Any) -> dict[str, Any]:
    """A GoHighLevel ContactCreate body."""
    number = number or next(_numbers)
    return {
        "type": "ContactCreate",
        "locationId": location,
        "webhookId": f"wh-{location}-{number}",
        "timestamp": (NOW + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "id": f"contact-{number}",
        "firstName": "Ada",
        "lastName": f"Lead {number}",
        "email": f"ada{number}@example.test",
        "phone": "+13035550100",
        "postalCode": "80202",
        "country": "US",
        **fields,
    }


def make_connection(tenant: Tenant, crm: str, **fields: Any) -> Connection:
    """A connection of ``tenant`` that the ``sign_…`` functions can speak to."""
    from tenants.connections import connect

    defaults: dict[str, dict[str, Any]] = {
        "gohighlevel": {"account_id": f"{LOCATION}-{tenant.slug}", "public_keys": (ED25519_PUBLIC,)},
        "hubspot": {"account_id": str(PORTAL + tenant.pk), "secrets": (HUBSPOT_SECRET,)},
        "standard": {"secrets": (STANDARD_SECRET,)},
        "salesforce": {"account_id": "00D5g000004abcDEAQ", "secrets": (SHARED_SECRET,)},
        "pipedrive": {"account_id": "7654321", "secrets": (f"circuitos:{SHARED_SECRET}",)},
        "zoho": {"account_id": "1000000068001", "secrets": (SHARED_SECRET,)},
    }
    return connect(tenant=tenant, crm=crm, **{**defaults[crm], **fields})
