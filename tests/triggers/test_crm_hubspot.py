"""HubSpot: signature v3, arrays of events, one property an event."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.factories import HUBSPOT_SECRET, sign_hubspot
from tests.triggers.samples import sample
from triggers.crm import BadSignature, Found, hubspot
from triggers.crm.adapter import NOT_AN_EVENT, RECORD_MISSING
from triggers.schemas import Misfit

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
URI = "https://crm.example.test/hooks/k1/"

# HubSpot's documented example body and secret, signed by its version 3 formula.
VECTOR_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
VECTOR_URI = "https://www.example.com/webhook_uri"
VECTOR_BODY = (
    b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":'
    b'"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]'
)
VECTOR_TIME = "1564113601000"
VECTOR_SIGNATURE = "eKsC+fc6fJZwwhumcU2/NsuOLCbrwb9x9vpBSXW72g4="
VECTOR_AT = datetime(2019, 7, 26, 4, 0, 2, tzinfo=UTC)
# Versions 1 and 2 over the same body, as published: no longer a proof.
VECTOR_V1 = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"


def verify(
    body: bytes,
    headers: dict[str, str],
    *,
    uris: tuple[str, ...] = (URI,),
    secrets: tuple[str, ...] = (HUBSPOT_SECRET,),
    at: datetime = AT,
) -> None:
    lowered = {name.lower(): value for name, value in headers.items()}
    hubspot.verify(
        body=body, headers=lowered, method="POST", uris=uris, secrets=secrets, public_keys=(), at=at
    )


def find(body: bytes | list[Any]) -> list[Found]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return hubspot.find(json.loads(raw), raw, headers={}, at=AT)


def normalise(event: dict[str, Any], **settings: Any) -> dict[str, Any]:
    normalised = hubspot.normalise(json.dumps(event).encode(), kind="", tenant_settings=settings)
    assert normalised.is_partial
    return normalised.fields


def changed(name: str, value: Any, kind: str = "contact.propertyChange") -> dict[str, Any]:
    return {"subscriptionType": kind, "objectId": 1, "propertyName": name, "propertyValue": value}


class TestVerify:
    VECTOR = {"X-HubSpot-Signature-v3": VECTOR_SIGNATURE, "X-HubSpot-Request-Timestamp": VECTOR_TIME}

    def test_the_vector_verifies(self) -> None:
        verify(VECTOR_BODY, self.VECTOR, uris=(VECTOR_URI,), secrets=(VECTOR_SECRET,), at=VECTOR_AT)

    @pytest.mark.parametrize(
        "broken",
        [
            {"body": VECTOR_BODY + b" "},
            {"uris": (VECTOR_URI + "/",)},
            {"uris": ()},
            {"secrets": ("another",)},
            {"secrets": ()},
            {"at": VECTOR_AT + timedelta(minutes=6)},
            {"at": VECTOR_AT - timedelta(minutes=6)},
        ],
        ids=["body", "address", "no address", "secret", "no secret", "stale", "from the future"],
    )
    def test_anything_else_is_refused(self, broken: dict[str, Any]) -> None:
        right = {"body": VECTOR_BODY, "uris": (VECTOR_URI,), "secrets": (VECTOR_SECRET,), "at": VECTOR_AT}

        with pytest.raises(BadSignature):
            verify(headers=self.VECTOR, **{**right, **broken})

    @pytest.mark.parametrize("sent", ["", "soon", "-1", "1564113601000.5", "9" * 400, "१५६४"])
    def test_a_sending_time_that_is_none_is_refused(self, sent: str) -> None:
        with pytest.raises(BadSignature):
            verify(VECTOR_BODY, {**self.VECTOR, "X-HubSpot-Request-Timestamp": sent}, uris=(VECTOR_URI,))

    def test_an_empty_secret_proves_nothing(self) -> None:
        with pytest.raises(BadSignature):
            verify(b"[]", sign_hubspot(b"[]", uri=URI, secret="", at=AT), secrets=("",))

    def test_a_sending_time_beyond_the_calendar_is_refused(self) -> None:
        sent = "9" * 15
        message = f"POST{URI}[]{sent}".encode()
        signature = base64.b64encode(hmac.digest(HUBSPOT_SECRET.encode(), message, "sha256")).decode()
        headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": sent}

        with pytest.raises(BadSignature):
            verify(b"[]", headers)

    def test_the_older_schemes_are_refused_by_name(self) -> None:
        with pytest.raises(BadSignature, match="legacy"):
            verify(VECTOR_BODY, {"X-HubSpot-Signature": VECTOR_V1, "X-HubSpot-Signature-Version": "v1"})

    def test_either_of_two_secrets_proves_while_one_rotates(self) -> None:
        verify(b"[]", sign_hubspot(b"[]", uri=URI, at=AT), secrets=("new", HUBSPOT_SECRET))

    def test_either_spelling_of_the_address_proves(self) -> None:
        verify(b"[]", sign_hubspot(b"[]", uri=URI, at=AT), uris=("http://10.0.0.1/hooks/k1/", URI))

    def test_the_address_is_signed_with_these_escapes_decoded(self) -> None:
        written = "https://a.test/h?x=%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B&y=%20%C3%A9%3a"

        assert hubspot.decoded(written) == "https://a.test/h?x=:/?@!$'()*,;&y=%20%C3%A9:"
        verify(b"[]", sign_hubspot(b"[]", uri=hubspot.decoded(written), at=AT), uris=(written,))


class TestFind:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("contact_creation", ("Contact", "insert", "501", "contact.creation")),
            ("contact_merge", ("Contact", "merge", "501", "contact.merge")),
            ("contact_privacy_deletion", ("Contact", "delete", "501", "contact.privacyDeletion")),
            ("deal_property_change__dealstage", ("Opportunity", "update", "9001", "deal.propertyChange")),
            ("object_property_change__contact", ("Contact", "update", "501", "object.propertyChange")),
            ("conversation_new_message", ("Message", "insert", "m-1", "conversation.newMessage")),
        ],
    )
    def test_tells_what_happened_to_what(self, name: str, expected: tuple[str, ...]) -> None:
        (found,) = find(sample("hubspot", name))

        assert (found.object, found.operation, found.record_id, found.kind) == expected
        assert found.account == "62515"
        assert found.problem is None

    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            ({"subscriptionType": "object.creation", "objectTypeId": "0-3"}, ("Opportunity", "insert")),
            ({"subscriptionType": "object.deletion", "objectTypeId": "0-2"}, ("Company", "delete")),
            (
                {"subscriptionType": "object.creation", "objectTypeId": "2-3508482"},
                ("Object23508482", "insert"),
            ),
            ({"subscriptionType": "contact.restore"}, ("Contact", "undelete")),
            ({"subscriptionType": "line_item.creation"}, ("LineItem", "insert")),
            ({"subscriptionType": "contact.associationChange"}, ("Contact", "update")),
            ({"eventType": "company.deletion"}, ("Company", "delete")),
            ({"subscriptionType": "ticket.creation"}, ("Ticket", "insert")),
            ({"subscriptionType": "ticket.merge"}, ("Ticket", "merge")),
            ({"subscriptionType": "company.restore"}, ("Company", "undelete")),
            ({"subscriptionType": "conversation.creation"}, ("Conversation", "insert")),
            ({"subscriptionType": "conversation.privacyDeletion"}, ("Conversation", "delete")),
            ({"subscriptionType": "product.deletion"}, ("Product", "delete")),
            ({"subscriptionType": "object.merge", "objectTypeId": "0-5"}, ("Ticket", "merge")),
            (
                {"subscriptionType": "object.associationChange", "fromObjectTypeId": "0-3"},
                ("Opportunity", "update"),
            ),
        ],
    )
    def test_reads_every_way_a_subscription_is_named(
        self, event: dict[str, Any], expected: tuple[str, str]
    ) -> None:
        (found,) = find([{"objectId": 1, **event}])

        assert (found.object, found.operation) == expected

    def test_each_event_keeps_its_own_exact_bytes(self) -> None:
        body = sample("hubspot", "batch__mixed_with_redelivery")

        found = find(body)

        assert len(found) == 4
        assert all(body.count(event.raw) == 1 for event in found)
        assert b'{"eventId":2, "portalId"' in found[2].raw

    def test_the_event_id_alone_does_not_tell_events_apart(self) -> None:
        zip_code, first_name, _, redelivered = find(sample("hubspot", "batch__mixed_with_redelivery"))

        assert zip_code.dedup_key != first_name.dedup_key
        assert zip_code.dedup_key == redelivered.dedup_key  # only attemptNumber differs
        assert zip_code.dedup_window == timedelta(days=7)

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"x"'])
    def test_a_body_that_is_no_batch_is_one_event_with_a_problem(self, body: bytes) -> None:
        (found,) = find(body)

        assert found.problem == NOT_AN_EVENT
        assert found.raw == body

    def test_more_than_a_hundred_are_no_batch_of_hubspot(self) -> None:
        event = {"subscriptionType": "contact.creation", "objectId": 1}

        assert len(find([event] * 100)) == 100
        assert [found.problem for found in find([event] * 101)] == [NOT_AN_EVENT]

    @pytest.mark.parametrize(
        "event",
        [
            5,
            None,
            "x",
            [],
            {},
            {"subscriptionType": 5},
            {"subscriptionType": "contact.sneezed", "objectId": 1},
        ],
    )
    def test_an_element_that_is_no_event_does_not_harm_the_next(self, event: Any) -> None:
        bad, good = find([event, {"subscriptionType": "contact.creation", "objectId": 1, "portalId": 1}])

        assert bad.problem == NOT_AN_EVENT
        assert good.problem is None

    @pytest.mark.parametrize("object_id", [None, "", [], 1.5, True])
    def test_without_a_record_id_it_has_a_problem(self, object_id: Any) -> None:
        (found,) = find([{"subscriptionType": "contact.creation", "objectId": object_id}])

        assert found.problem == RECORD_MISSING


class TestNormalise:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("firstname", "Maya", {"first_name": "Maya"}),
            ("zip", "75024", {"postal_code": "75024"}),
            ("company", "Okafor Dental", {"company_name": "Okafor Dental"}),
            ("email", "", {"email": None}),
            ("hs_email_optout", "true", {"dnd": True}),
            ("createdate", "1760000001000", {"created_at": "2025-10-09T08:53:21+00:00"}),
            ("hubspot_owner_id", "77", {"assigned_to": "77"}),
            ("favourite_colour", "green", {"custom_fields": {"favourite_colour": "green"}}),
            ("hs_analytics_num_visits", "4", {"custom_fields": {"site_visits": "4"}}),
        ],
    )
    def test_a_contact_property_under_our_name(self, name: str, value: str, expected: dict[str, Any]) -> None:
        settings = {"field_map": {"hs_analytics_num_visits": "site_visits"}}

        assert normalise(changed(name, value), **settings) == expected

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("dealstage", "closedwon", {"pipeline_stage_id": "closedwon", "status": "won"}),
            ("dealstage", "closedlost", {"pipeline_stage_id": "closedlost", "status": "lost"}),
            (
                "dealstage",
                "presentationscheduled",
                {"pipeline_stage_id": "presentationscheduled", "status": "open"},
            ),
            ("amount", "2400.50", {"monetary_value": 2400.5}),
            ("amount", "", {"monetary_value": None}),
            ("closedate", "1760000001000", {"close_at": "2025-10-09T08:53:21+00:00"}),
        ],
    )
    def test_a_deal_is_an_opportunity(self, name: str, value: str, expected: dict[str, Any]) -> None:
        assert normalise(changed(name, value, "deal.propertyChange")) == expected

    def test_a_new_record_is_known_by_its_id_alone(self) -> None:
        assert normalise({"subscriptionType": "contact.creation", "objectId": 1}) == {}

    def test_a_merge_tells_which_records_went_into_it(self) -> None:
        (event,) = json.loads(sample("hubspot", "contact_merge"))

        assert normalise(event) == {"extra": {"merged_object_ids": [502], "new_object_id": 503}}

    def test_a_merge_of_a_company_tells_the_same(self) -> None:
        event = {"subscriptionType": "company.merge", "objectId": 7, "mergedObjectIds": [8]}

        assert normalise(event) == {"merged_object_ids": [8]}

    @pytest.mark.parametrize(
        ("event", "contact"),
        [
            ({"associationType": "DEAL_TO_CONTACT", "associationRemoved": False}, {"contact_id": "501"}),
            ({"associationType": "DEAL_TO_CONTACT", "associationRemoved": True}, {}),
            ({"associationType": "DEAL_TO_COMPANY", "associationRemoved": False}, {}),
        ],
    )
    def test_a_deal_joined_to_a_contact_knows_it(
        self, event: dict[str, Any], contact: dict[str, Any]
    ) -> None:
        whole = {"subscriptionType": "deal.associationChange", "fromObjectId": 9, "toObjectId": 501, **event}

        fields = normalise(whole)

        assert {name: value for name, value in fields.items() if name != "extra"} == contact
        assert fields["extra"]["to_object_id"] == 501

    @pytest.mark.parametrize(
        ("kind", "name", "value", "expected"),
        [
            ("0-27", "hs_task_status", "COMPLETED", {"completed": True}),
            ("0-27", "hs_task_status", "WAITING", {"completed": False}),
            ("0-46", "hs_note_body", "Likes tea", {"body": "Likes tea"}),
            ("0-2", "name", "Okafor Dental", {"name": "Okafor Dental"}),
        ],
    )
    def test_properties_of_other_objects(
        self, kind: str, name: str, value: str, expected: dict[str, Any]
    ) -> None:
        assert normalise({**changed(name, value, "object.propertyChange"), "objectTypeId": kind}) == expected

    def test_a_message_tells_its_conversation(self) -> None:
        (event,) = json.loads(sample("hubspot", "conversation_new_message"))

        assert normalise(event) == {
            "conversation_id": "70001",
            "message_id": "m-1",
            "message_type": "MESSAGE",
        }

    @pytest.mark.parametrize(
        "event",
        [
            changed("email", 5),
            changed("hs_email_optout", "perhaps"),
            changed("", "x"),
            changed("amount", "a lot", "deal.propertyChange"),
        ],
    )
    def test_a_wrong_type_is_a_misfit_with_the_field_named(self, event: dict[str, Any]) -> None:
        with pytest.raises(Misfit) as caught:
            normalise(event)

        assert caught.value.fields[0]["field"]
