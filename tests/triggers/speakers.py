"""Each adapter with a delivery that it takes: what the tests of all adapters share."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from circuitos.local.samples import FOLDER
from tests.factories import (
    ED25519_PUBLIC,
    HUBSPOT_SECRET,
    SHARED_SECRET,
    STANDARD_SECRET,
    sign_gohighlevel,
    sign_hubspot,
    sign_standard,
)
from triggers.crm import adapter_of
from triggers.delivery_connections import Hook

if TYPE_CHECKING:
    from collections.abc import Callable

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
URI = "https://crm.example.test/hooks/k1/"
OTHER_SECRET = "the-secret-of-another-tenant-9876543210"
OTHER_STANDARD = "whsec_" + base64.b64encode(b"another tenant's key, 32 bytes..").decode()


@dataclass(frozen=True)
class Speaker:
    """``sign(body, secret, at)`` makes the headers, lower-cased; ``signature`` is the one that proves."""

    name: str
    sample: str
    account: str
    secret: str
    other: str  # another tenant's secret
    sign: Callable[[bytes, str, datetime], dict[str, str]]
    signature: str = ""
    is_signed: bool = False
    has_time: bool = False
    public_keys: tuple[str, ...] = ()
    hides: tuple[bytes, ...] = field(default=())  # no stored event may hold these

    @property
    def adapter(self) -> Any:
        crm, _, is_workflow = self.name.partition("-")
        return adapter_of(crm, is_workflow=bool(is_workflow))

    @property
    def body(self) -> bytes:
        return (FOLDER / self.name / self.sample).read_bytes()

    def verify(
        self, body: bytes, headers: dict[str, str], *, secrets: tuple[str, ...] | None = None, **more: Any
    ) -> None:
        known = {"method": "POST", "uris": (URI,), "public_keys": self.public_keys, "at": AT, **more}
        self.adapter.verify(
            body=body, headers=headers, secrets=(self.secret,) if secrets is None else secrets, **known
        )

    def find(self, body: bytes, headers: dict[str, str] | None = None) -> list[Any]:
        sent = {"webhook-id": "msg_1"} if headers is None else headers
        found: list[Any] = self.adapter.find(self.adapter.parse(body), body, headers=sent, at=AT)
        return found

    def hook(self, **fields: Any) -> Hook:
        known = {
            "connection_id": 1,
            "tenant_id": 1,
            "crm": self.name.partition("-")[0],
            "adapter": self.adapter,
            "account_id": self.account,
            "secrets": (self.secret,),
            "public_keys": self.public_keys,
            "rate": 1,
            "lot": 1,
        }
        return Hook(**{**known, **fields})


def _lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name != "Content-Type"}


def _gohighlevel(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return _lowered(sign_gohighlevel(body))


def _hubspot(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return _lowered(sign_hubspot(body, uri=URI, secret=secret, at=at))


def _standard(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return _lowered(sign_standard(body, secret=secret, message_id="msg_1", at=at))


def _header(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return {"x-circuitos-secret": secret}


def _query(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return {":query": urlencode({"secret": secret})}


def _basic(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}


def _nothing(body: bytes, secret: str, at: datetime) -> dict[str, str]:
    return {}


SPEAKERS = [
    Speaker(
        "gohighlevel",
        "ContactUpdate.json",
        "dEm0LakesideDental01",
        "",
        "",
        _gohighlevel,
        "x-ghl-signature",
        is_signed=True,
        public_keys=(ED25519_PUBLIC,),
    ),
    Speaker(
        "hubspot",
        "contact.propertyChange.json",
        "7100001",
        HUBSPOT_SECRET,
        OTHER_SECRET,
        _hubspot,
        "x-hubspot-signature-v3",
        is_signed=True,
        has_time=True,
    ),
    Speaker(
        "standard",
        "contact.updated.json",
        "",
        STANDARD_SECRET,
        OTHER_STANDARD,
        _standard,
        "webhook-signature",
        is_signed=True,
        has_time=True,
    ),
    Speaker(
        "salesforce",
        "Opportunity.updated.xml",
        "00D5g000004abcD",
        SHARED_SECRET,
        OTHER_SECRET,
        _query,
        ":query",
        hides=(b"SessionId", SHARED_SECRET.encode()),
    ),
    Speaker(
        "salesforce",
        "Contact.change_update.json",
        "00D5g000004abcD",
        SHARED_SECRET,
        OTHER_SECRET,
        _header,
        "x-circuitos-secret",
    ),
    Speaker(
        "pipedrive",
        "person.change.json",
        "7654321",
        f"circuitos:{SHARED_SECRET}",
        f"circuitos:{OTHER_SECRET}",
        _basic,
        "authorization",
    ),
    Speaker(
        "zoho",
        "Contacts.update.json",
        "1000000068001",
        "token-for-the-samples",
        OTHER_SECRET,
        _nothing,
        hides=(b"token-for-the-samples",),
    ),
    Speaker(
        "gohighlevel-workflow",
        "contact.json",
        "ve9EPM428h8vShlRW1KT",
        "set-by-the-installer",
        OTHER_SECRET,
        _header,
        "x-circuitos-secret",
        hides=(b"set-by-the-installer",),
    ),
]
IDS = [f"{speaker.name}:{speaker.sample.rpartition('.')[0]}" for speaker in SPEAKERS]
