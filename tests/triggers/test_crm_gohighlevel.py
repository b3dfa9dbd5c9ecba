"""GoHighLevel: its signature, the events in its bodies, its fields in our names."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.factories import ED25519_KEY, ED25519_PUBLIC, STRANGER_KEY, sign_gohighlevel
from tests.triggers.samples import sample
from triggers.crm import BadSignature, Found, gohighlevel
from triggers.crm.adapter import NOT_AN_EVENT, RECORD_MISSING
from triggers.schemas import FIELDS, Misfit

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)

# A vector made with a throw-away key pair; nobody else's key signs with it.
VECTOR_KEY = "MCowBQYDK2VwAyEA5PeNB0BwtNwSYVYKf9+Nm3y5XannWn9LCJu+NfNwYNs="
VECTOR_BODY = (
    b'{"type":"ContactUpdate","locationId":"ve9EPM428h8vShlRW1KT","id":"nmFmQEsNgz6AVpgLVUJ0","address1":"'
    b'3535 1st St N","city":"ruDolomitebika","state":"AL","companyName":"Loram ipsum","country":"US","sour'
    b'ce":"xyz form","dateAdded":"2021-11-26T12:41:02.193Z","dateOfBirth":"2000-01-05T00:00:00.000Z","dnd"'
    b':true,"email":"lead@example.com","name":"John Deo","firstName":"John","lastName":"Deo","phone":"+120'
    b'25550143","postalCode":"452001","tags":["id magna sed Lorem","Duis dolor commodo aliqua"],"website":'
    b'"https://www.google.com/","attachments":[],"assignedTo":"nmFmQEsNgz6AVpgLVUJ0","customFields":[{"id"'
    b':"BcdmQEsNgz6AVpgLVUJ0","value":"XYZ Corp"}],"timestamp":"2026-03-03T20:20:10.101Z","webhookId":"865'
    b'6d90d-0000-4000-8000-000000000001","versionId":"698de27f0000000000000000","appId":"698de27f000000000'
    b'0000000"}'
)
VECTOR_SIGNATURE = "ixk3NMZpi5GWOZowZ0VJbYQBoZSkh2ADwM++H9lQ7tXY8d/9PPUYQ4xAmDGvTp/8RZGFWPrzIadlyp8LizirBQ=="


def verify(
    body: bytes, signature: str | None, *, keys: tuple[str, ...] = (ED25519_PUBLIC,), **others: str
) -> None:
    headers = {**others, **({} if signature is None else {"x-ghl-signature": signature})}
    gohighlevel.verify(
        body=body, headers=headers, method="POST", uris=(), secrets=(), public_keys=keys, at=AT
    )


def signed(body: bytes, key: Ed25519PrivateKey = ED25519_KEY) -> str:
    return sign_gohighlevel(body, key=key)["X-GHL-Signature"]


def find(body: bytes | dict[str, Any]) -> Found:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    (found,) = gohighlevel.find(json.loads(raw), raw, headers={}, at=AT)
    return found


def normalise(body: bytes | dict[str, Any], **settings: Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return gohighlevel.normalise(raw, kind="", tenant_settings=settings).fields


class TestVerify:
    def test_the_vector_verifies(self) -> None:
        verify(VECTOR_BODY, VECTOR_SIGNATURE, keys=(VECTOR_KEY,))

    def test_a_key_in_pem_is_the_same_key(self) -> None:
        pem = f"-----BEGIN PUBLIC KEY-----\n{VECTOR_KEY}\n-----END PUBLIC KEY-----\n"

        verify(VECTOR_BODY, VECTOR_SIGNATURE, keys=(pem,))

    def test_one_changed_byte_is_refused(self) -> None:
        with pytest.raises(BadSignature):
            verify(VECTOR_BODY.replace(b'"dnd":true', b'"dnd":false'), VECTOR_SIGNATURE, keys=(VECTOR_KEY,))

    def test_the_published_key_is_pinned(self) -> None:
        assert gohighlevel.PUBLISHED_KEY == "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="
        with pytest.raises(BadSignature):
            verify(VECTOR_BODY, VECTOR_SIGNATURE, keys=())

    def test_any_of_several_pinned_keys_may_match(self) -> None:
        verify(b"{}", signed(b"{}"), keys=("not a key", VECTOR_KEY, ED25519_PUBLIC))

    @pytest.mark.parametrize("signature", [None, "", "N/A", " N/A ", "AAAA", "not base64!", "ä", "=" * 88])
    def test_no_signature_or_none_at_all_is_refused(self, signature: str | None) -> None:
        with pytest.raises(BadSignature):
            verify(b"{}", signature)

    def test_a_stranger_is_refused(self) -> None:
        with pytest.raises(BadSignature):
            verify(b"{}", signed(b"{}", STRANGER_KEY))

    def test_the_retired_scheme_is_refused_by_name(self) -> None:
        with pytest.raises(BadSignature, match="retired"):
            verify(b"{}", None, **{"x-wh-signature": signed(b"{}")})

    def test_a_key_of_another_kind_is_no_key(self) -> None:
        rsa = base64.b64encode(b"0" * 44).decode()

        with pytest.raises(BadSignature):
            verify(b"{}", signed(b"{}"), keys=(rsa,))


class TestFind:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("contact_create__minimal", ("Contact", "insert", "c-101", "ContactCreate")),
            ("contact_create__data_wrapper", ("Contact", "insert", "c-102", "ContactCreate")),
            ("contact_update__full", ("Contact", "update", "c-101", "ContactUpdate")),
            ("contact_dnd_update", ("Contact", "update", "c-101", "ContactDndUpdate")),
            ("contact_delete", ("Contact", "delete", "c-101", "ContactDelete")),
            ("opportunity_stage_update", ("Opportunity", "update", "o-5", "OpportunityStageUpdate")),
            ("appointment_create", ("Appointment", "insert", "ap-3", "AppointmentCreate")),
            ("inbound_message__sms_stop", ("Message", "insert", "wh-0008", "InboundMessage")),
            ("inbound_message__email", ("Message", "insert", "em-77", "InboundMessage")),
            ("task_create__without_contact", ("Task", "insert", "t-1", "TaskCreate")),
            ("task_complete", ("Task", "update", "t-1", "TaskComplete")),
            ("note_create", ("Note", "insert", "n-1", "NoteCreate")),
            ("order_status_update", ("Order", "update", "or-9", "OrderStatusUpdate")),
            ("invoice_paid__untyped", ("Invoice", "update", "in-4", "")),
            ("location_create", ("Location", "insert", "loc-8801", "LocationCreate")),
        ],
    )
    def test_tells_what_happened_to_what(self, name: str, expected: tuple[str, ...]) -> None:
        found = find(sample("gohighlevel", name))

        assert (found.object, found.operation, found.record_id, found.kind) == expected
        assert found.account == "loc-8801"
        assert found.problem is None
        assert found.raw == sample("gohighlevel", name)

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("ContactTagUpdate", ("Contact", "update")),
            ("OpportunityMonetaryValueUpdate", ("Opportunity", "update")),
            ("AppointmentDelete", ("Appointment", "delete")),
            ("OutboundMessage", ("Message", "insert")),
            ("ConversationUnreadUpdate", ("Conversation", "update")),
            ("CampaignStatusUpdate", ("Campaign", "update")),
            ("InvoicePartiallyPaid", ("Invoice", "update")),
            ("ObjectSchemaCreate", ("ObjectSchema", "insert")),
            ("RecordDelete", ("Record", "delete")),
            ("INSTALL", ("App", "insert")),
            ("UNINSTALL", ("App", "delete")),
            ("PLAN_CHANGE", ("App", "update")),
            ("SomethingNew", ("SomethingNew", "insert")),
        ],
    )
    def test_reads_the_object_from_the_type(self, kind: str, expected: tuple[str, str]) -> None:
        found = find({"type": kind, "locationId": "l", "id": "x"})

        assert (found.object, found.operation) == expected

    @pytest.mark.parametrize(
        ("body", "name"),
        [
            ({"_id": "1", "product": "p", "amount": 5, "type": "one_time"}, "Price"),
            ({"_id": "1", "name": "Kit", "locationId": "l"}, "Product"),
            ({"id": "1", "firstRecordId": "a", "secondRecordId": "b"}, "Relation"),
            ({"id": "1", "firstObjectKey": "a", "secondObjectKey": "b"}, "Association"),
            ({"id": "1", "properties": []}, "Record"),
            ({"id": "1", "labels": {}, "objectType": "USER_DEFINED"}, "ObjectSchema"),
        ],
    )
    def test_reads_the_object_from_the_shape_when_there_is_no_type(
        self, body: dict[str, Any], name: str
    ) -> None:
        assert find(body).object == name

    @pytest.mark.parametrize(
        "body",
        [b"[]", b'"text"', b"null", b"3", b"{}", b'{"type":5}', b'{"type":"<script>"}', b'{"type":""}'],
    )
    def test_what_is_no_event_has_a_problem(self, body: bytes) -> None:
        assert find(body).problem == NOT_AN_EVENT

    @pytest.mark.parametrize("record_id", [None, 5, "", ["x"], "x" * 201])
    def test_without_a_record_id_it_has_a_problem(self, record_id: Any) -> None:
        assert find({"type": "ContactCreate", "locationId": "l", "id": record_id}).problem == RECORD_MISSING

    @pytest.mark.parametrize("account", [None, 5, "", ["l"], {}])
    def test_an_account_that_is_no_text_is_none(self, account: Any) -> None:
        assert find({"type": "ContactCreate", "locationId": account, "id": "x"}).account is None

    def test_an_agency_event_names_no_account(self) -> None:
        assert find(sample("gohighlevel", "user_create__agency")).account is None

    def test_is_known_again_by_its_webhook_id_for_seven_days(self) -> None:
        found = find(sample("gohighlevel", "contact_create__minimal"))

        assert (found.dedup_key, found.dedup_window) == ("wh-0001", timedelta(days=7))

    def test_without_one_is_known_again_by_its_bytes_for_a_quarter_of_an_hour(self) -> None:
        first, again = find(b'{"type":"ContactCreate","id":"x"}'), find(b'{"type":"ContactCreate","id":"x"}')

        assert first.dedup_key == again.dedup_key
        assert first.dedup_window == timedelta(minutes=15)
        assert find(b'{"type":"ContactCreate","id":"x" }').dedup_key != first.dedup_key

    def test_a_webhook_id_of_any_length_makes_a_key(self) -> None:
        assert len(find({"type": "ContactCreate", "id": "x", "webhookId": "w" * 5000}).dedup_key) <= 200

    def test_takes_the_time_the_crm_says(self) -> None:
        assert find(sample("gohighlevel", "contact_delete")).occurred_at == datetime(
            2026, 3, 4, 8, tzinfo=UTC
        )
        assert find(sample("gohighlevel", "appointment_create")).occurred_at == datetime(
            2026, 3, 3, 10, 35, tzinfo=UTC
        )

    @pytest.mark.parametrize("timestamp", ["yesterday", "", 10**30, -(10**30), 1e300, [], {}, "9999-99-99"])
    def test_a_time_that_is_none_is_unknown(self, timestamp: Any) -> None:
        assert find({"type": "ContactUpdate", "id": "x", "timestamp": timestamp}).occurred_at is None

    def test_a_time_far_ahead_does_not_lock_the_record(self) -> None:
        assert (
            find({"type": "ContactUpdate", "id": "x", "timestamp": "2999-01-01T00:00:00Z"}).occurred_at == AT
        )


class TestNormalise:
    def test_a_contact_in_our_names(self) -> None:
        fields = normalise(
            sample("gohighlevel", "contact_update__full"), field_map={"cf-visits": "site_visits"}
        )

        assert fields["first_name"] == "Maya"
        assert fields["postal_code"] == "75024"
        assert fields["company_name"] == "Okafor Dental"
        assert fields["created_at"] == "2026-03-01T12:41:02.193Z"
        assert fields["dnd"] is False
        assert fields["tags"] == ["patient", "priority"]
        assert fields["custom_fields"] == {"site_visits": "4", "cf-budget": 1200.5}
        assert fields["extra"] == {"lead_temperature": "warm"}
        assert set(fields) <= set(FIELDS["Contact"])

    def test_an_empty_field_is_left_out_by_highlevel_and_none_here(self) -> None:
        fields = normalise(sample("gohighlevel", "contact_create__minimal"))

        assert fields["phone"] is None
        assert fields["custom_fields"] == {}

    def test_what_only_some_bodies_carry_is_not_taken_for_empty(self) -> None:
        assert "dnd_settings" not in normalise(sample("gohighlevel", "contact_create__minimal"))
        assert (
            normalise(sample("gohighlevel", "contact_dnd_update"))["dnd_settings"]["SMS"]["status"]
            == "active"
        )

    def test_the_data_wrapper_changes_nothing(self) -> None:
        assert normalise(sample("gohighlevel", "contact_create__data_wrapper"))["first_name"] == "Ivo"

    def test_other_objects_in_our_names(self) -> None:
        appointment = normalise(sample("gohighlevel", "appointment_create"))
        opportunity = normalise(sample("gohighlevel", "opportunity_stage_update"))
        message = normalise(sample("gohighlevel", "inbound_message__email"))

        assert appointment["starts_at"] == "2026-03-25T16:00:00+05:30"
        assert appointment["status"] == "confirmed"
        assert (opportunity["monetary_value"], opportunity["pipeline_stage_id"]) == (2400, "s-3")
        assert (message["sender"], message["recipients"]) == (
            "Maya <maya@example.test>",
            ["front@okafor.example.test"],
        )
        assert normalise(sample("gohighlevel", "task_complete"))["completed"] is True
        assert normalise(sample("gohighlevel", "task_create__without_contact"))["contact_id"] is None

    def test_an_object_without_a_model_keeps_its_fields(self) -> None:
        fields = normalise(sample("gohighlevel", "invoice_paid__untyped"))

        assert fields["invoice_number"] == "19"
        assert fields["amount_paid"] == 999

    @pytest.mark.parametrize(
        ("field", "value"),
        [("email", 5), ("firstName", ["Maya"]), ("dnd", "yes"), ("tags", [1]), ("customFields", "none")],
    )
    def test_a_wrong_type_is_a_misfit_with_the_field_named(self, field: str, value: Any) -> None:
        with pytest.raises(Misfit) as caught:
            normalise({"type": "ContactUpdate", "id": "x", field: value})

        assert caught.value.fields
        assert all(fault["reason"] for fault in caught.value.fields)

    def test_whole_numbers_beyond_64_bits_become_text(self) -> None:
        fields = normalise(
            {"type": "ContactUpdate", "id": "x", "customFields": [{"id": "n", "value": 10**30}]}
        )

        assert fields["custom_fields"] == {"n": "1" + "0" * 30}

    def test_tags_written_with_commas_are_a_list(self) -> None:
        assert normalise({"type": "ContactUpdate", "id": "x", "tags": "hot, west,"})["tags"] == [
            "hot",
            "west",
        ]
