"""Webhooks over real HTTP: every row of the contract's table, for each CRM."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tenants.choices import TenantStatus
from tenants.connections import rotate_secret
from tenants.models import Connection, Tenant
from tenants.scope import tenant_scope
from tenants.secrets import unseal
from tests.factories import (
    STANDARD_SECRET,
    STRANGER_KEY,
    body_of,
    contact_create,
    make_connection,
    sign_gohighlevel,
    sign_hubspot,
    sign_standard,
)
from tests.triggers.hostile import REFUSED, TAKEN
from tests.triggers.test_admission import set_value
from triggers.choices import EventStatus
from triggers.models import Event, Lane, LiveEvent, RefusedCount, RefusedDelivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.triggers.web import Answer, Web

pytestmark = pytest.mark.django_db(transaction=True)

CRMS = ("gohighlevel", "hubspot", "standard")


class Crm:
    """A CRM of acme's that speaks to its own connection."""

    def __init__(self, crm: str, tenant: Tenant, web: Web) -> None:
        self.crm, self.web = crm, web
        self.connection = make_connection(tenant, crm)
        self._number = 0

    def body(self, **fields: Any) -> bytes:
        """A new contact each time."""
        self._number += 1
        number = self._number
        if self.crm == "gohighlevel":
            account = fields.pop("account", self.connection.account_id)
            return body_of(contact_create(number=number, location=account, **fields))
        if self.crm == "hubspot":
            return body_of([self.hubspot_event(number, **fields)])
        return body_of({"type": "contact.created", "data": {"id": f"lead-{number}", **fields}})

    def hubspot_event(self, number: int, **fields: Any) -> dict[str, Any]:
        account = fields.pop("account", int(self.connection.account_id))
        return {
            "eventId": number,
            "portalId": account,
            "occurredAt": 1_760_000_000_000 + number,
            "subscriptionType": "contact.creation",
            "attemptNumber": 0,
            "objectId": 500 + number,
            **fields,
        }

    def sign(self, body: bytes, **how: Any) -> dict[str, str]:
        if self.crm == "gohighlevel":
            return sign_gohighlevel(body, **how)
        if self.crm == "hubspot":
            return sign_hubspot(body, **{"uri": self.web.address_of(self.connection), **how})
        return sign_standard(body, **how)

    def deliver(self, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return self.web.deliver(self.connection, body, self.sign(body) if headers is None else headers)

    def events(self) -> list[Event]:
        with tenant_scope(self.connection.tenant_id):
            return list(Event.objects.filter(connection=self.connection).order_by("id"))


@pytest.fixture(params=CRMS)
def crm(request: pytest.FixtureRequest, acme: Tenant, web: Web) -> Crm:
    return Crm(request.param, acme, web)


@pytest.fixture
def ghl(acme: Tenant, web: Web) -> Crm:
    return Crm("gohighlevel", acme, web)


@pytest.fixture
def hubspot(acme: Tenant, web: Web) -> Crm:
    return Crm("hubspot", acme, web)


def until(truth: Callable[[], Any]) -> Any:
    """What ``truth`` says as soon as it says something; the other side of it runs by itself."""
    deadline = time.monotonic() + 20
    while not (found := truth()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class TestStored:
    def test_a_new_event_is_202_with_its_id_and_on_disk(self, crm: Crm) -> None:
        body = crm.body()

        answer = crm.deliver(body)

        (event,) = crm.events()
        assert answer.status == 202
        assert answer.document == {
            "status": "accepted",
            "accepted": 1,
            "duplicates": 0,
            "event_ids": [str(event.code)],
        }
        assert answer.headers["Content-Type"] == "application/json"
        assert (event.object, event.operation, event.status) == ("Contact", "insert", EventStatus.QUEUED)
        assert event.tenant_id == crm.connection.tenant_id
        assert UUID(answer.document["event_ids"][0]).version == 7

    def test_the_body_is_kept_exact_and_sealed(self, ghl: Crm) -> None:
        body = ghl.body(note="é  1.50") + b"  "

        ghl.deliver(body)

        (event,) = ghl.events()
        context = f"event:{event.tenant_id}:{event.code}"
        assert unseal(event.body, context=context) == body
        assert b"ContactCreate" not in bytes(event.body)

    def test_the_event_stands_in_its_objects_lane(self, crm: Crm) -> None:
        crm.deliver(crm.body())
        crm.deliver(crm.body())

        first, second = crm.events()
        with tenant_scope(crm.connection.tenant_id):
            lane = Lane.objects.get(object="Contact")
        assert first.lane_id == second.lane_id == lane.pk
        assert first.pk < second.pk

    def test_known_again_it_is_200_with_the_first_id(self, crm: Crm) -> None:
        body = crm.body()
        headers = crm.sign(body)
        first = crm.deliver(body, headers)

        again = crm.deliver(body, headers)

        assert again.status == 200
        assert again.document == {
            "status": "duplicate",
            "accepted": 0,
            "duplicates": 1,
            "event_ids": first.document["event_ids"],
        }
        assert len(crm.events()) == 1

    def test_some_known_some_new_keep_the_order_of_the_body(self, hubspot: Crm) -> None:
        first, second, third = (hubspot.hubspot_event(number) for number in (1, 2, 3))
        known = hubspot.deliver(body_of([second])).document["event_ids"][0]

        answer = hubspot.deliver(body_of([first, second, third, first]))

        ids = answer.document["event_ids"]
        assert answer.status == 202
        assert (answer.document["accepted"], answer.document["duplicates"]) == (2, 2)
        assert ids[1] == known
        assert ids[3] == ids[0]
        by_code = {str(event.code): event.record_id for event in hubspot.events()}
        assert [by_code[code] for code in ids] == ["501", "502", "503", "501"]

    def test_a_batch_of_a_hundred_is_one_delivery_in_order(self, hubspot: Crm) -> None:
        answer = hubspot.deliver(body_of([hubspot.hubspot_event(number) for number in range(100)]))

        events = hubspot.events()
        assert answer.document["accepted"] == 100
        assert [event.position for event in events] == list(range(100))
        assert len({event.delivery for event in events}) == 1
        assert [str(event.code) for event in events] == answer.document["event_ids"]

    def test_a_change_a_tenant_knows_is_new_to_another(self, web: Web, ghl: Crm, globex: Tenant) -> None:
        other = make_connection(globex, "gohighlevel", account_id=ghl.connection.account_id)
        body = ghl.body()
        ghl.deliver(body)

        answer = web.deliver(other, body, sign_gohighlevel(body))

        assert answer.status == 202
        assert len(ghl.events()) == 1
        with tenant_scope(globex.pk):
            assert [event.tenant_id for event in Event.objects.all()] == [globex.pk]

    def test_thirty_two_at_once_store_one_event(self, crm: Crm) -> None:
        body = crm.body()
        headers = crm.sign(body)

        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: crm.deliver(body, headers), range(32)))

        assert sorted(answer.status for answer in answers) == [200] * 31 + [202]
        assert len({answer.document["event_ids"][0] for answer in answers}) == 1
        assert len(crm.events()) == 1

    def test_any_host_name_will_do(self, ghl: Crm) -> None:
        for host in ("demo.localhost", "acme.example.test", "203.0.113.7:8443"):
            body = ghl.body()

            assert ghl.deliver(body, {**ghl.sign(body), "Host": host}).status == 202

    def test_hubspot_signs_the_host_it_called(self, hubspot: Crm) -> None:
        body = hubspot.body()
        path = f"/hooks/{hubspot.connection.key}/?from=app%2F1"
        headers = hubspot.sign(body, uri=f"http://demo.localhost{path}".replace("%2F", "/"))

        assert hubspot.web.send(path, body, {**headers, "Host": "demo.localhost"}).status == 202

    def test_both_spellings_of_the_trailing_slash_work(self, crm: Crm) -> None:
        body = crm.body()
        path = f"/hooks/{crm.connection.key}"
        how = {"uri": f"http://127.0.0.1:{crm.web.port}{path}"} if crm.crm == "hubspot" else {}

        assert crm.web.send(path, body, crm.sign(body, **how)).status == 202

    def test_a_body_in_chunks_is_a_body(self, ghl: Crm) -> None:
        body = ghl.body()
        chunked = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
        headers = {**ghl.sign(body), "Transfer-Encoding": "chunked", "Content-Length": None}

        assert ghl.deliver(chunked, headers).status == 202

    def test_a_paused_or_closed_tenant_still_takes_events(self, crm: Crm, acme: Tenant) -> None:
        for status in (TenantStatus.PAUSED, TenantStatus.CLOSED):
            Tenant.objects.filter(pk=acme.pk).update(status=status)

            assert crm.deliver(crm.body()).status == 202
        assert {event.status for event in crm.events()} == {EventStatus.QUEUED}


