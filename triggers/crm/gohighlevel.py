"""GoHighLevel: Ed25519 over the raw body, flat bodies named by ``type``, one event a delivery."""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from triggers import strict_json
from triggers.crm import adapter, gohighlevel_workflow, proof
from triggers.crm.adapter import BadSignature, Found, Normalised
from triggers.crm.fields import fit
from triggers.crm.gohighlevel_fields import DOCUMENTED, ENVELOPE, NAMES
from triggers.schemas import Misfit, check, plain
from triggers.schemas.naming import custom_fields, snake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

# HighLevel's one key for all apps, as its Webhook Integration Guide publishes it (base64 SPKI).
PUBLISHED_KEY = "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="

HEADERS: tuple[str, ...] = ("x-ghl-signature", "x-wh-signature", proof.QUERY)
PROOFS: frozenset[str] = frozenset()
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = True
SIGNS_ADDRESS = False
parse = strict_json.parse

_KNOWN = ("Contact", "Opportunity", "Appointment", "Task", "Note")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
# InvoicePartiallyPaid -> Invoice, OrderStatusUpdate -> Order, CampaignStatusUpdate -> Campaign.
_SUFFIX = re.compile(
    r"(?P<object>.+?)(?:Status|Unread)?"
    r"(?P<verb>Create|Update|Delete|Complete|Paid|Sent|Void|Merge|Restore|PartiallyPaid|Webhook|Connected)?"
)
# What stands before the 32 bytes of an Ed25519 key in SPKI.
_SPKI = bytes.fromhex("302a300506032b6570032100")
_PEM_FRAME = re.compile(r"-----[A-Z ]+-----|\s")
_OPERATIONS = {"Create": "insert", "Delete": "delete", "Merge": "merge", "Restore": "undelete"}
_APP = {"INSTALL": "insert", "UNINSTALL": "delete", "PLAN_CHANGE": "update"}
_MESSAGES = frozenset({"InboundMessage", "OutboundMessage", "SMS", "Email", "ProviderOutboundMessage"})


def verify(
    *,
    body: bytes,
    headers: Mapping[str, str],
    method: str,
    uris: Sequence[str],
    secrets: Sequence[str],
    public_keys: Sequence[str],
    at: datetime,
) -> None:
    """Check ``X-GHL-Signature`` with the connection's keys, or with the published one when it pins none."""
    written = headers.get("x-ghl-signature", "").strip()
    if not written or written == "N/A":
        if headers.get("x-wh-signature"):
            raise BadSignature(
                "X-WH-Signature is the retired RSA scheme; HighLevel now sends X-GHL-Signature."
            )
        raise BadSignature("The header X-GHL-Signature is missing.")
    try:
        signature = binascii.a2b_base64(written.encode(), strict_mode=True)
        if binascii.b2a_base64(signature, newline=False) != written.encode():
            raise BadSignature("X-GHL-Signature is not base64 as it is written.")  # bits beyond the last byte
    except (binascii.Error, UnicodeEncodeError):
        raise BadSignature("X-GHL-Signature is not base64.") from None
    for text in public_keys or (PUBLISHED_KEY,):
        key = _public_key(text)
        if key is None:
            continue
        try:
            key.verify(body, signature)
        except (BadSignatureError, ValueError):  # ValueError: not 64 bytes long
            continue
        return
    raise BadSignature("X-GHL-Signature does not match the body.")


@lru_cache(maxsize=1024)
def _public_key(text: str) -> VerifyKey | None:
    """The key in base64 SPKI or PEM; None when it is no Ed25519 key."""
    try:
        spki = binascii.a2b_base64(_PEM_FRAME.sub("", text).encode())
    except (binascii.Error, UnicodeEncodeError):
        return None
    if len(spki) != len(_SPKI) + 32 or not spki.startswith(_SPKI):
        return None
    # libsodium verifies in half the time of OpenSSL, and this is the dearest step of a webhook.
    return VerifyKey(spki[len(_SPKI) :])


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """HighLevel sends one event a delivery; its bytes are the whole body."""
    if type(document) is not dict:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT)]
    content = _content(document)
    # An address may say which event it was given to: some bodies leave the type out, or name another.
    named = proof.parameter(headers, "type") if headers.get(proof.QUERY) else ""
    kind, name, operation = _identify(
        document, content, "" if named in _APP or not _TYPE.fullmatch(named) else named
    )
    account = _account(document, content, name)
    if not name:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)]

    webhook_id = document.get("webhookId")
    if type(webhook_id) is str and webhook_id:
        key, window = adapter.key_of(webhook_id), adapter.ID_WINDOW
    else:
        key, window = adapter.digest(body), adapter.BODY_WINDOW
    record_id = _record_id(content, name) or _stand_in(name, key)
    problem = None
    if not record_id or len(record_id) > adapter.MAX_RECORD_ID:
        problem, record_id = adapter.RECORD_MISSING, ""
    return [
        Found(
            object=name,
            operation=operation,
            record_id=record_id,
            kind=kind[: adapter.MAX_KIND],
            occurred_at=_occurred_at(document, content, operation, at),
            dedup_key=key,
            dedup_window=window,
            raw=body,
            account=account,
            problem=problem,
        )
    ]


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """Bodies are whole records with the empty fields left out: a documented field that is absent is None."""
    if kind.startswith(gohighlevel_workflow.KIND):
        return gohighlevel_workflow.normalise(raw, kind=kind, tenant_settings=tenant_settings)
    document = strict_json.parse(raw)
    if type(document) is not dict:
        raise Misfit("The event is not a JSON object.")
    content = _content(document)
    kind, name, _ = _identify(document, content, kind)
    names = NAMES.get(name)
    if names is None:
        if name == "Order" and type(content.get("source")) is dict:
            # Where it was bought, as an object: its kind is what our field takes.
            source = content["source"]
            content = {**content, "source": source.get("type"), "sourceDetails": source}
        fitted = fit(name, content, names={}, tenant_settings=tenant_settings, envelope=ENVELOPE)
        return Normalised(fitted, is_partial=False)
    fields: dict[str, Any] = dict.fromkeys(DOCUMENTED[name])
    fields["custom_fields"] = {}
    extra: dict[str, Any] = {}
    for key, value in content.items():
        if (known := names.get(key)) is not None:
            fields[known] = value if type(value) is str else plain(value)
        elif key == "customFields":
            fields["custom_fields"] = custom_fields(value, tenant_settings)
        elif key not in ENVELOPE:
            extra[snake(key)] = plain(value)
    if type(fields.get("tags")) is str:
        fields["tags"] = [tag.strip() for tag in fields["tags"].split(",") if tag.strip()]
    if type(fields.get("recipients")) is str:
        fields["recipients"] = [fields["recipients"]]
    if name == "Task":
        fields["completed"] = kind == "TaskComplete" or fields.get("completed")
    fields["extra"] = extra
    return Normalised(check(name, fields), is_partial=False)


