"""Zoho CRM notifications: a token that Zoho echoes, ids of one module's records, and values if asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from triggers import strict_json
from triggers.crm import adapter, proof
from triggers.crm.adapter import Found, Normalised
from triggers.crm.fields import fit, identity
from triggers.crm.zoho_fields import NAMES, OBJECTS
from triggers.schemas import FIELDS, Misfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

HEADERS: tuple[str, ...] = ()
PROOFS: frozenset[str] = frozenset()
MEDIA_TYPES = adapter.JSON
NAMES_ACCOUNT = True  # the channel
SIGNS_ADDRESS = False
parse = strict_json.parse
MAX_IDS = 100
LONGEST_TOKEN = 50  # Zoho takes no longer one

_OPERATIONS = {
    "insert": "insert",
    "create": "insert",
    "update": "update",
    "edit": "update",
    "delete": "delete",
    "restore": "undelete",
}
_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_CLOCK = ("server_time", "time")


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
    """Check the token that we gave when the channel was opened. Raises also ``Malformed``."""
    document = strict_json.parse(body)
    token = document.get("token") if type(document) is dict else None
    proof.prove((token if type(token) is str else "",), secrets, what="The token")


def find(document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
    """One event for each id, in a JSON form of its own that holds neither token nor parameters."""
    if type(document) is not dict:
        return [adapter.unrecognised(body, problem=adapter.NOT_AN_EVENT)]
    account = identity(document.get("channel_id")) or None
    module, said, ids = document.get("module"), document.get("operation"), document.get("ids")
    operation = _OPERATIONS.get(said.lower()) if type(said) is str else None
    kept = {name: value for name, value in document.items() if name not in {"token", "query_params"}}
    kind = f"{module}.{said}"
    is_event = type(module) is str and _MODULE.fullmatch(module) and operation is not None
    if not is_event or type(ids) is not list or not 1 <= len(ids) <= MAX_IDS:
        raw = msgspec.json.encode(kept)
        return [adapter.unrecognised(raw, problem=adapter.NOT_AN_EVENT, kind=kind, account=account)]
    values, fields = _by_record(document.get("affected_values")), _by_record(document.get("affected_fields"))
    clock = next((document[name] for name in _CLOCK if name in document), None)
    occurred_at = adapter.moment(clock, at=at)
    found = []
    for number, each in enumerate(ids):
        record_id = identity(each)
        is_known = 0 < len(record_id) <= adapter.MAX_RECORD_ID
        raw = msgspec.json.encode(
            {
                "module": module,
                "operation": said,
                "id": record_id,
                "channel_id": account,
                "server_time": clock,
                "affected_fields": fields.get(record_id),
                "data": values.get(record_id, {}),
            }
        )
        found.append(
            Found(
                object=OBJECTS.get(str(module), str(module)),
                operation=str(operation),
                record_id=record_id if is_known else "",
                kind=kind[: adapter.MAX_KIND],
                occurred_at=occurred_at,
                # Its time makes it one of its kind; without, only its bytes tell it apart.
                dedup_key=adapter.digest(raw if is_known else raw + str(number).encode()),
                dedup_window=adapter.ID_WINDOW if clock else adapter.BODY_WINDOW,
                raw=raw,
                account=account,
                problem=None if is_known else adapter.RECORD_MISSING,
            )
        )
    return found


def normalise(raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
    """The values that Zoho sent along, if it was asked to; else only that it happened."""
    event = strict_json.parse(raw)
    data = event.get("data") if type(event) is dict else None
    if type(data) is not dict:
        raise Misfit("The event has no data.", fields=[{"field": "data", "reason": "should be an object"}])
    module = str(event.get("module"))
    name = OBJECTS.get(module, module)
    known = NAMES.get(module, {})
    fields = fit(
        name,
        {key: _looked_up(key, value, known) for key, value in data.items()},
        names=known,
        tenant_settings=tenant_settings,
        is_custom=lambda key: key not in known,
        envelope=frozenset({"id"}),
    )
    if name == "Opportunity" and fields.get("pipeline_stage_id"):
        stage = str(fields["pipeline_stage_id"])
        won, lost = stage == "Closed Won", stage.startswith("Closed Lost")
        fields["status"] = "won" if won else "lost" if lost else "open"
    if module == "Leads" and name in FIELDS:
        fields["type"] = "lead"
    if module == "Tasks" and "Status" in data:
        fields["completed"] = data["Status"] == "Completed"
    return Normalised(fields, is_partial=True)


def _looked_up(key: str, value: Any, known: Mapping[str, str]) -> Any:
    """A record that another refers to, as the text our field takes: its id, or its name."""
    if type(value) is not dict or key not in known:
        return value
    return value.get("name" if known[key] == "company_name" else "id")


def _by_record(value: Any) -> dict[str, Any]:
    """Zoho's lists of what was affected, by record: ``{"record_id": …, "values": …}`` or ``{"<id>": …}``."""
    found: dict[str, Any] = {}
    for row in value if type(value) is list else ():
        if type(row) is not dict:
            continue
        if "record_id" in row:
            found[identity(row["record_id"])] = row.get("values")
        else:
            found |= row
    return {key: item for key, item in found.items() if key and type(item) in {dict, list}}
