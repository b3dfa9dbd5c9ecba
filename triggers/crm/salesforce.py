"""Salesforce: outbound messages in SOAP, and change events as JSON from a relay.

Salesforce signs neither. A delivery is proven by the unguessable address, the organisation it names and a
shared secret; in place of the secret the connection may list the networks that Salesforce sends from.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from triggers import strict_json
from triggers.crm import adapter, proof, salesforce_xml
from triggers.crm.adapter import BadSignature, Found, Normalised
from triggers.crm.fields import fit
from triggers.crm.salesforce_fields import COMPOUND, ENVELOPE, NAMES, OBJECTS
from triggers.schemas import FIELDS, Misfit, check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

_ORGANIZATION = "x-organization-id"  # of a relay that puts it into a header
HEADERS: tuple[str, ...] = (proof.HEADER, "authorization", proof.QUERY, _ORGANIZATION)
PROOFS = frozenset({proof.HEADER, "authorization", proof.QUERY})
MEDIA_TYPES = {
    "application/json": "",
    **dict.fromkeys(("text/xml", "application/xml", "application/soap+xml"), salesforce_xml.ACK),
}
NAMES_ACCOUNT = True
SIGNS_ADDRESS = False
MAX_EVENTS = 100  # notifications of a message, or change events of a delivery
_MAX_FOUND = 400  # a change event may name many records
_MAX_STORED = 4 * strict_json.MAX_NODES * 1000  # bytes of one delivery's events

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_CHANGES = {"CREATE": "insert", "UPDATE": "update", "DELETE": "delete", "UNDELETE": "undelete"}
_WON = {"Closed Won": "won", "Closed Lost": "lost"}


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
    """Check the secret in a header or the address; without one, only listed senders are taken."""
    if not secrets:
        if proof.PEER in headers:
            return  # ingest has checked the list before
        raise BadSignature("The connection has neither a secret nor a list of senders: nothing proves this.")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    offered = (
        headers.get(proof.HEADER, ""),
        token.strip() if scheme.lower() == "bearer" else "",
        proof.parameter(headers, "secret"),
    )
    proof.prove(offered, secrets, what="The shared secret")


def parse(body: bytes) -> Any:
    """A ``Message`` of SOAP, None of other XML, or a JSON document. Raises ``Malformed``."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return salesforce_xml.parse(body)
    return strict_json.parse(body)


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """Each notification, or each record of each change event, in a JSON form of its own."""
    if isinstance(document, salesforce_xml.Message):
        organization = short(document.organization_id) or None
        found = [_notified(each, organization, at) for each in document.notifications]
    else:
        events = document if type(document) is list else [document]
        if not 1 <= len(events) <= MAX_EVENTS or document is None:
            return [_whole(body)]
        found = [each for event in events for each in _changed(event, headers, at)]
    if len(found) > _MAX_FOUND or sum(len(each.raw) for each in found) > _MAX_STORED:
        return [_whole(body)]
    return found


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """Both forms tell some fields of a record: those the message was made with, or those that changed."""
    event = strict_json.parse(raw)
    data = event.get("data") if type(event) is dict else None
    if type(data) is not dict:
        raise Misfit("The event has no fields.", fields=[{"field": "data", "reason": "should be an object"}])
    theirs = str(event.get("object"))
    name = OBJECTS.get(theirs, theirs)
    fields = fit(
        name,
        data,
        names=NAMES.get(theirs, {}),
        tenant_settings=tenant_settings,
        is_custom=lambda key: key.endswith("__c"),
        envelope=ENVELOPE,
    )
    more: dict[str, Any] = {}
    if name == "Opportunity" and "pipeline_stage_id" in fields:
        more["status"] = _WON.get(str(fields["pipeline_stage_id"]), "open")
    if name == "Task" and "Status" in data:
        more["completed"] = data["Status"] == "Completed"
    if theirs == "Lead":
        more["type"] = "lead"
    return Normalised({**fields, **check(name, more)} if name in FIELDS else fields, is_partial=True)


def short(organization: str) -> str:
    """Ids have 15 characters, or 18 with three that check them."""
    return organization[:15] if len(organization) == 18 else organization


