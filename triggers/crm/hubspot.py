"""HubSpot: signature v3 over method, address, body and sending time; arrays of up to 100 events."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from triggers import strict_json
from triggers.crm import adapter
from triggers.crm.adapter import BadSignature, Found, Normalised
from triggers.crm.hubspot_fields import FLAGS, NAMES, NUMBERS, TIMES
from triggers.schemas import FIELDS, Misfit, check, plain
from triggers.schemas.naming import field_map, pascal, snake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADERS: tuple[str, ...] = (
    "x-hubspot-signature-v3",
    "x-hubspot-request-timestamp",
    "x-hubspot-signature",
    "x-hubspot-signature-version",
)
PROOFS: frozenset[str] = frozenset()
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = True
SIGNS_ADDRESS = True
parse = strict_json.parse
MAX_EVENTS = 100

_OPERATIONS = {
    "creation": "insert",
    "newMessage": "insert",
    "propertyChange": "update",
    "associationChange": "update",
    "deletion": "delete",
    "privacyDeletion": "delete",
    "merge": "merge",
    "restore": "undelete",
}
_OBJECTS = {"contact": "Contact", "deal": "Opportunity", "0-1": "Contact", "0-3": "Opportunity"}
_OBJECT_TYPES = {
    "0-2": "Company",
    "0-5": "Ticket",
    "0-7": "Product",
    "0-8": "LineItem",
    "0-14": "Quote",
    "0-18": "Communication",
    "0-27": "Task",
    "0-46": "Note",
    "0-47": "Appointment",
    "0-48": "Call",
    "0-49": "Email",
    "0-53": "Invoice",
    "0-123": "Order",
}
# HubSpot signs the address with exactly these escapes decoded.
_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$",
    "%27": "'", "%28": "(", "%29": ")", "%2A": "*", "%2C": ",", "%3B": ";",
}  # fmt: skip


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
    """Check ``X-HubSpot-Signature-v3`` with any of the secrets, sent within five minutes."""
    written = headers.get("x-hubspot-signature-v3", "")
    if not written:
        if headers.get("x-hubspot-signature"):
            raise BadSignature("X-HubSpot-Signature is the legacy scheme; we take version 3.")
        raise BadSignature("The header X-HubSpot-Signature-v3 is missing.")
    sent = headers.get("x-hubspot-request-timestamp", "")
    if not sent.isascii() or not sent.isdigit() or len(sent) > 14:
        raise BadSignature("X-HubSpot-Request-Timestamp is not a time in milliseconds.")
    proven = False
    for uri in uris:
        message = method.encode() + decoded(uri).encode() + body + sent.encode()
        for secret in secrets:
            if not secret:
                continue  # anybody knows it
            expected = base64.b64encode(hmac.digest(secret.encode(), message, "sha256"))
            proven |= hmac.compare_digest(expected, written.encode(errors="backslashreplace"))
    if not proven:
        raise BadSignature(
            "X-HubSpot-Signature-v3 does not match the body, the address and the sending time."
        )
    if abs(at - (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(sent)))) > adapter.FRESH:
        raise BadSignature("The delivery was sent more than five minutes from now.")


def decoded(uri: str) -> str:
    """The address as HubSpot signs it."""
    if "%" not in uri:
        return uri
    for escape, character in _DECODED.items():
        uri = uri.replace(escape, character).replace(escape.lower(), character)
    return uri


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """Each element of the array; a body that is no array of 1 to 100 is quarantined whole."""
    if type(document) is not list or not 1 <= len(document) <= MAX_EVENTS:
        account = _account(document) if type(document) is dict else None
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT, account=account)]
    return [_found(event, raw, at) for event, raw in zip(document, strict_json.elements(body), strict=True)]


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """HubSpot tells one property an event, and of a new record its id alone."""
    event = strict_json.parse(raw)
    if type(event) is not dict:
        raise Misfit("The event is not a JSON object.")
    kind, name, operation = _identify(event)
    if kind.endswith(".propertyChange"):
        return Normalised(_property(event, name, tenant_settings), is_partial=True)
    if kind.endswith(".associationChange"):
        return Normalised(_association(event, name), is_partial=True)
    if name == "Message":
        fields = {
            "conversation_id": _text(event.get("objectId")),
            "message_id": _text(event.get("messageId")),
            "message_type": event.get("messageType"),
        }
        return Normalised(check(name, fields), is_partial=True)
    if operation == "merge":
        told = {snake(key): plain(event[key]) for key in ("mergedObjectIds", "newObjectId") if key in event}
        return Normalised(_told(name, told), is_partial=True)
    return Normalised({}, is_partial=True)


def _found(event: Any, raw: bytes, at: datetime) -> Found:
    if type(event) is not dict:
        return adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT)
    account = _account(event)
    kind, name, operation = _identify(event)
    if not name:
        return adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)
    record_id = _record_id(event, name)
    # eventId alone is not unique: HubSpot's own advice is to compare all of these.
    parts = [
        account,
        kind,
        record_id,
        event.get("eventId"),
        event.get("occurredAt"),
        event.get("propertyName"),
        event.get("toObjectId"),
    ]
    return Found(
        object=name,
        operation=operation,
        record_id=record_id,
        kind=kind[: adapter.MAX_KIND],
        occurred_at=adapter.moment(event.get("occurredAt"), at=at),
        dedup_key=adapter.key_of("|".join("" if part is None else str(part) for part in parts)),
        dedup_window=adapter.ID_WINDOW,
        raw=raw,
        account=account,
        problem=None if record_id else adapter.RECORD_MISSING,
    )


def _account(event: dict[str, Any]) -> str | None:
    portal = event.get("portalId")
    if type(portal) is int:
        return str(portal)
    return portal if type(portal) is str and portal else None


def _identify(event: dict[str, Any]) -> tuple[str, str, str]:
    """The kind as sent (``subscriptionType``, in older texts ``eventType``), our object and operation."""
    kind = event.get("subscriptionType") or event.get("eventType")
    if type(kind) is not str:
        return "", "", "update"
    prefix, _, verb = kind.partition(".")
    operation = _OPERATIONS.get(verb)
    if operation is None:
        return kind, "", "update"
    if prefix == "conversation" and verb == "newMessage":
        return kind, "Message", operation
    if prefix == "object":
        type_id = event.get("objectTypeId") or event.get("fromObjectTypeId")
        if type(type_id) is not str or not type_id:
            return kind, "", operation
        name = _OBJECT_TYPES.get(type_id) or _OBJECTS.get(type_id) or "Object" + pascal(type_id)
    else:
        name = _OBJECTS.get(prefix) or pascal(prefix)
    return kind, name[:60], operation


def _record_id(event: dict[str, Any], name: str) -> str:
    names = (
        ("messageId", "objectId") if name == "Message" else ("objectId", "primaryObjectId", "fromObjectId")
    )
    found = next((text for key in names if (text := _text(event.get(key)))), "")
    return found if len(found) <= adapter.MAX_RECORD_ID else ""


def _text(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return value if type(value) is str else ""


_ASSOCIATION = (
    "associationType", "associationTypeId", "associationCategory", "fromObjectId", "toObjectId",
    "fromObjectTypeId", "toObjectTypeId", "associationRemoved", "isPrimaryAssociation",
)  # fmt: skip


def _association(event: dict[str, Any], name: str) -> dict[str, Any]:
    """What was joined or parted; a deal that is joined to a contact knows it from then on."""
    told = {snake(key): plain(event[key]) for key in _ASSOCIATION if key in event}
    fields = _told(name, told)
    is_contact = event.get("associationType") == "DEAL_TO_CONTACT" or event.get("toObjectTypeId") == "0-1"
    if name == "Opportunity" and is_contact and event.get("associationRemoved") is False:
        fields |= check(name, {"contact_id": _text(event.get("toObjectId")) or None})
    return fields


def _told(name: str, told: dict[str, Any]) -> dict[str, Any]:
    """What an event tells beside the record's fields."""
    return {"extra": told} if told and name in FIELDS else told


