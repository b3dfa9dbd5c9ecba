"""Standard Webhooks: its signature while secrets rotate, and events named by ``type``."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.factories import STANDARD_SECRET, sign_standard
from tests.triggers.samples import sample
from triggers.crm import BadSignature, Found, standard
from triggers.crm.adapter import NOT_AN_EVENT, RECORD_MISSING
from triggers.schemas import Misfit

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of ours, 32 bytes!").decode()


def verify(
    body: bytes,
    headers: dict[str, str],
    *,
    secrets: tuple[str, ...] = (STANDARD_SECRET,),
    at: datetime = AT,
) -> None:
    lowered = {name.lower(): value for name, value in headers.items()}
    standard.verify(
        body=body, headers=lowered, method="POST", uris=(), secrets=secrets, public_keys=(), at=at
    )


def find(body: bytes | dict[str, Any], message_id: str = "msg_1") -> Found:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    (found,) = standard.find(json.loads(raw), raw, headers={"webhook-id": message_id}, at=AT)
    return found


def normalise(body: bytes | dict[str, Any], **settings: Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return standard.normalise(raw, kind="", tenant_settings=settings).fields


class TestVerify:
    def test_takes_what_the_reference_library_signs(self) -> None:
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(AT.timestamp())),
            "webhook-signature": Webhook(STANDARD_SECRET).sign("msg_1", AT, '{"a":1}'),
        }

        verify(b'{"a":1}', headers)

    def test_one_good_signature_among_several_is_enough(self) -> None:
        verify(b"{}", sign_standard(b"{}", at=AT, others=("v1,AAAA", "v2,xyz", "v1a,abc", "v1,")))

    def test_either_of_two_secrets_proves_while_one_rotates(self) -> None:
        verify(b"{}", sign_standard(b"{}", at=AT), secrets=(OTHER_SECRET, STANDARD_SECRET))

    def test_a_secret_without_its_prefix_is_the_same_secret(self) -> None:
        verify(b"{}", sign_standard(b"{}", at=AT), secrets=(STANDARD_SECRET.removeprefix("whsec_"),))

    @pytest.mark.parametrize(
        "change",
        [
            {"webhook-id": "msg_other"},
            {"webhook-id": ""},
            {"webhook-timestamp": "1"},
            {"webhook-timestamp": "now"},
            {"webhook-timestamp": ""},
            {"webhook-timestamp": "9" * 300},
            {"webhook-signature": ""},
            {"webhook-signature": "v1,"},
            {"webhook-signature": "v1,AAAA v1,BBBB"},
            {"webhook-signature": "v1,ä"},
        ],
    )
    def test_a_changed_header_is_refused(self, change: dict[str, str]) -> None:
        with pytest.raises(BadSignature):
            verify(b"{}", {**sign_standard(b"{}", at=AT), **change})

    def test_a_changed_body_is_refused(self) -> None:
        with pytest.raises(BadSignature):
            verify(b"{} ", sign_standard(b"{}", at=AT))

    def test_an_asymmetric_or_unknown_version_proves_nothing(self) -> None:
        headers = sign_standard(b"{}", at=AT)
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")

        with pytest.raises(BadSignature):
            verify(b"{}", headers)

    @pytest.mark.parametrize("secrets", [(), ("whsec_",), ("whsec_not base64 ä",)])
    def test_without_a_secret_nothing_is_proven(self, secrets: tuple[str, ...]) -> None:
        message_id, sent = "msg_1", str(int(AT.timestamp()))
        empty = base64.b64encode(hmac.digest(b"", f"{message_id}.{sent}.{{}}".encode(), "sha256")).decode()
        headers = {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": "v1," + empty}

        with pytest.raises(BadSignature):
            verify(b"{}", headers, secrets=secrets)

    def test_a_sending_time_beyond_the_calendar_is_refused(self) -> None:
        sent = "9" * 12
        message = f"msg_1.{sent}.{{}}".encode()
        key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
        signature = "v1," + base64.b64encode(hmac.digest(key, message, "sha256")).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": sent, "webhook-signature": signature}

        with pytest.raises(BadSignature):
            verify(b"{}", headers)

    @pytest.mark.parametrize("offset", [timedelta(minutes=6), -timedelta(minutes=6)])
    def test_a_sending_time_over_five_minutes_off_is_refused(self, offset: timedelta) -> None:
        verify(b"{}", sign_standard(b"{}", at=AT + offset * 0.8))
        with pytest.raises(BadSignature, match="five minutes"):
            verify(b"{}", sign_standard(b"{}", at=AT + offset))


class TestFind:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("contact_created", ("Contact", "insert", "lead-7", "contact.created")),
            ("contact_created__form_without_id", ("Contact", "insert", "msg_1", "contact.created")),
            ("order_updated", ("SalesOrder", "update", "991", "sales.order.updated")),
            ("deal_deleted", ("Opportunity", "delete", "d-3", "deal.deleted")),
        ],
    )
    def test_tells_what_happened_to_what(self, name: str, expected: tuple[str, ...]) -> None:
        found = find(sample("standard", name))

        assert (found.object, found.operation, found.record_id, found.kind) == expected
        assert (found.dedup_key, found.account, found.problem) == ("msg_1", None, None)
        assert found.occurred_at == datetime(2026, 3, 3, 20, 20, 10, tzinfo=UTC)

    @pytest.mark.parametrize("kind", [None, 5, "", "contact", ".created", "5.created", "..", "é.created"])
    def test_a_type_that_names_no_object_is_no_event(self, kind: Any) -> None:
        assert find({"type": kind, "data": {"id": "1"}}).problem == NOT_AN_EVENT

    @pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{}", b'{"type":"contact.created"}'])
    def test_a_body_of_another_shape_is_no_event(self, body: bytes) -> None:
        assert find(body).problem == NOT_AN_EVENT

    def test_a_change_of_nothing_in_particular_has_a_problem(self) -> None:
        assert find({"type": "contact.updated", "data": {"email": "a@b.test"}}).problem == RECORD_MISSING

    def test_an_id_named_after_its_object_is_an_id(self) -> None:
        assert find({"type": "contact.updated", "data": {"contact_id": 8}}).record_id == "8"


class TestNormalise:
    def test_a_contact_in_our_names(self) -> None:
        fields = normalise(sample("standard", "contact_created"), field_map={"visits": "site_visits"})

        assert fields == {
            "first_name": "Maya",
            "email": "maya@example.test",
            "postal_code": "75024",
            "company_name": "Okafor Dental",
            "custom_fields": {"budget": 1200, "site_visits": 4},
        }

    def test_an_update_is_partial_and_an_insert_is_not(self) -> None:
        update = b'{"type":"contact.updated","data":{"id":"1","phone":null}}'

        assert standard.normalise(update, kind="", tenant_settings={}).is_partial
        assert not standard.normalise(
            sample("standard", "contact_created"), kind="", tenant_settings={}
        ).is_partial
        assert normalise(update) == {"phone": None}

    def test_an_object_without_a_model_keeps_its_fields(self) -> None:
        assert normalise(sample("standard", "order_updated")) == {"total_amount": 150.1, "state": "paid"}

    @pytest.mark.parametrize(
        "data", [{"email": 5}, {"tags": "a"}, {"custom_fields": "x"}, {"dnd": 1}, {"date_of_birth": {}}]
    )
    def test_a_wrong_type_is_a_misfit_with_the_field_named(self, data: dict[str, Any]) -> None:
        with pytest.raises(Misfit) as caught:
            normalise({"type": "contact.updated", "data": {"id": "1", **data}})

        assert caught.value.fields[0]["field"]

    def test_without_data_it_is_a_misfit(self) -> None:
        with pytest.raises(Misfit):
            normalise({"type": "contact.updated"})