def _notified(notification: salesforce_xml.Notification, organization: str | None, at: datetime) -> Found:
    values = notification.fields
    created, modified = values.get("CreatedDate"), values.get("LastModifiedDate")
    operation = "insert" if created and created == modified else "update"
    if str(values.get("IsDeleted")).lower() == "true":
        operation = "delete"
    event = {
        "object": notification.type,
        "operation": operation,
        "organizationId": organization,
        "notificationId": notification.id,
        "data": _flat(values),
    }
    return _found(
        event,
        record_id=str(values.get("Id") or ""),
        kind=f"outbound.{notification.type}",
        key=f"{organization}|{notification.id}" if notification.id else "",
        occurred_at=adapter.moment(modified or values.get("SystemModstamp"), at=at),
    )


def _changed(event: Any, headers: Mapping[str, str], at: datetime) -> Iterator[Found]:
    envelope = _dict(event) or {}
    inner = _dict(envelope.get("data")) or envelope
    payload = _dict(inner.get("payload")) or inner
    header = payload.get("ChangeEventHeader")
    organization = envelope.get("organizationId") or inner.get("organizationId") or headers.get(_ORGANIZATION)
    account = short(organization) if type(organization) is str and organization else None
    raw = msgspec.json.encode(event)
    if type(header) is not dict:
        yield adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT, account=account)
        return
    theirs, change = header.get("entityName"), str(header.get("changeType"))
    operation = _CHANGES.get(change.removeprefix("GAP_"))
    ids = header.get("recordIds")
    if operation is None or type(ids) is not list or not ids:
        problem = adapter.RECORD_MISSING if operation else adapter.NOT_AN_EVENT
        yield adapter.unrecognised(raw, problem=problem, kind=f"change.{change}", account=account)
        return
    names = header.get("changedFields")
    data = _flat({key: value for key, value in payload.items() if key != "ChangeEventHeader"})
    for name in names if type(names) is list else ():
        if type(name) is str and operation == "update" and not change.startswith("GAP_"):
            data.setdefault(_changed_name(name), None)  # it was emptied
    for record_id in dict.fromkeys(each for each in ids if type(each) is str):
        told = {
            "object": theirs,
            "operation": operation,
            "organizationId": account,
            "changedFields": names,
            "changeOrigin": header.get("changeOrigin"),
            "data": data,
        }
        place = (header.get("transactionKey"), header.get("sequenceNumber"), header.get("commitNumber"))
        yield _found(
            told,
            record_id=record_id,
            kind=f"change.{theirs}.{change}",
            key="|".join(str(part) for part in (account, *place, record_id)) if place[0] else "",
            occurred_at=adapter.moment(header.get("commitTimestamp"), at=at),
        )


def _found(
    event: dict[str, Any], *, record_id: str, kind: str, key: str, occurred_at: datetime | None
) -> Found:
    raw = msgspec.json.encode(event)
    theirs, account = event["object"], event["organizationId"]
    if type(theirs) is not str or not _NAME.fullmatch(theirs):
        return adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)
    is_known = 0 < len(record_id) <= adapter.MAX_RECORD_ID
    return Found(
        object=OBJECTS.get(theirs, theirs),
        operation=event["operation"],
        record_id=record_id if is_known else "",
        kind=kind[: adapter.MAX_KIND],
        occurred_at=occurred_at,
        dedup_key=adapter.key_of(key) if key else adapter.digest(raw + record_id.encode()),
        dedup_window=adapter.ID_WINDOW if key else adapter.BODY_WINDOW,
        raw=raw,
        account=account,
        problem=None if is_known else adapter.RECORD_MISSING,
    )


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Compound fields as their parts: ``MailingAddress.City`` is ``MailingCity``."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if type(value) is dict and name in COMPOUND:
            flat.update({COMPOUND[name] + part: inner for part, inner in value.items()})
        else:
            flat[name] = value
    return flat


def _changed_name(name: str) -> str:
    whole, _, part = name.partition(".")
    return COMPOUND.get(whole, "") + part if part else whole


def _dict(value: Any) -> dict[str, Any] | None:
    return value if type(value) is dict else None


def _whole(body: bytes) -> Found:
    """A delivery that is no event, kept as JSON as all bodies are."""
    raw = msgspec.json.encode({"body": body.decode(errors="replace").replace("\0", "\ufffd")})
    return adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT)
