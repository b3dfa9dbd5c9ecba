"""Writing to HubSpot: its batch endpoints, up to 100 records a request, with an answer for each."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triggers.crm.hubspot_fields import NAMES
from triggers.crm.writer import Call, Said
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.crm.writer import Key, Write

LARGEST = 100
# Who an object's records are, in addresses; and HubSpot's number for "this task is about that".
_PATHS = {"Contact": "contacts", "Opportunity": "deals", "Task": "tasks"}
_TASK_ABOUT = {"Contact": 204, "Opportunity": 216}
OBJECTS = frozenset(_PATHS)
_VERBS = ("create", "update", "archive")
# HubSpot works these out itself and refuses the whole request that holds one.
_READ_ONLY = frozenset(
    {"createdate", "lastmodifieddate", "hs_lastmodifieddate", "hs_analytics_source", "hs_email_optout"}
)
_TASK = {
    "title": "hs_task_subject",
    "body": "hs_task_body",
    "due_at": "hs_timestamp",
    "priority": "hs_task_priority",
    "completed": "hs_task_status",
    "assigned_to": "hubspot_owner_id",
}
_PRIORITIES = {"critical": "HIGH", "high": "HIGH", "normal": "MEDIUM", "medium": "MEDIUM", "low": "LOW"}
_STAGES = {"won": "closedwon", "lost": "closedlost"}  # of the default pipeline, as webhooks are read
_PROPERTIES = {
    **{obj: {ours: theirs for theirs, ours in names.items()} for obj, names in NAMES.items()},
    "Task": _TASK,
}
# Of a 207: these errors pass.
_PASSING = frozenset({"RATE_LIMITS", "RATE_LIMIT", "INTERNAL_ERROR"})
_LONGEST = 500


def plan(writes: Sequence[Write], *, remote: Mapping[Key, str]) -> tuple[list[Call], dict[Key, str]]:
    """Creations first, and contacts before the tasks about them; at most 100 records a request."""
    groups: dict[tuple[str, str], list[Write]] = {}
    unsendable: dict[Key, str] = {}
    for write in writes:
        verb = _verb(write, remote)
        if verb != "create" and not _id(write.key, remote).isdigit():
            unsendable[write.key] = f"HubSpot's id of {write.object} {write.id} is not known."
        elif verb != "archive" and not _properties(write, {}):
            unsendable[write.key] = _nothing_left(write)
        else:
            groups.setdefault((write.object, verb), []).append(write)
    calls = []
    for obj, path in _PATHS.items():
        for verb in _VERBS:
            batch = groups.get((obj, verb), [])
            calls += [
                Call(
                    f"/crm/v3/objects/{path}/batch/{verb}",
                    tuple(batch[at : at + LARGEST]),
                    is_repeatable=verb != "create",
                )
                for at in range(0, len(batch), LARGEST)
            ]
    return calls, unsendable


def body(
    call: Call, *, remote: Mapping[Key, str], names: Mapping[str, str], account: str = "", at: datetime
) -> dict[str, Any]:
    """The inputs of a batch endpoint."""
    verb = call.path.rpartition("/")[2]
    inputs: list[dict[str, Any]] = []
    for write in call.writes:
        if verb == "archive":
            inputs.append({"id": _id(write.key, remote)})
        elif verb == "update":
            inputs.append({"id": _id(write.key, remote), "properties": _properties(write, names)})
        else:
            properties = _properties(write, names)
            if write.object == "Task":
                # HubSpot wants a time of every task.
                properties = {"hs_timestamp": _moment(at), "hs_task_status": "NOT_STARTED", **properties}
            given = {"properties": properties, "associations": _about(write, remote)}
            inputs.append({**given, "objectWriteTraceId": write.code})
    return {"inputs": inputs}


def address(call: Call, *, remote: Mapping[Key, str]) -> str:
    """The ids stand in the body."""
    return call.path


def left_out(write: Write) -> list[str]:
    """Fields of the object that HubSpot has no writable property for."""
    return sorted(name for name in write.fields if name != "custom_fields" and not _property(write, name))


def read(call: Call, status: int, body: bytes, *, remote: Mapping[Key, str]) -> Said:
    """200, 201 and 204 took all; 207 says which; any other refuses all, sometimes naming a property."""
    document = _document(body)
    if status == 207:
        return _read_each(call, document, remote)
    if 200 <= status < 300:
        made = _made(call, document)
        return Said(sent={write.key: made.get(write.code, "") for write in call.writes})
    detail = f"HubSpot answered {status}: {_text(document.get('message')) or 'no reason given'}"
    missing = _missing_properties(document)
    refused = {
        write.key: f"HubSpot has no property {', '.join(sorted(missing & set(_properties(write, {}))))}."
        for write in call.writes
        if missing & set(_properties(write, {}))
    }
    if not refused and len(call.writes) == 1:
        refused = {call.writes[0].key: detail}
    return Said(refused=refused, is_unclear=not refused, detail=detail)


def _read_each(call: Call, document: dict[str, Any], remote: Mapping[Key, str]) -> Said:
    said = Said()
    results = _dicts(document.get("results"))
    errors = _dicts(document.get("errors"))
    made = _made(call, document)
    ids = {_text(row.get("id")) for row in results}
    reasons: dict[str, dict[str, Any]] = {}
    rest: dict[str, Any] | None = None
    for error in errors:
        context = error.get("context")
        named: dict[str, Any] = context if isinstance(context, dict) else {}
        about = [
            *_texts(named.get("ids")),
            *_texts(named.get("id")),
            *_texts(named.get("objectWriteTraceId")),
        ]
        reasons.update(dict.fromkeys(about, error))
        rest = rest if about else error
    for write in call.writes:
        theirs = _id(write.key, remote)
        found = reasons.get(theirs) or reasons.get(write.code)
        if found is None and (theirs in ids or write.code in made):
            said.sent[write.key] = made.get(write.code, "")
            continue
        error = found or rest or {}
        if error.get("category") not in _PASSING:
            reason = _text(error.get("message")) or "no reason given"
            said.refused[write.key] = f"HubSpot refused it: {reason}"
        else:
            said.detail = f"HubSpot answered: {_text(error.get('message'))}"
    return said


def _verb(write: Write, remote: Mapping[Key, str]) -> str:
    if write.operation == "delete":
        return "archive"
    if write.operation == "insert" or (write.operation == "upsert" and not _id(write.key, remote).isdigit()):
        return "create"
    return "update"


def _id(key: Key, remote: Mapping[Key, str]) -> str:
    return remote.get(key) or key[1]


def _properties(write: Write, names: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, value in write.fields.items():
        if name == "custom_fields" and isinstance(value, dict):
            found.update({names.get(label, label): _value(label, item) for label, item in value.items()})
        elif known := _property(write, name):
            found[known] = _value(name, value)
    if write.object == "Opportunity" and "dealstage" not in found:
        stage = _STAGES.get(str(write.fields.get("status")))
        found |= {"dealstage": stage} if stage else {}
    return found


def _property(write: Write, name: str) -> str | None:
    """HubSpot's name of a field; None when it has none we may write. A name of the script's own stays."""
    known = _PROPERTIES[write.object].get(name)
    if known is None:
        is_ours = name in FIELDS[write.object] or (write.object == "Task" and name == "record_id")
        return None if is_ours or name == "id" else name
    return None if known in _READ_ONLY else known


def _value(name: str, value: Any) -> str:
    """A property's value: HubSpot takes texts; what is nested goes as JSON."""
    if value is None:
        return ""
    if name == "priority":
        return _PRIORITIES.get(str(value), "NONE")
    if name == "completed":
        return "COMPLETED" if value else "NOT_STARTED"
    if name == "due_at":
        return _moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, datetime):
        return value.isoformat()
    if name == "tags" and isinstance(value, list):
        return ";".join(str(tag) for tag in value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(value)


def _moment(value: Any) -> str:
    """Milliseconds since the epoch, as text; what is no time stays as it is."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return str(round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000))


def _about(write: Write, remote: Mapping[Key, str]) -> list[dict[str, Any]]:
    """The record that a task is about."""
    record_id = str(write.fields.get("record_id") or write.fields.get("contact_id") or "")
    about = write.about if write.about in _TASK_ABOUT and not write.fields.get("contact_id") else "Contact"
    theirs = _id((about, record_id), remote)
    if write.object != "Task" or not theirs.isdigit():
        return []
    kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": _TASK_ABOUT[about]}
    return [{"to": {"id": theirs}, "types": [kind]}]


def _nothing_left(write: Write) -> str:
    return f"HubSpot lets nobody write {', '.join(left_out(write)) or 'nothing'}."


def _made(call: Call, document: dict[str, Any]) -> dict[str, str]:
    """HubSpot's ids of the records it made, by our name of the write. Its results have no order."""
    if not call.path.endswith("/create"):
        return {}
    results = _dicts(document.get("results"))
    if len(results) == 1 and len(call.writes) == 1:
        return {call.writes[0].code: _text(results[0].get("id"))}
    return {
        _text(row.get("objectWriteTraceId")): _text(row.get("id"))
        for row in results
        if row.get("objectWriteTraceId")
    }


def _missing_properties(document: dict[str, Any]) -> set[str]:
    missing: set[str] = set()
    for error in _dicts(document.get("errors")):
        if error.get("code") == "PROPERTY_DOESNT_EXIST":
            context = error.get("context")
            missing.update(_texts(context.get("propertyName")) if isinstance(context, dict) else [])
    return missing


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]
