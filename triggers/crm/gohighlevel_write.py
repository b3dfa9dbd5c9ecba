"""Writing to GoHighLevel: record by record, for it has no bulk write of fields; tags many records at once.

``PUT /contacts/{id}`` with ``tags`` would overwrite all tags, also those of a person or a workflow, so tags
never stand in it: what was added and what was removed go to the endpoints for just that.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from triggers.crm.gohighlevel_fields import NAMES
from triggers.crm.writer import Call, Said
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.crm.writer import Key, Write

OBJECTS = frozenset({"Contact", "Opportunity", "Task", "Note"})
MOST_TAGGED = 100  # contacts of one request
_TAGS = "/contacts/bulk/tags/update/"
# What its endpoints take of each object; the rest HighLevel sets itself.
_WRITABLE = {
    "Contact": (
        *("first_name", "last_name", "name", "email", "phone", "address1", "city", "state", "postal_code"),
        *("website", "timezone", "dnd", "dnd_settings", "source", "country", "assigned_to"),
    ),
    "Opportunity": (
        *("name", "status", "monetary_value", "pipeline_id", "pipeline_stage_id", "assigned_to"),
        "contact_id",
    ),
    "Task": ("title", "body", "due_at", "completed", "assigned_to"),
    "Note": ("body", "user_id"),
}
_ON_CREATION = {"Contact": ("company_name",), "Opportunity": (), "Task": (), "Note": ()}
_THEIRS = {obj: {ours: theirs for theirs, ours in NAMES[obj].items()} for obj in OBJECTS}
_WITH_CUSTOM = frozenset({"Contact", "Opportunity"})
_ANSWERS = {"Contact": "contact", "Opportunity": "opportunity", "Task": "task", "Note": "note"}
_PATHS = {"Task": "tasks", "Note": "notes"}
_ID = re.compile(r"[A-Za-z0-9_-]{10,40}")  # ours have the form of a UUID
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIELD_ID = re.compile(r"(?=.*[0-9A-Z])[A-Za-z0-9]{20}")
_LONGEST = 500
# A parent's id that the record before it in the same lane is only now given.
_MADE_NOW = "{contact}"


def plan(writes: Sequence[Write], *, remote: Mapping[Key, str]) -> tuple[list[Call], dict[Key, str]]:
    """Tags of contacts that it has, then contacts one by one, then what is about them.

    In this order each request but the first few ends a write, so sending that is broken off has come further.
    """
    unsendable: dict[Key, str] = {}
    fine = []
    made = {write.key for write in writes if write.object == "Contact" and _verb(write, remote) == "create"}
    for write in writes:
        problem = _problem(write, remote, made)
        if problem:
            unsendable[write.key] = problem
        else:
            fine.append(write)
    contacts = [write for write in fine if write.object == "Contact"]
    calls = _tag_calls(write for write in contacts if _verb(write, remote) == "update")
    for write in contacts:
        if _has_fields(write, remote):
            calls.append(_call(write, remote))
        if _verb(write, remote) == "create" and not _tags_go_along(write, remote):
            calls += _tag_calls([write])
    for obj in ("Opportunity", "Task", "Note"):
        calls += [_call(write, remote) for write in fine if write.object == obj]
    return calls, unsendable


def address(call: Call, *, remote: Mapping[Key, str]) -> str:
    """The path, with the id of a contact that was made a moment ago."""
    if _MADE_NOW not in call.path:
        return call.path
    return call.path.replace(_MADE_NOW, quote(_id(("Contact", _contact(call.writes[0])), remote), safe=""))


def body(
    call: Call, *, remote: Mapping[Key, str], names: Mapping[str, str], account: str, at: datetime
) -> dict[str, Any] | None:
    """The request's JSON; a deletion has none."""
    if call.method == "DELETE":
        return None
    if call.path.startswith(_TAGS):
        return {
            "contacts": [_id(write.key, remote) for write in call.writes],
            "tags": _tags(call.writes[0], call.path.removeprefix(_TAGS)),
            "locationId": account,
        }
    (write,) = call.writes
    is_new = call.method == "POST"
    given = _fields(write, names, is_new=is_new)
    if write.object == "Contact" and is_new:
        given["locationId"] = account
        if _tags_go_along(write, remote):
            given["tags"] = _tags(write, "add")
    elif write.object == "Opportunity":
        # It wants both of every opportunity, also of one that is only changed.
        for name, otherwise in (("name", "Opportunity"), ("status", "open")):
            given.setdefault(name, write.hints.known.get(name) or otherwise)
        if is_new:
            contact = _id(("Contact", _contact(write)), remote)
            given |= {"locationId": account, "contactId": contact}
        else:
            given.pop("contactId", None)
    elif write.object == "Task" and is_new:
        given = {"title": "Task", "dueDate": _moment(at), "completed": False, **given}
    return given


