"""Writing to HubSpot: our fields become its properties, and its answers verdicts for each write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from triggers.crm import hubspot_write
from triggers.crm.writer import Call, Write

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def write(obj: str, **fields: Any) -> Write:
    return Write(obj, "7", "update", fields, code="w7")


def properties(obj: str, *, names: dict[str, str] | None = None, **fields: Any) -> Any:
    (call,), _ = hubspot_write.plan([write(obj, **fields)], remote={})
    (given,) = hubspot_write.body(call, remote={}, names=names or {}, at=AT)["inputs"]
    return given["properties"]


class TestProperties:
    @pytest.mark.parametrize(
        ("field", "value", "name", "text"),
        [
            ("first_name", "Ada", "firstname", "Ada"),
            ("postal_code", "75024", "zip", "75024"),
            ("lpr_score", 83.0, "lpr_score", "83"),
            ("lpr_score", 83.25, "lpr_score", "83.25"),
            ("lpr_hot", True, "lpr_hot", "true"),
            ("city", None, "city", ""),
            ("lpr_breakdown", {"fit": 20}, "lpr_breakdown", '{"fit":20}'),
            ("lpr_missing", ["zip", "é"], "lpr_missing", '["zip","é"]'),
        ],
    )
    def test_of_a_contact(self, field, value, name, text):
        assert properties("Contact", **{field: value}) == {name: text}

    def test_custom_fields_get_the_names_hubspot_knows(self):
        found = properties(
            "Contact", names={"site_visits": "visits__c"}, custom_fields={"site_visits": 3, "b": 1}
        )

        assert found == {"visits__c": "3", "b": "1"}

    def test_a_won_deal_is_in_its_closing_stage(self):
        assert properties("Opportunity", status="won", monetary_value=1200) == {
            "amount": "1200",
            "dealstage": "closedwon",
        }

    def test_a_stage_that_was_said_goes_before(self):
        assert properties("Opportunity", status="won", pipeline_stage_id="9")["dealstage"] == "9"

    def test_fields_without_a_property_are_named(self):
        assert hubspot_write.left_out(write("Contact", name="Ada", dnd=True, city="Plano")) == ["dnd", "name"]


class TestPlan:
    def test_makes_contacts_before_the_tasks_about_them(self):
        task = Write("Task", "t", "insert", {"title": "Call"}, code="t")
        contact = Write("Contact", "c", "insert", {"city": "Plano"}, code="c")

        calls, refused = hubspot_write.plan([task, contact, write("Contact", city="Plano")], remote={})

        assert [call.path.removeprefix("/crm/v3/objects/") for call in calls] == [
            "contacts/batch/create",
            "contacts/batch/update",
            "tasks/batch/create",
        ]
        assert [call.is_repeatable for call in calls] == [False, True, False]
        assert refused == {}


class TestRead:
    CALL = Call(
        "/crm/v3/objects/contacts/batch/update", (write("Contact", city="Plano"),), is_repeatable=True
    )

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"errors": [1], "results": 5}'])
    def test_rubbish_with_a_207_confirms_nothing(self, body):
        said = hubspot_write.read(self.CALL, 207, body, remote={})

        assert said.sent == {}
        assert said.refused == {("Contact", "7"): "HubSpot refused it: no reason given"}

    def test_an_error_that_names_no_record_is_of_those_not_confirmed(self):
        body = json.dumps({"results": [], "errors": [{"message": "nope", "category": "X"}]}).encode()

        said = hubspot_write.read(self.CALL, 207, body, remote={})

        assert said.refused == {("Contact", "7"): "HubSpot refused it: nope"}