class TestRefused:
    def test_a_strangers_signature_is_401(self, crm: Crm) -> None:
        body = crm.body()
        wrong = {
            "gohighlevel": {"key": STRANGER_KEY},
            "hubspot": {"secret": "another"},
            "standard": {"secret": "whsec_" + "A" * 40},
        }

        answer = crm.deliver(body, crm.sign(body, **wrong[crm.crm]))

        assert answer.status == 401
        assert answer.document["code"] == "triggers.bad-signature"
        assert answer.document["detail"]
        assert crm.events() == []

    def test_a_missing_signature_is_401(self, crm: Crm) -> None:
        answer = crm.deliver(crm.body(), {"Content-Type": "application/json"})

        assert (answer.status, answer.document["code"]) == (401, "triggers.bad-signature")

    def test_a_changed_body_is_401(self, crm: Crm) -> None:
        body = crm.body()

        assert crm.deliver(body + b" ", crm.sign(body)).status == 401

    def test_another_crms_scheme_is_401(self, crm: Crm, acme: Tenant) -> None:
        body = crm.body()
        for other in set(CRMS) - {crm.crm}:
            speaker = Crm(other, acme, crm.web)
            speaker.connection = crm.connection

            assert crm.deliver(body, speaker.sign(body)).status == 401

    @pytest.mark.parametrize("minutes", [-6, 6])
    @pytest.mark.parametrize("name", ["hubspot", "standard"])
    def test_a_stale_sending_time_is_401(self, acme: Tenant, web: Web, name: str, minutes: int) -> None:
        crm = Crm(name, acme, web)
        body = crm.body()

        answer = crm.deliver(body, crm.sign(body, at=datetime.now(UTC) + timedelta(minutes=minutes)))

        assert (answer.status, answer.document["code"]) == (401, "triggers.bad-signature")

    @pytest.mark.parametrize("name", ["gohighlevel", "hubspot"])
    def test_another_account_is_401(self, acme: Tenant, web: Web, name: str) -> None:
        crm = Crm(name, acme, web)

        answer = crm.deliver(crm.body(account={"gohighlevel": "another", "hubspot": 1}[name]))

        assert (answer.status, answer.document["code"]) == (401, "triggers.wrong-account")
        assert crm.events() == []

    def test_one_event_of_another_account_refuses_the_batch(self, hubspot: Crm) -> None:
        body = body_of([hubspot.hubspot_event(1), hubspot.hubspot_event(2, account=1)])

        assert hubspot.deliver(body).status == 401
        assert hubspot.events() == []

    def test_a_refused_delivery_is_kept_sealed(self, crm: Crm) -> None:
        body = crm.body()

        crm.deliver(body, {"Content-Type": "application/json", "Authorization": "Bearer private"})

        with tenant_scope(crm.connection.tenant_id):
            refused = until(RefusedDelivery.objects.filter(connection=crm.connection).first)
        assert refused.error_code == "triggers.bad-signature"
        assert unseal(refused.body, context=f"refused:{refused.tenant_id}:{refused.code}") == body
        assert refused.size == len(body)
        assert "private" not in json.dumps(refused.headers)

    def test_after_a_hundred_they_are_only_counted(self, ghl: Crm) -> None:
        for _ in range(105):
            assert ghl.deliver(b"{}", {"Content-Type": "application/json"}).status == 401

        def all_are_counted() -> bool:
            return RefusedCount.objects.filter(connection_id=ghl.connection.pk, count=105).exists()

        until(all_are_counted)
        with tenant_scope(ghl.connection.tenant_id):
            assert RefusedDelivery.objects.filter(connection=ghl.connection).count() == 100

    def test_a_rotated_secret_proves_beside_the_new_one(self, acme: Tenant, web: Web) -> None:
        crm = Crm("standard", acme, web)
        new = rotate_secret(connection=crm.connection, at=datetime.now(UTC))
        old_body, new_body = crm.body(), crm.body()

        assert crm.deliver(old_body, crm.sign(old_body, secret=STANDARD_SECRET)).status == 202
        assert crm.deliver(new_body, crm.sign(new_body, secret=new)).status == 202


