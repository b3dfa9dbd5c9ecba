"""Standard Webhooks 1.0.0: any sender that signs id, time and body, and names what happened in ``type``."""

from __future__ import annotations

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from triggers import strict_json
from triggers.crm import adapter
from triggers.crm.adapter import BadSignature, Found, Normalised
from triggers.schemas import FIELDS, Misfit, check, plain
from triggers.schemas.naming import custom_fields, field_map, pascal, snake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HEADERS: tuple[str, ...] = ("webhook-id", "webhook-timestamp", "webhook-signature")
PROOFS: frozenset[str] = frozenset()
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = False
SIGNS_ADDRESS = False
parse = strict_json.parse

_MAX_SIGNATURES = 20
_OBJECTS = {"deal": "Opportunity", "lead": "Contact", "person": "Contact"}
_OPERATIONS = dict.fromkeys(
    ("created", "create", "new", "added", "received", "sent", "submitted", "placed"), "insert"
)
_OPERATIONS |= dict.fromkeys(("deleted", "delete", "removed", "archived", "erased"), "delete")
_OPERATIONS |= dict.fromkeys(("restored", "undeleted", "unarchived"), "undelete")
_OPERATIONS |= dict.fromkeys(("merged", "merge"), "merge")
# What senders commonly call our fields.
_ALIASES = {
    "Contact": {
        "zip": "postal_code",
        "zip_code": "postal_code",
        "postcode": "postal_code",
        "company": "company_name",
        "address": "address1",
        "mobile": "mobile_phone",
        "full_name": "name",
        "birthday": "date_of_birth",
    },
    "Opportunity": {
        "amount": "monetary_value",
        "value": "monetary_value",
        "title": "name",
        "stage": "pipeline_stage_id",
    },
    "Task": {"due_date": "due_at", "due": "due_at"},
    "Appointment": {"start_time": "starts_at", "end_time": "ends_at"},
    "Message": {"from": "sender", "to": "recipients", "text": "body"},
}


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
    """Accept any ``v1`` signature in the header by any of our secrets: both sides may be rotating."""
    message_id, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    written = headers.get("webhook-signature", "")
    if not message_id or not sent or not written:
        raise BadSignature("One of webhook-id, webhook-timestamp and webhook-signature is missing.")
    if not sent.isascii() or not sent.isdigit() or len(sent) > 11:
        raise BadSignature("webhook-timestamp is not a time in seconds.")
    offered = [
        token[3:].encode(errors="backslashreplace")
        for token in written.split(" ")[:_MAX_SIGNATURES]
        if token.startswith("v1,")
    ]
    message = f"{message_id}.{sent}.".encode(errors="backslashreplace") + body
    proven = False
    for secret in secrets:
        key = _key(secret)
        if key is None:
            continue
        expected = base64.b64encode(hmac.digest(key, message, "sha256"))
        for signature in offered:
            proven |= hmac.compare_digest(expected, signature)
    if not proven:
        raise BadSignature("No v1 signature in webhook-signature matches the body.")
    if abs(at - (datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(sent)))) > adapter.FRESH:
        raise BadSignature("The delivery was sent more than five minutes from now.")


def _key(secret: str) -> bytes | None:
    try:
        return binascii.a2b_base64(secret.removeprefix("whsec_").encode()) or None
    except (binascii.Error, UnicodeEncodeError):
        return None


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """One event a delivery, known again by its ``webhook-id``."""
    key = adapter.key_of(headers.get("webhook-id", "") or adapter.digest(body))
    kind, name, operation = _identify(document)
    data = document.get("data") if type(document) is dict else None
    record_id, problem = "", adapter.NOT_AN_EVENT
    if name and type(data) is dict:
        # A new thing without an id of its own, as forms send it, is known by its delivery.
        record_id = _record_id(data, name) or (key if operation == "insert" else "")
        problem = "" if record_id else adapter.RECORD_MISSING
    return [
        Found(
            object=name,
            operation=operation,
            record_id=record_id,
            kind=kind[: adapter.MAX_KIND],
            occurred_at=adapter.moment(document.get("timestamp"), at=at) if type(document) is dict else None,
            dedup_key=key,
            dedup_window=adapter.ID_WINDOW,
            raw=body,
            problem=problem or None,
        )
    ]


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """The fields of ``data``; an update changes only what it names: senders differ in how much they send."""
    document = strict_json.parse(raw)
    _, name, operation = _identify(document)
    data = document.get("data") if type(document) is dict else None
    if type(data) is not dict:
        raise Misfit("The event has no data.", fields=[{"field": "data", "reason": "should be an object"}])
    is_partial = operation != "insert"
    documented = FIELDS.get(name)
    if documented is None:
        return Normalised(
            {snake(key): plain(value) for key, value in data.items() if key != "id"}, is_partial
        )
    aliases = _ALIASES.get(name, {})
    names = field_map(tenant_settings)
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for key, value in data.items():
        ours = snake(key)
        ours = aliases.get(ours, ours)
        if ours == "custom_fields":
            given = custom_fields(value, tenant_settings)
            if type(given) is not dict:
                raise Misfit(
                    "custom_fields is not a map.", fields=[{"field": key, "reason": "should be an object"}]
                )
            custom |= given
        elif ours in documented and ours != "extra":
            fields[ours] = plain(value)
        elif key != "id":
            custom[names.get(key) or key] = plain(value)
    if custom:
        fields["custom_fields"] = custom
    return Normalised(check(name, fields), is_partial)


def _identify(document: Any) -> tuple[str, str, str]:
    """``contact.created`` is an insert of Contact; ``sales.order.updated`` an update of SalesOrder."""
    kind = document.get("type") if type(document) is dict else None
    if type(kind) is not str:
        return "", "", "update"
    what, _, verb = kind.rpartition(".")
    name = _OBJECTS.get(what.lower()) or pascal(what)
    if not name or not name[0].isalpha() or not name.isascii() or len(name) > 60:
        return kind, "", "update"
    return kind, name, _OPERATIONS.get(verb.lower(), "update")


def _record_id(data: dict[str, Any], name: str) -> str:
    found = data.get("id", data.get(f"{snake(name)}_id"))
    if type(found) is int:
        found = str(found)
    return found if type(found) is str and len(found) <= adapter.MAX_RECORD_ID else ""