def left_out(write: Write) -> list[str]:
    """Fields that HighLevel takes nothing for."""
    is_new = write.operation in {"insert", "upsert"}
    return sorted(name for name in write.fields if not _is_sent(write.object, name, is_new=is_new))


def read(call: Call, status: int, body: bytes, *, remote: Mapping[Key, str]) -> Said:
    """A 2xx took it, and of tags says for each contact whether; 4xx refuses, with a message."""
    document = _document(body)
    if 200 <= status < 300:
        return (
            _read_tags(call, document, remote) if call.path.startswith(_TAGS) else _accepted(call, document)
        )
    if call.method == "DELETE" and status == 404:
        return Said(sent={write.key: "" for write in call.writes})  # that is what was wanted
    detail = f"GoHighLevel answered {status}: {_message(document)}"
    if len(call.writes) == 1:
        return Said(refused={call.writes[0].key: detail}, detail=detail)
    return Said(is_unclear=True, detail=detail)


def _accepted(call: Call, document: dict[str, Any]) -> Said:
    (write,) = call.writes
    if call.method != "POST":
        return Said(sent={write.key: ""})
    made = document.get(_ANSWERS[write.object])
    found = made if isinstance(made, dict) else document
    return Said(sent={write.key: _text(found.get("id") or found.get("_id"))})


def _read_tags(call: Call, document: dict[str, Any], remote: Mapping[Key, str]) -> Said:
    answers = document.get("responses")
    by_contact = {
        _text(each.get("contactId")): each
        for each in (answers if isinstance(answers, list) else [])
        if isinstance(each, dict)
    }
    said = Said()
    for write in call.writes:
        answer = by_contact.get(_id(write.key, remote))
        if answer is None or answer.get("type") != "error":
            said.sent[write.key] = ""
        else:
            said.refused[write.key] = f"GoHighLevel refused its tags: {_message(answer)}"
    return said


def _problem(write: Write, remote: Mapping[Key, str], made: set[Key]) -> str:
    verb = _verb(write, remote)
    if verb != "create" and not _is_theirs(write.key, remote):
        return f"GoHighLevel's id of {write.object} {write.id} is not known."
    if write.object in {"Task", "Note"} or (write.object == "Opportunity" and verb == "create"):
        contact = ("Contact", _contact(write))
        if not contact[1] or not (contact in made or _is_theirs(contact, remote)):
            return f"GoHighLevel keeps a {write.object} with a contact, and none is named that it knows."
    if write.object == "Opportunity" and verb == "create" and not write.fields.get("pipeline_id"):
        return "GoHighLevel wants the pipeline_id of a new Opportunity."
    if write.object == "Note" and verb == "create" and not write.fields.get("body"):
        return "GoHighLevel wants the body of a new Note."
    if (
        verb != "delete"
        and not _has_fields(write, remote)
        and not (_tags(write, "add") or _tags(write, "remove"))
    ):
        if set(write.fields) <= {"tags", "id"}:
            return "It has these tags already."
        return f"GoHighLevel takes nothing for {', '.join(left_out(write)) or 'no field'}."
    return ""


def _call(write: Write, remote: Mapping[Key, str]) -> Call:
    verb = _verb(write, remote)
    theirs = quote(_id(write.key, remote), safe="")
    if write.object == "Contact":
        base = "/contacts/"
        # It finds the contact by these, so a second time it makes no second one.
        if verb == "create" and (write.fields.get("email") or write.fields.get("phone")):
            return Call("/contacts/upsert", (write,), is_repeatable=True)
    elif write.object == "Opportunity":
        base = "/opportunities/"
    else:
        contact = ("Contact", _contact(write))
        parent = quote(_id(contact, remote), safe="") if _is_theirs(contact, remote) else _MADE_NOW
        base = f"/contacts/{parent}/{_PATHS[write.object]}/"
    if verb == "create":
        return Call(base if write.object in _WITH_CUSTOM else base[:-1], (write,), is_repeatable=False)
    method = "DELETE" if verb == "delete" else "PUT"
    return Call(base + theirs, (write,), is_repeatable=True, method=method)