class TestQuarantined:
    @pytest.mark.parametrize("name", ["gohighlevel", "hubspot"])
    def test_an_account_that_is_none_is_202_and_one_quarantined_event(
        self, acme: Tenant, web: Web, name: str
    ) -> None:
        crm = Crm(name, acme, web)
        for account in (None, 17.5, ["x"], {}, ""):
            answer = crm.deliver(crm.body(account=account))

            *_, event = crm.events()
            assert (answer.status, answer.document["accepted"]) == (202, 1)
            assert (event.status, event.reason) == (EventStatus.QUARANTINED, "triggers.account-missing")
            assert event.error["detail"]
            assert event.lane_id is None

    def test_json_that_is_no_event_is_202_and_one_quarantined_event(self, crm: Crm) -> None:
        for body in (b"{}", b"[]", b"null", b"42", b'"text"', b'{"hello":"world"}'):
            answer = crm.deliver(body)

            *_, event = crm.events()
            assert (answer.status, answer.document["accepted"]) == (202, 1)
            assert answer.document["event_ids"] == [str(event.code)]
            assert event.status == EventStatus.QUARANTINED

    def test_a_bad_element_does_not_hold_back_the_good_ones(self, hubspot: Crm) -> None:
        answer = hubspot.deliver(body_of([hubspot.hubspot_event(1), 5, hubspot.hubspot_event(2)]))

        assert answer.document["accepted"] == 3
        assert sorted(event.status for event in hubspot.events()) == ["quarantined", "queued", "queued"]


