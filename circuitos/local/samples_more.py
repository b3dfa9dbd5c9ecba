"""Making samples fresh for the CRMs that prove themselves by a shared secret."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

_NOTIFICATION = re.compile(r"(<Notification>\s*<Id>)[^<]*")
_RECORD = re.compile(r"(<sf:Id>)([^<]*)")
_ORGANIZATION = re.compile(r"(<OrganizationId>)[^<]*")
_TIMES = re.compile(r"<sf:(?:LastModified|Created)Date>([^<]*)")
_MODIFIED = re.compile(r"(<sf:(?:LastModified|Created)Date>)[^<]*")


def _salesforce(document: Any, hook: Mapping[str, Any], number: int, at: datetime) -> Any:
    if isinstance(document, str):
        is_new = len(set(_TIMES.findall(document))) == 1  # made and changed at the same moment
        text = _NOTIFICATION.sub(lambda found: f"{found[1]}04l{uuid.uuid4().hex[:15]}", document)
        text = _RECORD.sub(lambda found: found[1] + _number(found[2], number, is_new=is_new), text)
        if hook.get("account"):
            text = _ORGANIZATION.sub(lambda found: found[1] + hook["account"], text)
        if is_new:
            text = _MODIFIED.sub(lambda found: found[1] + at.isoformat(), text)
        return text.encode()
    if hook.get("account"):
        document["organizationId"] = hook["account"]
    header = document["data"]["payload"]["ChangeEventHeader"]
    header["transactionKey"] = str(uuid.uuid4())
    header["commitTimestamp"] = int(at.timestamp() * 1000)
    is_new = header["changeType"] == "CREATE"
    header["recordIds"] = [_number(each, number, is_new=is_new) for each in header["recordIds"]]
    return document


def _pipedrive(document: Any, hook: Mapping[str, Any], number: int, at: datetime) -> Any:
    meta = document["meta"]
    meta["id"] = str(uuid.uuid4())
    meta["timestamp"] = at.isoformat()
    meta["company_id"] = hook.get("account") or meta["company_id"]
    record_id = int(meta["entity_id"]) + (secrets.randbelow(2**40) if meta["action"] == "create" else number)
    meta["entity_id"] = str(record_id)
    for part in (document["data"], document["previous"]):
        if isinstance(part, dict) and "id" in part:
            part["id"] = record_id
    return document


def _zoho(document: Any, hook: Mapping[str, Any], number: int, at: datetime) -> Any:
    is_new = document["operation"] == "insert"
    ids = {each: _number(each, number, is_new=is_new) for each in document["ids"]}
    document["ids"] = list(ids.values())
    document["affected_fields"] = [
        {ids[each]: names for each, names in row.items()} for row in document["affected_fields"]
    ]
    for row in document["affected_values"]:
        row["record_id"] = ids[row["record_id"]]
    document["server_time"] = int(at.timestamp() * 1000)
    document["channel_id"] = hook.get("account") or document["channel_id"]
    document["token"] = hook.get("secret") or document["token"]
    return document


def _workflow(document: Any, hook: Mapping[str, Any], number: int, at: datetime) -> Any:
    data = document["customData"]
    data["idempotency_key"] = str(uuid.uuid4())
    data.pop("secret", None)  # it goes into a header
    is_new = data.get("type") == "ContactCreate"
    document["contact_id"] = _number(document["contact_id"], number, is_new=is_new)
    if hook.get("account"):
        document["location"]["id"] = hook["account"]
    return document


def _number(old: str, number: int, *, is_new: bool) -> str:
    """An id of the same length: a new record's by chance, another's by the number of the delivery."""
    if is_new:
        end = f"{secrets.randbelow(10**12):012d}"
        return old[:-12] + end
    return f"{old[:3]}{number:06d}{old[9:]}" if number else old


OTHERS: dict[str, Callable[[Any, Mapping[str, Any], int, datetime], Any]] = {
    "salesforce": _salesforce,
    "pipedrive": _pipedrive,
    "zoho": _zoho,
    "gohighlevel-workflow": _workflow,
}
