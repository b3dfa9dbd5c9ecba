"""GoHighLevel's workflow action "Webhook": unsigned, snake_case, custom fields by their labels.

It takes the deliveries of a connection that was set up for it, and of no other: where signatures are
demanded, this way in is closed. Its events' kinds begin with ``KIND``, which tells that a shared secret
proved them and no signature.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from triggers import strict_json
from triggers.crm import adapter, proof
from triggers.crm.adapter import Found, Normalised
from triggers.crm.fields import fit, identity
from triggers.schemas import Misfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

HEADERS: tuple[str, ...] = (proof.HEADER, proof.QUERY)
PROOFS = frozenset({proof.HEADER, proof.QUERY})
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = True
SIGNS_ADDRESS = False
parse = strict_json.parse
KIND = "workflow-action"  # no type of a signed event can be written so

_TYPE = re.compile(r"(Contact|Opportunity|Appointment)[A-Za-z]{0,40}")
_DATA = "customData"
_OURS = frozenset({"secret", "idempotency_key", "type"})  # of customData: to us, and no fields
_ENVELOPE = frozenset({"contact_id", "type", "location", "workflow", "triggerData", "contact", _DATA})
_ABOUT = frozenset({"attributionSource", "user", "calendar", "message", "full_address", "id"})
_NAMES: dict[str, dict[str, str]] = {
    "Contact": {
        "full_name": "name",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "phone": "phone",
        "company_name": "company_name",
        "address1": "address1",
        "city": "city",
        "state": "state",
        "postal_code": "postal_code",
        "country": "country",
        "timezone": "timezone",
        "website": "website",
        "date_of_birth": "date_of_birth",
        "contact_source": "source",
        "contact_type": "type",
        "tags": "tags",
        "date_created": "created_at",
    },
    "Opportunity": {
        "opportunity_name": "name",
        "status": "status",
        "lead_value": "monetary_value",
        "pipeline_id": "pipeline_id",
        "pipeline_stage_id": "pipeline_stage_id",
        "pipleline_stage": "pipeline_stage_id",  # as HighLevel spells it
        "pipeline_stage": "pipeline_stage_id",
        "opportunity_source": "source",
        "owner": "assigned_to",
    },
    "Appointment": {
        "title": "title",
        "address": "address",
        "id": "calendar_id",
        "startTime": "starts_at",
        "endTime": "ends_at",
        "notes": "notes",
        "appoinmentStatus": "status",  # as HighLevel spells it
        "appointmentStatus": "status",
        "status": "status",
        "date_created": "created_at",
    },
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
    """Check the secret in the header, or in ``customData.secret``. Raises also ``Malformed``."""
    offered = [headers.get(proof.HEADER, ""), proof.parameter(headers, "secret")]
    if not any(offered):
        data = _dict(_dict(strict_json.parse(body)).get(_DATA))
        written = data.get("secret")
        offered = [written if type(written) is str else ""]
    proof.prove(offered, secrets, what="The shared secret")


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """One event, named by the address's ``type``, the body's, or its shape. The secret is not kept."""
    if type(document) is not dict:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT)]
    data = _dict(document.get(_DATA))
    raw = body
    if "secret" in data:
        without = {name: value for name, value in data.items() if name != "secret"}
        raw = msgspec.json.encode({**document, _DATA: without})
    location = _dict(document.get("location")).get("id") or document.get("location_id")
    account = location if type(location) is str and location else None
    named = proof.parameter(headers, "type") or data.get("type") or document.get("type")
    said = named if type(named) is str and _TYPE.fullmatch(named) else ""
    name, record_id = _identify(document, said)
    kind = f"{KIND}.{said}" if said else KIND
    if not name:
        return [adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)]
    own = data.get("idempotency_key")
    has_own = type(own) is str and own and "{{" not in own
    is_known = 0 < len(record_id) <= adapter.MAX_RECORD_ID
    return [
        Found(
            object=name,
            operation="insert"
            if said.endswith("Create")
            else "delete"
            if said.endswith("Delete")
            else "update",
            record_id=record_id if is_known else "",
            kind=kind[: adapter.MAX_KIND],
            # Its only times are the record's.
            occurred_at=None,
            dedup_key=adapter.key_of(f"{KIND}|{own}") if has_own else adapter.digest(raw + said.encode()),
            dedup_window=adapter.ID_WINDOW if has_own else adapter.BODY_WINDOW,
            raw=raw,
            account=account,
            problem=None if is_known else adapter.RECORD_MISSING,
        )
    ]


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """Partial: the action sends what the workflow was given, and leaves out what is empty."""
    document = strict_json.parse(raw)
    name, _ = _identify(document, kind.removeprefix(KIND).removeprefix("."))
    if not name:
        raise Misfit("The event names no contact.", fields=[{"field": "contact_id", "reason": "is missing"}])
    values = {key: value for key, value in document.items() if key not in _ENVELOPE | _ABOUT}
    if name == "Appointment":
        values = {
            key: value for key, value in _dict(document.get("calendar")).items() if key != "appointmentId"
        }
    elif name == "Opportunity":
        # The contact's own fields come along; they are not the opportunity's.
        values = {key: value for key, value in values.items() if key not in _NAMES["Contact"]}
    values |= {key: value for key, value in _dict(document.get(_DATA)).items() if key not in _OURS}
    is_field = _NAMES[name].__contains__
    fields = fit(
        name,
        values,
        names=_NAMES[name],
        tenant_settings=tenant_settings,
        # A label is whatever the agency wrote; what the calendar adds is none.
        is_custom=lambda key: name != "Appointment" and not is_field(key),
    )
    if name != "Contact" and type(document.get("contact_id")) is str:
        fields["contact_id"] = document["contact_id"]
    return Normalised(fields, is_partial=True)


def _identify(document: Any, said: str) -> tuple[str, str]:
    """Our object and the record's id; no object: it is no event."""
    document = _dict(document)
    calendar = _dict(document.get("calendar"))
    match = _TYPE.fullmatch(said)
    name = match[1] if match else ""
    if not name and calendar.get("appointmentId"):
        name = "Appointment"
    if not name and document.get("opportunity_name") and document.get("id"):
        name = "Opportunity"
    if name == "Appointment":
        return name, identity(calendar.get("appointmentId"))
    if name == "Opportunity":
        return name, identity(document.get("id") or document.get("opportunity_id"))
    return ("Contact", identity(document.get("contact_id"))) if name or "contact_id" in document else ("", "")


def _dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}