def _content(document: dict[str, Any]) -> dict[str, Any]:
    """The record's own keys: flat as delivered, under ``data`` in the guide, under ``appointment``."""
    for wrapper in ("data", "appointment"):
        inner = document.get(wrapper)
        if type(inner) is dict and "id" in inner and "id" not in document:
            return inner
    return document


def _identify(document: dict[str, Any], content: dict[str, Any], named: str) -> tuple[str, str, str]:
    """The kind, our object and operation: as ``named``, by ``type``, by shape. No object: not an event."""
    kind = named or document.get("type")
    if type(kind) is str and kind in _MESSAGES:
        return kind, "Message", "insert"
    if type(kind) is not str or kind in {"one_time", "recurring"}:  # a Price names its own type so
        name = _shape(content)
        is_deleted = name == "Invoice" and content.get("status") == "delete"
        return "", name, "delete" if is_deleted else "update"
    if kind in _APP:
        return kind, "App", _APP[kind]
    known = _by_type(kind)
    return kind, known[0], known[1]


@lru_cache(maxsize=1024)
def _by_type(kind: str) -> tuple[str, str]:
    match = _SUFFIX.fullmatch(kind) if _TYPE.fullmatch(kind) else None
    if match is None:
        return "", "update"
    verb = match["verb"]
    operation = _OPERATIONS.get(verb or "", "update")
    for name in _KNOWN:
        if kind.startswith(name):
            return name, operation
    return match["object"], operation if verb else "insert"


def _shape(content: dict[str, Any]) -> str:
    """The object of a body without a type: HighLevel's invoices, products, records and schemas."""
    for name, keys in _SHAPES:
        if all(key in content for key in keys):
            return name
    return ""


_SHAPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Invoice", ("_id", "invoiceNumber")),
    ("Price", ("_id", "product", "amount")),
    ("Product", ("_id", "name", "locationId")),
    ("Relation", ("id", "firstRecordId", "secondRecordId")),
    ("Association", ("id", "firstObjectKey", "secondObjectKey")),
    ("Record", ("id", "properties")),
    ("ObjectSchema", ("id", "labels", "objectType")),
)


def _account(document: dict[str, Any], content: dict[str, Any], name: str) -> str | None:
    """The location an event belongs to; None when it names none, or not as text."""
    for holder in (document, content):
        if "locationId" in holder:
            location = holder["locationId"]
            return location if type(location) is str and location else None
    if content.get("altType") == "location":
        location = content.get("altId")
    elif name == "Location":
        location = content.get("id")
    else:
        return None
    return location if type(location) is str and location else None


def _record_id(content: dict[str, Any], name: str) -> str:
    found = content.get("id") or content.get("_id")
    if not found and name == "Message":
        found = content.get("messageId") or content.get("emailMessageId")
    if not found and name == "App":
        found = content.get("appId")
    return found if type(found) is str else ""


def _stand_in(name: str, key: str) -> str:
    """An id for what HighLevel sends without one: each message and statistic is a record of its own."""
    return key if name in {"Message", "LCEmailStats"} else ""


def _occurred_at(
    document: dict[str, Any], content: dict[str, Any], operation: str, at: datetime
) -> datetime | None:
    for value in (document.get("timestamp"), content.get("dateUpdated"), content.get("updatedAt")):
        if value and (found := adapter.moment(value, at=at)) is not None:
            return found
    if operation == "insert":
        return adapter.moment(content.get("dateAdded"), at=at)
    return None
