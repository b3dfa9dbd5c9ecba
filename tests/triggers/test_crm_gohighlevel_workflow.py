"""GoHighLevel's workflow action: what it is about, its fields by label; and every documented event type."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from circuitos.local.samples import FOLDER
from tests.triggers.speakers import AT
from triggers.crm import Found, gohighlevel, is_signed
from triggers.crm import gohighlevel_workflow as workflow
from triggers.crm.adapter import NOT_AN_EVENT, RECORD_MISSING


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / "gohighlevel-workflow" / f"{name}.json").read_bytes())
    return document


def find(document: Any, **headers: str) -> Found:
    (found,) = workflow.find(document, json.dumps(document).encode(), headers=headers, at=AT)
    return found


def normalise(found: Found, **settings: Any) -> dict[str, Any]:
    return gohighlevel.normalise(found.raw, kind=found.kind, tenant_settings=settings).fields


class TestFind:
    @pytest.mark.parametrize(
        ("name", "query", "expected"),
        [
            ("contact", "", ("Contact", "update", "nmFmQEsNgz6AVpgLVUJ0")),
            ("contact", "type=ContactCreate", ("Contact", "insert", "nmFmQEsNgz6AVpgLVUJ0")),
            ("contact", "type=InvoicePaid", ("Contact", "update", "nmFmQEsNgz6AVpgLVUJ0")),
            ("contact.created", "", ("Contact", "insert", "nmFmQEsNgz6AVpgLVUJ0")),
            ("contact.created", "type=ContactUpdate", ("Contact", "update", "nmFmQEsNgz6AVpgLVUJ0")),
            ("opportunity", "", ("Opportunity", "update", "wWhVuzqpRuOA1ZVWi4FC")),
            ("opportunity", "type=ContactUpdate", ("Contact", "update", "nmFmQEsNgz6AVpgLVUJ0")),
            ("appointment", "", ("Appointment", "update", "apPt0001aBcD")),
            ("appointment", "type=AppointmentCreate", ("Appointment", "insert", "apPt0001aBcD")),
        ],
    )
    def test_the_address_says_what_it_is_then_the_body_then_its_shape(
        self, name: str, query: str, expected: tuple[str, ...]
    ) -> None:
        found = find(sample(name), **{":query": query})

        assert (found.object, found.operation, found.record_id) == expected
        assert found.account == "ve9EPM428h8vShlRW1KT"
        assert not is_signed("gohighlevel", found.kind)

    def test_an_idempotency_key_makes_it_known_again_for_a_week(self) -> None:
        document = sample("contact")
        with_key, other = find(document), find({**document, "email": "other@example.com"})
        placeholder = {**document, "customData": {"idempotency_key": "{{contact.id}}"}}

        assert with_key.dedup_key == other.dedup_key
        assert with_key.dedup_window == timedelta(days=7)
        assert find(placeholder).dedup_window == timedelta(minutes=15)

    def test_what_names_no_contact_is_no_event(self) -> None:
        assert find({"first_name": "Ada"}).problem == NOT_AN_EVENT
        assert find({"contact_id": ""}).problem == RECORD_MISSING
        assert find({"type": "AppointmentCreate"}).problem == RECORD_MISSING


class TestNormalise:
    def test_fields_by_label_become_custom_fields_under_the_tenants_names(self) -> None:
        fields = normalise(find(sample("contact.created")), field_map={"Website Visits": "site_visits"})

        assert fields["custom_fields"] == {
            "LPR Score": "",
            "site_visits": "4",
            "Called Business": "Yes",
            "campaign": "spring",
        }
        assert (fields["name"], fields["tags"]) == ("Jane Roe", ["website-lead", "priority"])
        assert fields["postal_code"] == "75024"

    def test_an_opportunity_is_not_given_the_contacts_fields(self) -> None:
        fields = normalise(find(sample("opportunity")))

        assert (fields["name"], fields["status"], fields["monetary_value"]) == ("Jane Roe", "won", 400)
        assert fields["contact_id"] == "nmFmQEsNgz6AVpgLVUJ0"
        assert "email" not in fields.get("custom_fields", {})

    def test_an_appointment(self) -> None:
        fields = normalise(find(sample("appointment")))

        assert (fields["starts_at"], fields["status"]) == ("2026-03-06T10:00:00", "confirmed")
        assert fields["calendar_id"] == "BqTwX8QFwXzpegMve9EQ"


# Every event type that HighLevel documents, and what it is to us.
DOCUMENTED = {
    "INSTALL": "App insert", "UNINSTALL": "App delete", "PLAN_CHANGE": "App update",
    "AppointmentCreate": "Appointment insert", "AppointmentUpdate": "Appointment update",
    "AppointmentDelete": "Appointment delete",
    "AssociationCreate": "Association insert", "AssociationUpdate": "Association update",
    "AssociationDelete": "Association delete", "CampaignStatusUpdate": "Campaign update",
    "ContactCreate": "Contact insert", "ContactUpdate": "Contact update", "ContactDelete": "Contact delete",
    "ContactDndUpdate": "Contact update", "ContactTagUpdate": "Contact update",
    "ConversationUnreadUpdate": "Conversation update", "ConversationUnreadWebhook": "Conversation update",
    "ExternalAuthConnected": "ExternalAuth update",
    "InboundMessage": "Message insert", "OutboundMessage": "Message insert",
    "ProviderOutboundMessage": "Message insert", "SMS": "Message insert", "Email": "Message insert",
    "InvoiceCreate": "Invoice insert", "InvoiceUpdate": "Invoice update",
    "InvoiceDelete": "Invoice delete",
    "InvoicePaid": "Invoice update", "InvoicePartiallyPaid": "Invoice update",
    "InvoiceSent": "Invoice update", "InvoiceVoid": "Invoice update", "LCEmailStats": "LCEmailStats insert",
    "LocationCreate": "Location insert", "LocationUpdate": "Location update",
    "NoteCreate": "Note insert", "NoteUpdate": "Note update", "NoteDelete": "Note delete",
    "ObjectSchemaCreate": "ObjectSchema insert", "ObjectSchemaUpdate": "ObjectSchema update",
    "OpportunityCreate": "Opportunity insert", "OpportunityUpdate": "Opportunity update",
    "OpportunityDelete": "Opportunity delete", "OpportunityAssignedToUpdate": "Opportunity update",
    "OpportunityMonetaryValueUpdate": "Opportunity update", "OpportunityStageUpdate": "Opportunity update",
    "OpportunityStatusUpdate": "Opportunity update",
    "OrderCreate": "Order insert", "OrderStatusUpdate": "Order update",
    "PriceCreate": "Price insert", "PriceUpdate": "Price update", "PriceDelete": "Price delete",
    "ProductCreate": "Product insert", "ProductUpdate": "Product update", "ProductDelete": "Product delete",
    "RecordCreate": "Record insert", "RecordUpdate": "Record update", "RecordDelete": "Record delete",
    "RelationCreate": "Relation insert", "RelationDelete": "Relation delete",
    "TaskCreate": "Task insert", "TaskComplete": "Task update", "TaskDelete": "Task delete",
    "UserCreate": "User insert", "UserUpdate": "User update", "UserDelete": "User delete",
    "VoiceAiCallEnd": "VoiceAiCallEnd insert",
}  # fmt: skip


class TestDocumentedTypes:
    @pytest.mark.parametrize("kind", DOCUMENTED)
    def test_is_understood_from_its_body_and_from_the_address(self, kind: str) -> None:
        body = {"locationId": "l", "id": "x", "appId": "a"}
        typed, addressed = {**body, "type": kind}, {**body, "type": "AppointmentCreate"}

        (by_type,) = gohighlevel.find(typed, b"{}", headers={}, at=AT)
        (by_address,) = gohighlevel.find(addressed, b"{}", headers={":query": f"type={kind}"}, at=AT)

        assert f"{by_type.object} {by_type.operation}" == DOCUMENTED[kind]
        if DOCUMENTED[kind].startswith("App "):
            # An address is not signed: it cannot make an event a removal of the app.
            assert by_address.object == "Appointment"
        else:
            assert (by_address.object, by_address.operation, by_address.kind) == (
                by_type.object,
                by_type.operation,
                kind,
            )

    @pytest.mark.parametrize(
        "query", ["type=", "type=<script>", "type=A&type=B", "type=" + "A" * 99, "kind=NoteCreate"]
    )
    def test_an_address_that_names_no_type_says_nothing(self, query: str) -> None:
        body = {"type": "ContactUpdate", "locationId": "l", "id": "x"}

        (found,) = gohighlevel.find(body, b"{}", headers={":query": query}, at=AT)

        assert found.kind == "ContactUpdate"

    def test_an_untyped_body_is_read_by_the_type_of_its_address(self) -> None:
        body = json.dumps({"id": "t-1", "locationId": "l", "title": "Call", "completed": False}).encode()

        (found,) = gohighlevel.find(json.loads(body), body, headers={":query": "type=TaskComplete"}, at=AT)

        assert gohighlevel.normalise(body, kind=found.kind, tenant_settings={}).fields["completed"] is True
