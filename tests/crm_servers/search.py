"""The searches of GoHighLevel and HubSpot over records that a test puts there, newest change as it says."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.crm_servers.accounts import say

if TYPE_CHECKING:
    from werkzeug import Request, Response

    from tests.crm_servers.accounts import Accounts

SHOWN = 10_000  # results of one HubSpot search, however many there are


class HighLevelSearch:
    """``POST /contacts/search``, ``GET /opportunities/search``, calendars and their events."""

    def __init__(self, accounts: Accounts) -> None:
        self.contacts: list[dict[str, Any]] = []
        self.opportunities: list[dict[str, Any]] = []
        self.events: dict[str, list[dict[str, Any]]] = {}  # by calendar
        accounts.serve("/contacts/search", "POST", self._contacts)
        accounts.serve("/opportunities/search", "GET", self._opportunities)
        accounts.serve("/calendars/", "GET", self._calendars)
        accounts.serve("/calendars/events", "GET", self._events)

    def _contacts(self, request: Request) -> Response:
        asked = json.loads(request.get_data())
        if not asked.get("locationId") or not 1 <= asked.get("pageLimit", 0) <= 500:
            return say(422, {"message": ["locationId and pageLimit must be given"]})
        (order,) = asked["sort"]
        found = sorted(
            self.contacts,
            key=lambda row: (row[order["field"]], row["id"]),
            reverse=order["direction"] == "desc",
        )
        for each in asked.get("filters", []):
            assert each["operator"] == "range"
            found = [row for row in found if row[each["field"]] >= each["value"]["gte"]]
        rows = [{**row, "searchAfter": [row[order["field"]], row["id"]]} for row in found]
        if after := asked.get("searchAfter"):
            place = next(i for i, row in enumerate(rows) if row["searchAfter"] == after)
            rows = rows[place + 1 :]
        return say(200, {"contacts": rows[: asked["pageLimit"]], "total": len(found)})

    def _opportunities(self, request: Request) -> Response:
        if not request.args.get("location_id"):
            return say(422, {"message": "location_id must be given"})
        rows = sorted(self.opportunities, key=lambda row: row["createdAt"], reverse=True)
        if after := request.args.get("startAfterId"):
            place = next(i for i, row in enumerate(rows) if row["id"] == after)
            rows = rows[place + 1 :]
        page = rows[: int(request.args["limit"])]
        meta = {"total": len(self.opportunities)}
        if page:
            made = datetime.fromisoformat(page[-1]["createdAt"])
            meta |= {"startAfter": int(made.timestamp() * 1000), "startAfterId": page[-1]["id"]}
        return say(200, {"opportunities": page, "meta": meta})

    def _calendars(self, request: Request) -> Response:
        return say(200, {"calendars": [{"id": each, "name": each} for each in self.events]})

    def _events(self, request: Request) -> Response:
        if not request.args.get("calendarId"):
            return say(422, {"message": "one of userId, calendarId or groupId is required"})
        first, last = int(request.args["startTime"]), int(request.args["endTime"])
        rows = self.events.get(request.args["calendarId"], [])
        near = [
            row for row in rows if first <= datetime.fromisoformat(row["startTime"]).timestamp() * 1000 < last
        ]
        return say(200, {"events": near})


class HubSpotSearch:
    """``POST /crm/v3/objects/{object}/search`` and the associations that are read in batches."""

    def __init__(self, accounts: Accounts) -> None:
        self.records: dict[str, list[dict[str, Any]]] = {"contacts": [], "deals": [], "meetings": []}
        self.contact_of: dict[str, str] = {}
        self.shown = SHOWN
        accounts.serve(re.compile(r"/crm/v3/objects/\w+/search"), "POST", self._search)
        accounts.serve(
            re.compile(r"/crm/v4/associations/\w+/contacts/batch/read"), "POST", self._associations
        )

    def _search(self, request: Request) -> Response:
        asked = json.loads(request.get_data())
        rows = self.records[request.path.split("/")[4]]
        for group in asked["filterGroups"]:
            for each in group["filters"]:
                rows = [row for row in rows if _passes(row, each)]
        (order,) = asked["sorts"]
        rows = sorted(
            rows,
            key=lambda row: _number(row, order["propertyName"]),
            reverse=order["direction"] == "DESCENDING",
        )
        first = int(asked.get("after", 0))
        if asked["limit"] > 200 or first + asked["limit"] > self.shown:
            return say(400, {"status": "error", "message": "The search shows its first results only."})
        wanted = set(asked["properties"])
        page = [
            {**row, "properties": {key: value for key, value in row["properties"].items() if key in wanted}}
            for row in rows[first : first + asked["limit"]]
        ]
        return say(200, {"total": len(rows), "results": page})

    def _associations(self, request: Request) -> Response:
        ids = [each["id"] for each in json.loads(request.get_data())["inputs"]]
        known = [each for each in ids if each in self.contact_of]
        found = [{"from": {"id": each}, "to": [{"toObjectId": int(self.contact_of[each])}]} for each in known]
        if len(known) == len(ids):
            return say(200, {"status": "COMPLETE", "results": found})
        missing = {"category": "OBJECT_NOT_FOUND", "message": "No contact is associated with some."}
        return say(207, {"status": "COMPLETE", "results": found, "numErrors": 1, "errors": [missing]})


def _passes(row: dict[str, Any], wanted: dict[str, Any]) -> bool:
    has, limit = _number(row, wanted["propertyName"]), int(wanted["value"])
    return {"GTE": has >= limit, "GT": has > limit, "LT": has < limit}[wanted["operator"]]


def _number(row: dict[str, Any], name: str) -> int:
    if name == "hs_object_id":
        return int(row["id"])
    return int(datetime.fromisoformat(row["updatedAt"]).timestamp() * 1000)
