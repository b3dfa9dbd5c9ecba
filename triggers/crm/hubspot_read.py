"""Reading HubSpot: the CRM search, walked by record id, and the contacts that deals and meetings are of.

A search shows its first 10,000 results only, however many there are. So each page asks for the records beyond
the last id instead: ids are unique, where thousands of records may have one time of change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triggers.crm import adapter
from triggers.crm.hubspot_fields import FLAGS, NAMES, NUMBERS
from triggers.crm.reader import PAGE, Page, Seen, ask, rows
from triggers.schemas import plain
from triggers.schemas.naming import field_map

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Connection
    from triggers.crm.reader import Asks

OBJECTS: tuple[str, ...] = ("Contact", "Opportunity", "Appointment")

_PATHS = {"Contact": "contacts", "Opportunity": "deals", "Appointment": "meetings"}
_CHANGED = {"Contact": "lastmodifieddate"}  # of the others hs_lastmodifieddate
_MEETING = {
    "hs_meeting_title": "title",
    "hs_meeting_location": "address",
    "hs_meeting_outcome": "status",
    "hs_meeting_start_time": "starts_at",
    "hs_meeting_end_time": "ends_at",
    "hubspot_owner_id": "assigned_to",
    "hs_createdate": "created_at",
    "hs_lastmodifieddate": "updated_at",
}
_NAMES = {**NAMES, "Appointment": _MEETING}
_ENDS = ("hs_is_closed_won", "hs_is_closed")  # whatever the pipeline's stages are called


def page(
    client: Asks,
    connection: Connection,
    *,
    object: str,
    cursor: dict[str, Any] | None,
    since: datetime | None,
    at: datetime,
) -> Page:
    """A page of the object's records, see ``reader.Reader``."""
    what = f"HubSpot's {_PATHS[object]}"
    settings = connection.tenant.settings
    filters: list[dict[str, Any]] = []
    if since is not None:
        bound = str(int(since.timestamp() * 1000))
        changed = _CHANGED.get(object, "hs_lastmodifieddate")
        filters.append({"propertyName": changed, "operator": "GTE", "value": bound})
    if cursor:
        operator = "LT" if since is None else "GT"
        filters.append({"propertyName": "hs_object_id", "operator": operator, "value": cursor["id"]})
    direction = "DESCENDING" if since is None else "ASCENDING"
    asked = {
        "filterGroups": [{"filters": filters}] if filters else [],
        "sorts": [{"propertyName": "hs_object_id", "direction": direction}],
        "properties": [*_NAMES[object], *_ENDS, *field_map(settings)],
        "limit": PAGE,
    }
    document = ask(client, "POST", f"/crm/v3/objects/{_PATHS[object]}/search", what=what, json=asked)
    found = [row for row in rows(document, "results", what=what) if str(row.get("id", "")).isdigit()]
    about = _contacts_of(client, object, [str(row["id"]) for row in found]) if object != "Contact" else {}
    total = document.get("total")
    return Page(
        records=[_seen(object, row, about.get(str(row["id"])), settings, at) for row in found],
        cursor={"id": str(found[-1]["id"])} if len(found) == PAGE else None,
        # Beyond a cursor the search counts what is left.
        total=total if cursor is None and type(total) is int else None,
    )


def _contacts_of(client: Asks, name: str, ids: list[str]) -> dict[str, str]:
    """The first contact of each record: a search does not tell."""
    if not ids:
        return {}
    document = ask(
        client,
        "POST",
        f"/crm/v4/associations/{_PATHS[name]}/contacts/batch/read",
        what="The contacts of HubSpot's " + _PATHS[name],
        json={"inputs": [{"id": each} for each in ids]},
    )
    about = {}
    for row in rows(document, "results", what="HubSpot's associations"):
        of, to = row.get("from"), row.get("to")
        if isinstance(of, dict) and isinstance(to, list) and to and isinstance(to[0], dict):
            about[str(of.get("id"))] = str(to[0].get("toObjectId"))
    return about


def _seen(
    name: str, row: Mapping[str, Any], contact_id: str | None, settings: Mapping[str, Any], at: datetime
) -> Seen:
    properties = row.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    names, ours = _NAMES[name], field_map(settings)
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for key, value in properties.items():
        if key in names:
            fields[names[key]] = _typed(names[key], value)
        elif key in ours:
            custom[ours[key]] = None if value == "" else plain(value)
    if custom:
        fields["custom_fields"] = custom
    if name == "Opportunity":
        won, closed = (properties.get(each) == "true" for each in _ENDS)
        fields["status"] = "won" if won else "lost" if closed else "open"
    if contact_id:
        fields["contact_id"] = contact_id
    return Seen(
        record_id=str(row["id"]),
        fields=fields,
        changed_at=adapter.moment(row.get("updatedAt") or fields.get("updated_at"), at=at),
        made_at=adapter.moment(row.get("createdAt") or fields.get("created_at"), at=at),
        raw={**row, **({"contact_id": contact_id} if contact_id else {})},
    )


def _typed(field: str, value: Any) -> Any:
    """HubSpot writes every value as text, and "" for none."""
    if value == "" or type(value) is not str:
        return None if value == "" else plain(value)
    if field in FLAGS:
        return {"true": True, "false": False}.get(value.lower(), value)
    if field in NUMBERS:
        try:
            return plain(float(value))
        except ValueError:
            return value
    return value