class TestMalformed:
    def test_hostile_bodies_are_400_and_store_nothing(self, crm: Crm) -> None:
        told = {name: crm.deliver(body) for name, body in REFUSED.items()}

        assert {name: answer.status for name, answer in told.items()} == dict.fromkeys(REFUSED, 400)
        assert {answer.document["code"] for answer in told.values()} == {"triggers.malformed"}
        assert all(answer.document["detail"] for answer in told.values())
        assert crm.events() == []

    def test_odd_bodies_are_202_and_stored_whole(self, crm: Crm) -> None:
        told = {name: crm.deliver(body) for name, body in TAKEN.items()}

        assert {name: answer.status for name, answer in told.items()} == dict.fromkeys(TAKEN, 202)
        assert len(crm.events()) == sum(answer.document["accepted"] for answer in told.values())

    def test_odd_text_in_every_named_place_is_202(self, ghl: Crm) -> None:
        odd = ["'; DROP TABLE x; --", "\u202e", "é" * 500, "\\", '"', "%s", "{}", "\x7f", "\U0001f600"]

        for value in odd:
            body = ghl.body(id=value[:200], webhookId=value, timestamp=value, type="Contact" + value[:5])
            assert ghl.deliver(body).status == 202

        assert len(ghl.events()) == len(odd)


