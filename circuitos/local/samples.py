"""Sample webhook bodies, made fresh: own ids and times for each delivery, so that none is a duplicate."""

from __future__ import annotations

import copy
import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from circuitos.env import BASE_DIR
from circuitos.local.samples_more import OTHERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

FOLDER = BASE_DIR / "examples" / "webhooks"
ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
ID_LENGTH = 20  # HighLevel's record ids
LARGEST_HUBSPOT_DELIVERY = 100


class NoSample(Exception):
    """There is no such CRM or event among the samples; the message lists what there is."""


def crms() -> list[str]:
    """The CRMs we have samples of."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def names(crm: str) -> list[str]:
    """The sample events of a CRM."""
    return sorted(path.stem for path in (FOLDER / crm).iterdir() if path.suffix in {".json", ".xml"})


def load(crm: str, event: str, *, file: Path | None = None) -> Any:
    """A sample's document, or the one in ``file``. Raises ``NoSample``."""
    if crm not in crms():
        raise NoSample(f"There is no CRM {crm!r} among the samples; there are: {', '.join(crms())}.")
    if file is None and event not in names(crm):
        known = ", ".join(names(crm))
        raise NoSample(f"There is no sample {event!r} for {crm}; there are: {known}.")
    path = file or FOLDER / crm / f"{event}.json"
    if file is None and not path.exists():
        path = path.with_suffix(".xml")
    try:
        if path.suffix == ".xml":
            return path.read_text()
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise NoSample(f"{path} cannot be read as JSON: {error}") from error


def fresh(
    crm: str, document: Any, *, hook: Mapping[str, Any], number: int, at: datetime, repeat: int = 1
) -> bytes:
    """The ``number``-th delivery made of ``document``: new event ids, and new records where it creates some.

    Later deliveries of one call get records of their own. ``repeat`` puts so many events into one HubSpot
    delivery.
    """
    if crm == "hubspot" and isinstance(document, list):
        events = [event for n in range(repeat) for event in _hubspot(document, hook, number * repeat + n, at)]
        return _bytes(events[:LARGEST_HUBSPOT_DELIVERY])
    document = copy.deepcopy(document)
    if crm in OTHERS:
        return _bytes(OTHERS[crm](document, hook, number, at))
    if isinstance(document, dict):
        if crm == "gohighlevel":
            _gohighlevel(document, hook, number, at)
        elif crm == "standard":
            _standard(document, number, at)
    return _bytes(document)


def _gohighlevel(document: dict[str, Any], hook: Mapping[str, Any], number: int, at: datetime) -> None:
    document["locationId"] = hook["location_id"]
    if document.get("altType") == "location":
        document["altId"] = hook["location_id"]
    document["timestamp"] = _iso(at)
    document["webhookId"] = str(uuid.uuid4())
    kind = str(document.get("type", ""))
    is_new = kind.endswith(("Create", "boundMessage"))
    appointment = document.get("appointment")
    record = appointment if isinstance(appointment, dict) else document
    for name in ("id", "_id", "messageId", "emailMessageId"):
        if isinstance(record.get(name), str):
            record[name] = _record_id(record[name], number, is_new=is_new)
    if kind.startswith("Contact") and number:
        _number_person(document, number)
    # What happened just now did not happen when the sample was written.
    for name in ("dateAdded", "dateUpdated", "createdAt", "updatedAt"):
        if is_new and name in record:
            record[name] = _iso(at)


def _hubspot(document: list[Any], hook: Mapping[str, Any], number: int, at: datetime) -> list[dict[str, Any]]:
    events = copy.deepcopy(document)
    is_new = any(str(event.get("subscriptionType", "")).endswith("creation") for event in events)
    shift = secrets.randbelow(2**40) if is_new else number
    for place, event in enumerate(events):
        event["portalId"] = hook["portal_id"]
        event["eventId"] = secrets.randbelow(2**40)
        event["occurredAt"] = int(at.timestamp() * 1000) + place
        for name in ("objectId", "fromObjectId", "primaryObjectId"):
            if name in event:
                event[name] += shift
    return events


def _standard(document: dict[str, Any], number: int, at: datetime) -> None:
    document["timestamp"] = _iso(at)
    data = document.get("data")
    is_new = str(document.get("type", "")).endswith(("created", "received", "submitted"))
    if isinstance(data, dict) and isinstance(data.get("id"), str):
        data["id"] = _record_id(data["id"], number, is_new=is_new)
        if number and isinstance(data.get("email"), str):
            data["email"] = _number_address(data["email"], number)


def _number_person(document: dict[str, Any], number: int) -> None:
    if isinstance(document.get("email"), str):
        document["email"] = _number_address(document["email"], number)
    if isinstance(document.get("phone"), str):
        document["phone"] = f"+1214555{number % 10000:04d}"


def _number_address(address: str, number: int) -> str:
    local, _, domain = address.partition("@")
    return f"{local}+{number}@{domain}"


def _record_id(old: str, number: int, *, is_new: bool) -> str:
    if is_new:
        return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    return f"{old}-{number}" if number else old


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bytes(document: Any) -> bytes:
    if isinstance(document, bytes):
        return document
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
