"""A test event: really signed, through our own ingest, marked, not counted, and kept from the CRM."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from circuitos.schema import JSON, examples
from tenants.connections import connect, set_credentials
from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.factories import make_connection
from tests.triggers import engine
from tests.triggers.test_openapi import check, named, record
from triggers import delivery_connections, group_commit, test_event
from triggers.models import LiveEvent, OutboxWrite, RefusedDelivery

pytestmark = pytest.mark.django_db(transaction=True)
URL = "https://circuitos.test/hooks/key/"


@pytest.fixture(autouse=True)
def _own_thread(transactional_db):
    delivery_connections.forget()
    yield
    for thread in threading.enumerate():
        if thread.name in {"lots", "refused"}:
            thread.join()
    group_commit.stop()


def send(connection, **fields):
    at = datetime.now(UTC) - timedelta(seconds=30)  # so that its lane need not wait for more
    return test_event.send(connection=connection, actor="owner", **{"url": URL, "at": at, **fields})


class TestSend:
    def test_speaks_for_the_crms_that_prove_themselves_by_a_secret(self, acme, globex):
        made = [make_connection(acme, crm) for crm in ("salesforce", "pipedrive", "zoho")]
        made.append(make_connection(acme, "gohighlevel", is_workflow=True, secrets=("shared-secret",)))
        made.append(make_connection(acme, "salesforce", secrets=(), allowed_senders=["192.0.2.0/24"]))

        receipts = [send(connection) for connection in made]

        assert [receipt.accepted for receipt in receipts] == [1] * 5
        stored = [event for found in engine.events(acme).values() for event in found]
        assert {(event.object, event.operation, event.origin) for event in stored} == {
            ("Contact", "insert", "test")
        }
        assert engine.events(globex) == {}
        with pytest.raises(test_event.CannotTest):
            send(make_connection(acme, "zoho", secrets=()))

    @pytest.mark.parametrize(("crm", "events"), [("gohighlevel", 1), ("hubspot", 4), ("standard", 1)])
    def test_stores_events_of_every_crm_marked_as_tests(self, acme, globex, crm, events):
        connection = make_connection(acme, crm)

        receipt = send(connection)

        assert (receipt.accepted, receipt.duplicates) == (events, 0)
        assert engine.events(globex) == {}
        ((_, found),) = engine.events(acme).items()
        assert {event.origin for event in found} == {"test"}
        assert {event.status for event in found} == {"queued"}
        assert (found[0].object, found[0].operation, found[0].connection_id) == (
            "Contact",
            "insert",
            connection.pk,
        )
        with every_tenant():
            assert not RefusedDelivery.objects.exists()
        assert AuditEvent.objects.get().verb == "sent a test event to"

    def test_reaches_a_connection_of_no_account_too(self, acme):
        for crm in ("gohighlevel", "hubspot"):
            send(make_connection(acme, crm, account_id=""))

        assert {status for found in engine.statuses(acme).values() for status in found} == {"queued"}

    def test_needs_an_account_that_can_be_one(self, acme):
        with pytest.raises(test_event.CannotTest, match="is a number"):
            send(make_connection(acme, "hubspot", account_id="my portal"))

    def test_each_is_another_record(self, acme_standard, acme):
        send(acme_standard)
        send(acme_standard)

        assert len(engine.events(acme)) == 2

    def test_runs_uncounted_and_sends_nothing_to_the_crm(self, acme, acme_hubspot):
        set_credentials(acme_hubspot, token="pat-test")
        send(acme_hubspot)

        engine.drain(engine.supervisor(engine.Runs(engine.scoring)))

        executions = engine.executions(acme)
        assert executions
        assert {execution.status for execution in executions} == {"succeeded"}
        assert not any(execution.is_counted for execution in executions)
        with every_tenant():
            assert not OutboxWrite.objects.exists()

    def test_of_a_live_event_beside_it_all_goes_to_the_crm(self, acme, acme_hubspot):
        set_credentials(acme_hubspot, token="pat-test")
        send(acme_hubspot)
        engine.put(acme, "51001")
        with every_tenant():
            LiveEvent.objects.filter(record_id="51001").update(connection=acme_hubspot)

        engine.drain(engine.supervisor(engine.Runs(engine.scoring)))

        with every_tenant():
            assert set(OutboxWrite.objects.values_list("record_id", flat=True)) == {"51001"}

    def test_needs_a_secret_and_a_connection_that_is_on(self, acme, acme_standard):
        bare = connect(tenant=acme, crm="standard")
        with pytest.raises(test_event.CannotTest, match="no secret"):
            send(bare)
        acme_standard.is_active = False
        with pytest.raises(test_event.CannotTest, match="switched off"):
            send(acme_standard)


class TestPortal:
    def test_an_owner_sends_one_and_sees_it(self, acme, acme_standard, owner):
        client = Client(HTTP_HOST="acme.localhost")
        client.force_login(owner)

        page = client.post(f"/connections/{acme_standard.code}/test/", follow=True).content.decode()

        assert "A test event is on its way" in page
        assert "Contact insert" in page
        assert ">Test<" in page


class TestRest:
    def test_the_answer_fits_the_schema_and_the_example_is_such_an_answer(
        self, api, acme_token, acme_standard
    ):
        schema = SchemaGenerator().get_schema(public=True)
        answer = api(acme_token).post(f"/api/v1/connections/{acme_standard.code}/test/")

        if "UPDATE_API_EXAMPLES" in os.environ:
            record("connections_test", answer)
        known = examples()["connections_test"]
        shape = named(schema)["connections_test"]["responses"]["202"]["content"][JSON]["schema"]
        check(answer.json(), shape, schema)
        check(known["response"], shape, schema)
        assert answer.status_code == known["status"]

    def test_answers_with_the_receipt(self, api, acme, acme_token, acme_standard):
        answer = api(acme_token).post(f"/api/v1/connections/{acme_standard.code}/test/")

        assert answer.status_code == 202
        assert answer.json()["accepted"] == 1
        ((_, (event,)),) = engine.events(acme).items()
        assert answer.json()["event_ids"] == [str(event.code)]

    def test_is_of_the_tokens_tenant_alone(self, api, acme_token, globex, globex_standard):
        client = api(acme_token)

        assert client.post(f"/api/v1/connections/{globex_standard.code}/test/").status_code == 404
        assert client.post(f"/api/v1/connections/{uuid4()}/test").status_code == 404
        assert client.post("/api/v1/connections/x/test/").status_code == 404
        assert api().post(f"/api/v1/connections/{globex_standard.code}/test/").status_code == 401
        assert engine.events(globex) == {}

    def test_refuses_what_cannot_be_tested(self, api, acme, acme_token):
        bare = connect(tenant=acme, crm="hubspot", account_id="12")

        answer = api(acme_token).post(f"/api/v1/connections/{bare.code}/test/")

        assert (answer.status_code, answer.json()["code"]) == (409, "triggers.cannot-test")
