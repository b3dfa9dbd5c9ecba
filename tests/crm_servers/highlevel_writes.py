"""HighLevel's documented endpoints to write contacts, tags, tasks, notes and opportunities."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from tests.crm_servers.accounts import Accounts, say

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer
    from werkzeug import Request, Response

# What PUT /contacts/{id} documents; anything else is refused, as its validation does.
_ADDRESS = frozenset(["address1", "city", "state", "postalCode", "country", "timezone", "website"])
_CONTACT = _ADDRESS | frozenset(
    ["firstName", "lastName", "name", "email", "phone", "dnd", "tags", "customFields", "source", "assignedTo"]
)
_NEW_CONTACT = _CONTACT | {"locationId", "companyName"}
_TASK = frozenset(["title", "body", "dueDate", "completed", "assignedTo"])
_OPPORTUNITY = frozenset(
    ["pipelineId", "name", "pipelineStageId", "status", "monetaryValue", "assignedTo", "customFields"]
)


class HighLevel(Accounts):
    """One location's records. Limits are told in headers, as HighLevel does."""

    def __init__(self, server: HTTPServer, *, location: str) -> None:
        super().__init__(server)
        self.location = location
        self.contacts: dict[str, dict[str, Any]] = {}
        self.about: dict[str, dict[str, dict[str, Any]]] = {"tasks": {}, "notes": {}, "opportunities": {}}
        self.bodies: list[Any] = []
        self.versions: set[str | None] = set()
        self.left = 100  # of the 10 seconds' window
        self._ids = itertools.count(1)
        contact, one = r"/contacts/([^/]+)", r"/([^/]+)"
        for method, path, answer in (
            ("PUT", contact, self._change_contact),
            ("DELETE", contact, self._delete_contact),
            ("POST", r"/contacts/(upsert|)", self._make_contact),
            ("POST", r"/contacts/bulk/tags/update/(add|remove)", self._tag),
            ("POST", contact + r"/(tasks|notes)", self._make),
            ("PUT", contact + r"/(tasks|notes)" + one, self._change),
            ("DELETE", contact + r"/(tasks|notes)" + one, self._delete),
            ("POST", r"/opportunities/", self._make_opportunity),
            ("PUT", r"/opportunities" + one, self._change_opportunity),
        ):
            self._route(method, path, answer)

    def knows(self, contact: str, **fields: Any) -> None:
        """A contact that is there already."""
        self.contacts[contact] = {"tags": [], "customFields": {}, **fields}

    def _route(self, method: str, path: str, answer: Any) -> None:
        pattern = re.compile(f"{path}$")

        def handle(request: Request) -> Response:
            found = pattern.fullmatch(request.path)
            assert found
            self.versions.add(request.headers.get("Version"))
            if request.headers.get("Version") is None:
                return _refuse(401, "version header was not found.")
            self.left -= 1
            if self.left < 0:
                return self._limited(_refuse(429, "Too Many Requests"))
            given = json.loads(request.get_data() or b"null")
            self.bodies.append(given)
            said: Response = answer(given, *found.groups())
            return self._limited(said)

        self.serve(pattern, method, handle)

    def _limited(self, answer: Response) -> Response:
        answer.headers["X-RateLimit-Limit-Daily"] = "200000"
        answer.headers["X-RateLimit-Interval-Milliseconds"] = "10000"
        answer.headers["X-RateLimit-Max"] = "100"
        answer.headers["X-RateLimit-Remaining"] = str(max(0, self.left))
        return answer

    def _change_contact(self, given: dict[str, Any], contact: str) -> Response:
        if contact not in self.contacts:
            return _refuse(400, "The contact with the specified contact id was not found")
        if wrong := given.keys() - _CONTACT:
            return _refuse(422, [f"property {name} should not exist" for name in sorted(wrong)])
        if "@" not in given.get("email", "@"):
            return _refuse(422, ["email must be an email"])
        self._set(contact, given)
        return say(200, {"succeded": True, "contact": {"id": contact}})

    def _make_contact(self, given: dict[str, Any], how: str) -> Response:
        if given.get("locationId") != self.location:
            return _refuse(403, "The token does not have access to this location.")
        if wrong := given.keys() - _NEW_CONTACT:
            return _refuse(422, [f"property {name} should not exist" for name in sorted(wrong)])
        same = [
            known
            for known, fields in self.contacts.items()
            if any(given.get(name) and fields.get(name) == given[name] for name in ("email", "phone"))
        ]
        if same and not how:
            return _refuse(
                400, "This location does not allow duplicated contacts.", meta={"contactId": same[0]}
            )
        contact = same[0] if same else self._id("contact")
        if not same:
            self.knows(contact)
        self._set(contact, given)
        return say(201 if not how else 200, {"new": not same, "contact": {"id": contact}})

    def _set(self, contact: str, given: dict[str, Any]) -> None:
        custom = {
            field.get("id") or field["key"]: field["field_value"] for field in given.pop("customFields", ())
        }
        self.contacts[contact].update(given)
        self.contacts[contact]["customFields"].update(custom)

    def _delete_contact(self, given: None, contact: str) -> Response:
        if self.contacts.pop(contact, None) is None:
            return _refuse(404, "Contact not found")
        return say(200, {"succeded": True})

    def _tag(self, given: dict[str, Any], way: str) -> Response:
        if given.keys() - {"contacts", "tags", "locationId", "removeAllTags"} or not given["tags"]:
            return _refuse(422, ["tags should not be empty"])
        answers = []
        for contact in given["contacts"]:
            known = self.contacts.get(contact)
            if known is None or given["locationId"] != self.location:
                said = {
                    "contactId": contact,
                    "message": "contact does not belong to location",
                    "type": "error",
                }
            else:
                kept = [tag for tag in known["tags"] if tag not in given["tags"]]
                known["tags"] = kept if way == "remove" else [*kept, *given["tags"]]
                said = {"contactId": contact, "message": "Tags updated", "type": "success"}
            answers.append(said)
        errors = sum(said["type"] == "error" for said in answers)
        return say(201, {"succeded": True, "errorCount": errors, "responses": answers})

    def _make(self, given: dict[str, Any], contact: str, kind: str) -> Response:
        if contact not in self.contacts:
            return _refuse(400, "Contact not found")
        wanted = {"tasks": ("title", "dueDate", "completed"), "notes": ("body",)}[kind]
        if missing := [name for name in wanted if name not in given]:
            return _refuse(422, [f"{name} should not be empty" for name in missing])
        if wrong := given.keys() - (_TASK if kind == "tasks" else {"body", "userId"}):
            return _refuse(422, [f"property {name} should not exist" for name in sorted(wrong)])
        made = self._id(kind[:-1])
        self.about[kind][made] = {**given, "contactId": contact}
        return say(201, {kind[:-1]: {"id": made, **given}})

    def _change(self, given: dict[str, Any], contact: str, kind: str, one: str) -> Response:
        if self.about[kind].get(one, {}).get("contactId") != contact:
            return _refuse(404, "Not found")
        self.about[kind][one].update(given)
        return say(200, {kind[:-1]: {"id": one}})

    def _delete(self, given: None, contact: str, kind: str, one: str) -> Response:
        if self.about[kind].pop(one, None) is None:
            return _refuse(404, "Not found")
        return say(200, {"succeded": True})

    def _make_opportunity(self, given: dict[str, Any]) -> Response:
        wanted = ("pipelineId", "locationId", "name", "status", "contactId")
        if missing := [name for name in wanted if not given.get(name)]:
            return _refuse(422, [f"{name} should not be empty" for name in missing])
        made = self._id("opportunity")
        self.about["opportunities"][made] = given
        return say(201, {"opportunity": {"id": made}})

    def _change_opportunity(self, given: dict[str, Any], one: str) -> Response:
        if one not in self.about["opportunities"]:
            return _refuse(404, "Opportunity not found")
        if wrong := given.keys() - _OPPORTUNITY:
            return _refuse(422, [f"property {name} should not exist" for name in sorted(wrong)])
        if missing := [name for name in ("name", "status") if not given.get(name)]:
            return _refuse(422, [f"{name} should not be empty" for name in missing])
        self.about["opportunities"][one].update(given)
        return say(200, {"opportunity": {"id": one}})

    def _id(self, kind: str) -> str:
        return f"{kind}{next(self._ids):012d}"


def _refuse(status: int, message: Any, **more: Any) -> Response:
    return say(status, {"statusCode": status, "message": message, **more})