class TestTransport:
    def test_another_method_is_405(self, ghl: Crm) -> None:
        for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = ghl.web.send(f"/hooks/{ghl.connection.key}/", method=method)

            assert (answer.status, answer.document["code"]) == (405, "triggers.method-not-allowed")
            assert answer.headers["Allow"] == "POST"

    def test_an_unknown_key_is_404(self, web: Web) -> None:
        for key in ("unknown", "x" * 300, "%00", "a/b", "app/nowhere", "%C3%A9", "%ff", "", "//"):
            answer = web.send(f"/hooks/{key}/", b"{}", {"Content-Type": "application/json"})

            assert (answer.status, answer.document["code"]) == (404, "triggers.unknown-key")

    def test_a_connection_switched_off_is_404(self, ghl: Crm) -> None:
        Connection.objects.filter(pk=ghl.connection.pk).update(is_active=False)

        assert ghl.deliver(ghl.body()).status == 404

    def test_another_media_type_is_415(self, ghl: Crm) -> None:
        body = ghl.body()
        for declared in (
            None,
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=latin-1",
            "application/jsonp",
        ):
            answer = ghl.deliver(body, {**ghl.sign(body), "Content-Type": declared})

            assert (answer.status, answer.document["code"]) == (415, "triggers.wrong-media-type")

    def test_utf_8_may_be_said(self, ghl: Crm) -> None:
        for declared in (
            "application/json; charset=utf-8",
            'Application/JSON;charset="UTF-8"',
            "application/json;",
        ):
            body = ghl.body()

            assert ghl.deliver(body, {**ghl.sign(body), "Content-Type": declared}).status == 202

    def test_a_compressed_body_is_415(self, ghl: Crm) -> None:
        body = ghl.body()

        assert ghl.deliver(body, {**ghl.sign(body), "Content-Encoding": "gzip"}).status == 415

    def test_a_body_over_a_megabyte_is_413_before_it_is_read(self, ghl: Crm) -> None:
        answer = ghl.web.send(
            f"/hooks/{ghl.connection.key}/",
            b"",
            {
                "Content-Type": "application/json",
                "Content-Length": str(1024 * 1024 + 1),
                "Connection": "close",
            },
        )

        assert (answer.status, answer.document["code"]) == (413, "triggers.too-large")

    def test_a_megabyte_in_chunks_is_413_too(self, ghl: Crm) -> None:
        chunk = b"%x\r\n%b\r\n" % (65536, b" " * 65536)
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked", "Content-Length": None}

        answer = ghl.web.send(f"/hooks/{ghl.connection.key}/", chunk * 17 + b"0\r\n\r\n", headers)

        assert answer.status == 413

    def test_a_whole_megabyte_is_taken(self, ghl: Crm) -> None:
        body = ghl.body()
        body += b" " * (1024 * 1024 - len(body))

        assert ghl.deliver(body).status == 202


class TestHeldBack:
    def test_faster_than_the_ceiling_is_429(self, ghl: Crm, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(settings={"ingest_rate": 0})

        answer = ghl.deliver(ghl.body())

        assert (answer.status, answer.document["code"]) == (429, "triggers.rate-exceeded")
        assert int(answer.headers["Retry-After"]) >= 1
        assert ghl.events() == []

    def test_an_operators_ceiling_outranks_the_settings(self, ghl: Crm, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(settings={"ingest_rate": 1_000_000})
        set_value(acme, "ingest_rate", 1)

        answers = [ghl.deliver(ghl.body()).status for _ in range(8)]

        assert 429 in answers
        assert len(ghl.events()) == answers.count(202)

    def test_a_full_lot_is_429_and_an_emptied_one_takes_events_again(self, ghl: Crm, acme: Tenant) -> None:
        Tenant.objects.filter(pk=acme.pk).update(settings={"ingest_lot": 0})
        full = make_connection(acme, "gohighlevel")
        body = ghl.body()

        answer = ghl.web.deliver(full, body, sign_gohighlevel(body))

        assert (answer.status, answer.document["code"]) == (429, "triggers.lot-full")
        assert int(answer.headers["Retry-After"]) >= 1
        with tenant_scope(acme.pk):
            assert not LiveEvent.objects.exists()