def _property(event: dict[str, Any], name: str, tenant_settings: Mapping[str, Any]) -> dict[str, Any]:
    """The one changed property under our name; HubSpot writes every value as text, and "" for none."""
    key, value = event.get("propertyName"), event.get("propertyValue")
    if type(key) is not str or not key:
        raise Misfit(
            "The event names no property.", fields=[{"field": "propertyName", "reason": "is missing"}]
        )
    if value == "":
        value = None
    known = NAMES.get(name, {}).get(key)
    if known is None:
        if name not in NAMES:
            return {snake(key): plain(value)}
        return {"custom_fields": {field_map(tenant_settings).get(key, key): plain(value)}}
    fields = check(name, {known: _typed(known, value)})
    if key == "dealstage":
        # The default pipeline's closing stages say the outcome; others are any number or name.
        fields["status"] = {"closedwon": "won", "closedlost": "lost"}.get(str(value), "open")
    return fields


def _typed(field: str, value: Any) -> Any:
    if type(value) is not str:
        return value
    if field in FLAGS:
        if field == "completed":
            return value == "COMPLETED"
        return {"true": True, "false": False}.get(value.lower(), value)
    if field in NUMBERS:
        try:
            return plain(float(value))
        except ValueError:
            return value
    if field in TIMES and value.isascii() and value.isdigit() and len(value) <= 14:
        return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(value))).isoformat()
    if field == "tags":
        return [tag for tag in value.split(";") if tag]
    return value
