"""Field definitions as HighLevel and HubSpot serve them: listed, made once, refused when they are there."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from tests.crm_servers.accounts import say

if TYPE_CHECKING:
    from werkzeug import Request, Response

    from tests.crm_servers.accounts import Accounts


class HighLevelFields:
    """``/locations/{id}/customFields`` of one location."""

    def __init__(self, accounts: Accounts, location: str, *fields: dict[str, Any]) -> None:
        self.fields = list(fields)
        self.refused: dict[str, str] = {}  # name: why
        self._numbers = itertools.count(1)
        path = f"/locations/{location}/customFields"
        accounts.serve(path, "GET", lambda _: say(200, {"customFields": self.fields}))
        accounts.serve(path, "POST", self._create)

    def _create(self, request: Request) -> Response:
        asked = request.get_json()
        name = asked["name"]
        if request.headers.get("Version") != "2021-07-28" or not {"name", "dataType"} <= set(asked):
            return say(422, {"statusCode": 422, "message": ["name should not be empty"]})
        if name in self.refused:
            return say(400, {"statusCode": 400, "message": self.refused[name]})
        key = f"contact.{re.sub('[^a-z0-9]+', '_', name.lower())}"
        if any(field["fieldKey"] == key for field in self.fields):
            return say(400, {"statusCode": 400, "message": f"Field with key {key} already exists"})
        made = {
            "id": f"Lpr{next(self._numbers):017d}",
            "name": name,
            "fieldKey": key,
            "dataType": asked["dataType"],
            "model": asked.get("model", "contact"),
        }
        self.fields.append(made)
        return say(201, {"customField": made})


class HubSpotProperties:
    """``/crm/v3/properties/{object}``."""

    def __init__(self, accounts: Accounts, *contacts: dict[str, Any]) -> None:
        self.contacts = list(contacts)
        accounts.serve("/crm/v3/properties/contacts", "GET", lambda _: say(200, {"results": self.contacts}))
        accounts.serve("/crm/v3/properties/deals", "GET", lambda _: say(200, {"results": []}))
        accounts.serve("/crm/v3/properties/contacts", "POST", self._create)

    def _create(self, request: Request) -> Response:
        asked = request.get_json()
        if any(each["name"] == asked["name"] for each in self.contacts):
            said = f"A property named '{asked['name']}' already exists."
            return say(409, {"status": "error", "category": "OBJECT_ALREADY_EXISTS", "message": said})
        if not {"groupName", "type", "fieldType", "label"} <= set(asked):
            return say(400, {"status": "error", "category": "VALIDATION_ERROR", "message": "Invalid input"})
        if asked["fieldType"] == "booleancheckbox" and len(asked.get("options", ())) != 2:
            return say(400, {"status": "error", "message": "A boolean checkbox has two options."})
        self.contacts.append(asked)
        return say(201, asked)
