"""Pipedrive, webhooks v2: HTTP Basic, one event a delivery, with the old values of what changed."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, Any

import msgspec

from triggers import strict_json
from triggers.crm import adapter, proof
from triggers.crm.adapter import BadSignature, Found, Normalised
from triggers.crm.fields import fit, identity
from triggers.crm.pipedrive_fields import ENVELOPE, NAMES, OBJECTS
from triggers.schemas import FIELDS, Misfit, check
from triggers.schemas.naming import pascal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

HEADERS: tuple[str, ...] = ("authorization",)
PROOFS = frozenset({"authorization"})
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = True
SIGNS_ADDRESS = False
parse = strict_json.parse

_OPERATIONS = {"create": "insert", "change": "update", "delete": "delete"}
_HASH = re.compile(r"[0-9a-f]{40}(?:_\w+)?")  # how Pipedrive calls a custom field
_SECONDS = 10**11  # a smaller number is seconds, a larger one milliseconds
_SURE_ID = 16  # characters; a shorter meta.id is the record's


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
    """Check the user name and password; the connection's secret is ``user:password``."""
    scheme, _, written = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        raise BadSignature("The HTTP Basic user name and password are missing.")
    try:
        given = binascii.a2b_base64(written.strip().encode(), strict_mode=True).decode()
    except (binascii.Error, ValueError):
        raise BadSignature("The HTTP Basic header is not base64 of a user name and password.") from None
    proof.prove((given,), secrets, what="The HTTP Basic user name and password")


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """What ``meta`` names."""
    meta = document.get("meta") if type(document) is dict else None
    if type(meta) is not dict:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT)]
    account = identity(meta.get("company_id")) or None
    entity, action = meta.get("entity"), meta.get("action")
    kind = f"{entity}.{action}"
    name = _object(entity)
    if not name or type(action) is not str or action not in _OPERATIONS:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)]
    record_id = identity(meta.get("entity_id"))
    is_known = 0 < len(record_id) <= adapter.MAX_RECORD_ID
    own_id = meta.get("id")
    if type(own_id) is str and len(own_id) >= _SURE_ID:
        key = adapter.key_of(f"{account}|{own_id}")
    else:
        # A second attempt differs in its number alone.
        told = {**document, "meta": {name: value for name, value in meta.items() if name != "attempt"}}
        key = adapter.digest(msgspec.json.encode(told, order="deterministic"))
    return [
        Found(
            object=name,
            operation=_OPERATIONS[action],
            record_id=record_id if is_known else "",
            kind=kind[: adapter.MAX_KIND],
            occurred_at=_moment(meta.get("timestamp"), at=at),
            dedup_key=key,
            dedup_window=adapter.ID_WINDOW,
            raw=body,
            account=account,
            problem=None if is_known else adapter.RECORD_MISSING,
        )
    ]


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """``data`` is the record as it is, ``previous`` what its changed fields were."""
    document = strict_json.parse(raw)
    meta = document.get("meta") if type(document) is dict else None
    if type(meta) is not dict:
        raise Misfit("The event has no meta.", fields=[{"field": "meta", "reason": "should be an object"}])
    name = _object(meta.get("entity"))
    data, previous = document.get("data"), document.get("previous")
    action = meta.get("action")
    if action == "delete":
        told = {"merged_to_id": meta["merged_to_id"]} if meta.get("merged_to_id") else {}
        fields = {"extra": told} if told and name in FIELDS else told
        return Normalised(fields, is_partial=True, old=_fields(name, previous, tenant_settings) or None)
    if type(data) is not dict:
        raise Misfit("The event has no data.", fields=[{"field": "data", "reason": "should be an object"}])
    fields = _fields(name, data, tenant_settings)
    old = _fields(name, previous, tenant_settings) if action == "change" else {}
    if old and "custom_fields" in old:
        old["custom_fields"] = {**fields.get("custom_fields", {}), **old["custom_fields"]}
    return Normalised(fields, is_partial=True, old=old or None)


def _object(entity: Any) -> str:
    if type(entity) is not str or not entity:
        return ""
    name = OBJECTS.get(entity) or pascal(entity)
    return name if name and name[0].isalpha() and name.isascii() and len(name) <= 60 else ""


def _fields(name: str, data: Any, tenant_settings: Mapping[str, Any]) -> dict[str, Any]:
    if type(data) is not dict:
        return {}
    values: dict[str, Any] = {}
    for key, value in data.items():
        if key in {"emails", "email", "phones", "phone"} and type(value) is list:
            values[key.removesuffix("s")] = _primary(value)
        elif key == "postal_address" and type(value) is dict:
            values |= {f"postal_{part}": inner for part, inner in value.items()}
        elif key == "custom_fields" and type(value) is dict:
            values |= {hashed: _plain_value(inner) for hashed, inner in value.items()}
        elif key.endswith("_id") and type(value) is dict:
            values[key] = value.get("value", value.get("id"))
        else:
            values[key] = value
    if name == "Task" and type(values.get("due_date")) is str:
        clock = values.pop("due_time", None)
        values["due_date"] += f"T{clock}Z" if type(clock) is str and clock else ""
    if name == "Task" and type(values.get("priority")) is int:
        values["priority"] = str(values["priority"])
    fields = fit(
        name,
        values,
        names=NAMES.get(name, {}),
        tenant_settings=tenant_settings,
        is_custom=lambda key: bool(_HASH.fullmatch(key)),
        envelope=ENVELOPE,
    )
    if name == "Opportunity" and fields.get("status") == "deleted":
        fields |= check(name, {"status": "abandoned"})
    return fields


def _primary(values: list[Any]) -> Any:
    """The first of several addresses or numbers, or the one marked so."""
    rows = [row for row in values if type(row) is dict and row.get("value")]
    found = next((row for row in rows if row.get("primary") is True), rows[0] if rows else None)
    return found["value"] if found else None


def _plain_value(value: Any) -> Any:
    """A custom field's value out of its wrapping, ``{"type": "double", "value": 5}``."""
    if type(value) is dict and "type" in value:
        return value.get("value", value.get("values", value.get("id")))
    return value


def _moment(value: Any, *, at: datetime) -> datetime | None:
    if type(value) in {int, float} and 0 < value < _SECONDS:
        value *= 1000
    return adapter.moment(value, at=at)