def _tag_calls(writes: Iterable[Write]) -> list[Call]:
    """Those that gain, or lose, the same tags share a request."""
    groups: dict[tuple[str, tuple[str, ...]], list[Write]] = {}
    for write in writes:
        if write.operation == "delete":
            continue
        for way in ("remove", "add"):
            if tags := _tags(write, way):
                groups.setdefault((way, tuple(sorted(tags))), []).append(write)
    return [
        Call(_TAGS + way, tuple(batch[at : at + MOST_TAGGED]), is_repeatable=True, is_part=True)
        for (way, _), batch in groups.items()
        for at in range(0, len(batch), MOST_TAGGED)
    ]


def _tags(write: Write, way: str) -> list[str]:
    if write.object != "Contact" or write.operation == "delete":
        return []
    return write.hints.tags_added if way == "add" else write.hints.tags_removed


def _tags_go_along(write: Write, remote: Mapping[Key, str]) -> bool:
    """A contact that is surely new has no tags to overwrite, so they can be sent with it."""
    is_new = write.object == "Contact" and _verb(write, remote) == "create"
    return is_new and not (write.fields.get("email") or write.fields.get("phone"))


def _has_fields(write: Write, remote: Mapping[Key, str]) -> bool:
    verb = _verb(write, remote)
    return verb in {"create", "delete"} or bool(_fields(write, {}, is_new=False))


def _verb(write: Write, remote: Mapping[Key, str]) -> str:
    if write.operation == "delete":
        return "delete"
    if write.operation == "insert" or (write.operation == "upsert" and not _is_theirs(write.key, remote)):
        return "update" if write.key in remote else "create"
    return "update"


def _id(key: Key, remote: Mapping[Key, str]) -> str:
    return remote.get(key) or key[1]


def _is_theirs(key: Key, remote: Mapping[Key, str]) -> bool:
    theirs = _id(key, remote)
    return bool(_ID.fullmatch(theirs)) and (key in remote or not _UUID.fullmatch(theirs))


def _contact(write: Write) -> str:
    """The contact that a record belongs to."""
    named = write.fields.get("contact_id") or write.hints.known.get("contact_id")
    if not named and write.about in {"", "Contact"}:
        named = write.fields.get("record_id")
    return str(named or "")


def _is_sent(obj: str, name: str, *, is_new: bool) -> bool:
    if name in {"id", "record_id"} or (obj, name) == ("Contact", "tags"):
        return True
    if obj in {"Task", "Note"} and name == "contact_id":
        return True  # in the address
    if name in _WRITABLE[obj] or (is_new and name in _ON_CREATION[obj]):
        return True
    return obj in _WITH_CUSTOM and (name == "custom_fields" or name not in FIELDS[obj])


def _fields(write: Write, names: Mapping[str, str], *, is_new: bool) -> dict[str, Any]:
    """Its names and values. What is no field of HighLevel's, such as a score, is a custom field."""
    obj = write.object
    given: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for name, value in write.fields.items():
        if name == "custom_fields" and isinstance(value, dict):
            custom.update(value)
        elif name in _WRITABLE[obj] or (is_new and name in _ON_CREATION[obj]):
            if not (is_new and value is None):
                given[_THEIRS[obj][name]] = _moment(value) if name == "due_at" else value
        elif obj in _WITH_CUSTOM and name not in FIELDS[obj] and name not in {"id", "record_id"}:
            custom[name] = value
    if custom and obj in _WITH_CUSTOM:
        given["customFields"] = [_custom(names.get(name, name), value) for name, value in custom.items()]
    return given


def _custom(name: str, value: Any) -> dict[str, Any]:
    """A custom field by its id, or by its key where that is all we know."""
    by = "id" if _FIELD_ID.fullmatch(name) else "key"
    if value is None:
        value = ""
    elif isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(e, dict | list) for e in value)
    ):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return {by: name, "field_value": value}


def _moment(value: Any) -> Any:
    """UTC, to the second; what is no time stays as it is."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return value
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(document: Mapping[str, Any]) -> str:
    said = document.get("message")
    texts = said if isinstance(said, list) else [said]
    return "; ".join(_text(text) for text in texts if text) or "no reason given"


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:_LONGEST]
