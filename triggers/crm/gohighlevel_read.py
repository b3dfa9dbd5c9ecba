"""Reading GoHighLevel: contacts by search, opportunities by search, appointments by calendar."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from triggers.crm import adapter
from triggers.crm.gohighlevel_fields import NAMES
from triggers.crm.reader import PAGE, Page, Seen, ask, rows
from triggers.schemas import plain
from triggers.schemas.naming import custom_fields

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Connection
    from triggers.crm.reader import Asks

OBJECTS: tuple[str, ...] = ("Contact", "Opportunity", "Appointment")
# The search of opportunities knows no time of change: of so many newest ones it is looked for.
MOST_PAGES = 10
# Appointments are asked by their own time: an import takes a year, later looks take what is near.
YEAR, BEFORE, AHEAD = timedelta(days=365), timedelta(days=30), timedelta(days=90)

# What the searches call otherwise than the webhooks.
_ALSO = {
    "address": "address1",
    "contactName": "name",
    "createdAt": "dateAdded",
    "updatedAt": "dateUpdated",
    "firstNameLowerCase": "firstName",
    "lastNameLowerCase": "lastName",
}


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
    found = _PAGES[object](client, connection.account_id, cursor, since, at)
    settings = connection.tenant.settings
    seen = [_seen(object, row, settings, at) for row in found[0] if isinstance(row.get("id"), str)]
    if since is not None:
        seen = [each for each in seen if each.changed_at is None or each.changed_at >= since]
    return Page(records=seen, cursor=found[1], total=found[2])


_Found = tuple[list[dict[str, Any]], dict[str, Any] | None, int | None]


def _contacts(
    client: Asks, location: str, cursor: dict[str, Any] | None, since: datetime | None, at: datetime
) -> _Found:
    asked: dict[str, Any] = {
        "locationId": location,
        "pageLimit": PAGE,
        "sort": [{"field": "dateUpdated" if since else "dateAdded", "direction": "asc" if since else "desc"}],
    }
    if since is not None:
        asked["filters"] = [{"field": "dateUpdated", "operator": "range", "value": {"gte": _iso(since)}}]
    if cursor:
        asked["searchAfter"] = cursor["searchAfter"]
    document = ask(client, "POST", "/contacts/search", what="Contacts", json=asked)
    found = rows(document, "contacts", what="Contacts")
    after = found[-1].get("searchAfter") if len(found) == PAGE else None
    return found, {"searchAfter": after} if after else None, _count(document.get("total"))


def _opportunities(
    client: Asks, location: str, cursor: dict[str, Any] | None, since: datetime | None, at: datetime
) -> _Found:
    number = cursor["page"] if cursor else 1
    asked: dict[str, Any] = {"location_id": location, "limit": PAGE, "order": "added_desc"}
    if cursor:
        asked |= {"startAfter": cursor["startAfter"], "startAfterId": cursor["startAfterId"]}
    document = ask(client, "GET", "/opportunities/search", what="Opportunities", params=asked)
    found = rows(document, "opportunities", what="Opportunities")
    meta = document.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    following = None
    is_enough = since is not None and number >= MOST_PAGES
    if len(found) == PAGE and meta.get("startAfterId") and not is_enough:
        following = {
            "page": number + 1,
            "startAfter": meta.get("startAfter"),
            "startAfterId": meta["startAfterId"],
        }
    return found, following, _count(meta.get("total"))


def _appointments(
    client: Asks, location: str, cursor: dict[str, Any] | None, since: datetime | None, at: datetime
) -> _Found:
    """One calendar a page; the first page only lists them."""
    if cursor is None:
        document = ask(client, "GET", "/calendars/", what="Calendars", params={"locationId": location})
        ids = sorted(str(row["id"]) for row in rows(document, "calendars", what="Calendars") if row.get("id"))
        return [], {"calendars": ids} if ids else None, None
    first, *others = cursor["calendars"]
    asked = {
        "locationId": location,
        "calendarId": first,
        "startTime": _milliseconds(at - (BEFORE if since else YEAR)),
        "endTime": _milliseconds(at + (AHEAD if since else YEAR)),
    }
    document = ask(client, "GET", "/calendars/events", what="Appointments", params=asked)
    found = rows(document, "events", what="Appointments")
    return found, {"calendars": others} if others else None, None


_PAGES = {"Contact": _contacts, "Opportunity": _opportunities, "Appointment": _appointments}


def _seen(name: str, row: Mapping[str, Any], settings: Mapping[str, Any], at: datetime) -> Seen:
    names = NAMES[name]
    told: dict[str, Any] = {}
    for key, value in row.items():
        theirs = _ALSO.get(key, key)
        if theirs in names and (theirs == key or theirs not in row):
            told[theirs] = value
    # Found by its address alone is a name without its capitals.
    for key in ("firstName", "lastName"):
        if key not in row and isinstance(told.get(key), str):
            told[key] = told[key].title()
    fields: dict[str, Any] = {names[key]: plain(value) for key, value in told.items()}
    if isinstance(row.get("customFields"), list):
        fields["custom_fields"] = custom_fields(row["customFields"], settings)
    return Seen(
        record_id=row["id"],
        fields=fields,
        changed_at=adapter.moment(told.get("dateUpdated") or told.get("dateAdded"), at=at),
        made_at=adapter.moment(told.get("dateAdded"), at=at),
        raw=dict(row),
    )


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
