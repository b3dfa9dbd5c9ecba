"""Each adapter through the real address: taken, known again, answered in the sender's own form."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from circuitos.local import samples
from tenants.connections import rotate_secret
from tenants.scope import every_tenant
from tests.factories import SHARED_SECRET, make_connection
from tests.triggers import engine
from triggers import delivery_connections, delivery_refused, ingest
from triggers.models import RefusedDelivery

if TYPE_CHECKING:
    from tenants.models import Connection, Tenant

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = {"x-circuitos-secret": SHARED_SECRET}


def post(connection: Connection, body: bytes, headers: dict[str, str], *, kind: str, query: str = "") -> Any:
    delivery_connections.forget()
    return Client().post(
        f"/hooks/{connection.key}/{query}", body, content_type=kind, headers=headers, REMOTE_ADDR="192.0.2.9"
    )


def sample(crm: str, event: str) -> bytes:
    return next(path for path in (samples.FOLDER / crm).glob(f"{event}.*")).read_bytes()


def test_every_new_crm_is_taken_once_and_refused_without_proof(acme: Tenant, globex: Tenant) -> None:
    made = {crm: make_connection(acme, crm) for crm in ("salesforce", "pipedrive", "zoho")}
    workflow = make_connection(
        acme,
        "gohighlevel",
        account_id="ve9EPM428h8vShlRW1KT",
        is_workflow=True,
        secrets=(SHARED_SECRET,),
    )
    soap, kind = sample("salesforce", "Opportunity.updated"), "text/xml; charset=UTF-8"
    basic = {"authorization": "Basic Y2lyY3VpdG9zOmEtc2VjcmV0LWJvdGgtc2lkZXMta25vdy0wMTIzNDU2Nzg5"}
    token = sample("zoho", "Leads.insert").replace(b"token-for-the-samples", SHARED_SECRET.encode())

    refused = post(made["salesforce"], soap, {}, kind=kind)
    for _ in range(2):
        said = post(made["salesforce"], soap, {}, kind=kind, query=f"?secret={SHARED_SECRET}")
        assert (said.status_code, said["Content-Type"]) == (200, "text/xml")
        assert b"<Ack>true</Ack>" in said.content
    deliveries = {
        "change event": (made["salesforce"], sample("salesforce", "Contact.change_update"), SECRET),
        "pipedrive": (made["pipedrive"], sample("pipedrive", "person.change"), basic),
        "zoho": (made["zoho"], token, {}),
        "workflow": (workflow, sample("gohighlevel-workflow", "contact.created"), SECRET),
    }
    answers = {
        name: [post(*delivery, kind="application/json") for _ in range(2)]
        for name, delivery in deliveries.items()
    }
    unproven = [
        post(connection, body.replace(SHARED_SECRET.encode(), b"no"), {}, kind="application/json").status_code
        for connection, body, _ in deliveries.values()
        if connection is not workflow
    ]

    assert (refused.status_code, refused.json()["code"]) == (401, "triggers.bad-signature")
    assert {tuple(each.status_code for each in two) for two in answers.values()} == {(202, 200)}
    assert unproven == [401, 401, 401]
    stored = [event for found in engine.events(acme).values() for event in found]
    assert len(stored) == 2 + 2 + 1 + 1 + 1
    assert engine.events(globex) == {}


def test_xml_is_taken_by_salesforce_alone_and_only_from_listed_senders(acme: Tenant) -> None:
    soap = sample("salesforce", "Contact.inserted")
    near = make_connection(acme, "salesforce", secrets=(), allowed_senders=["192.0.2.0/24"])
    far = make_connection(acme, "salesforce", secrets=(), allowed_senders=["198.51.100.0/24"])
    nobody = make_connection(acme, "salesforce", secrets=())
    other = make_connection(acme, "pipedrive")

    answers = [post(each, soap, {}, kind="text/xml") for each in (near, far, nobody, other)]

    assert [each.status_code for each in answers] == [200, 401, 401, 415]
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    said = post(near, bomb, {}, kind="text/xml")
    assert (said.status_code, said.json()["code"]) == (400, "triggers.malformed")


def test_a_signed_connection_takes_no_workflow_and_a_workflows_takes_no_signature(
    acme: Tenant, acme_ghl: Connection
) -> None:
    from tests.factories import body_of, contact_create, sign_gohighlevel

    workflow = make_connection(acme, "gohighlevel", is_workflow=True, secrets=(SHARED_SECRET,))
    signed = body_of(contact_create(location=acme_ghl.account_id))
    unsigned = sample("gohighlevel-workflow", "contact.created")
    signature = {"X-GHL-Signature": sign_gohighlevel(signed)["X-GHL-Signature"]}

    as_signed = post(acme_ghl, unsigned, SECRET, kind="application/json")
    as_workflow = post(workflow, signed, signature, kind="application/json")

    assert (as_signed.status_code, as_workflow.status_code) == (401, 401)


def test_the_address_says_which_event_a_body_is(acme: Tenant, acme_ghl: Connection) -> None:
    from tests.factories import body_of, sign_gohighlevel

    body = body_of(
        {
            "type": "AppointmentCreate",
            "locationId": acme_ghl.account_id,
            "appointment": {"id": "ap-1", "title": "x"},
        }
    )
    headers = {"X-GHL-Signature": sign_gohighlevel(body)["X-GHL-Signature"]}

    said = post(acme_ghl, body, headers, kind="application/json", query="?type=AppointmentDelete")

    assert said.status_code == 202
    (event,) = [event for found in engine.events(acme).values() for event in found]
    assert (event.object, event.operation, event.kind) == ("Appointment", "delete", "AppointmentDelete")


def test_a_refused_secret_is_kept_sealed_and_verified_again_once_it_is_mended(acme: Tenant) -> None:
    connection = make_connection(acme, "pipedrive", secrets=("circuitos:another",))
    basic = {"authorization": "Basic Y2lyY3VpdG9zOmEtc2VjcmV0LWJvdGgtc2lkZXMta25vdy0wMTIzNDU2Nzg5"}
    at = datetime.now(UTC)

    said = post(connection, sample("pipedrive", "person.change"), basic, kind="application/json")
    for thread in threading.enumerate():
        if thread.name == "refused":
            thread.join()
    with every_tenant():
        refused = RefusedDelivery.objects.select_related("connection__tenant", "tenant").get()

    assert said.status_code == 401
    assert "Y2lyY3" not in str(refused.headers)
    assert delivery_refused.shown_headers(refused) == [("the secret", "kept sealed")]
    rotate_secret(connection=connection, new=f"circuitos:{SHARED_SECRET}", at=at - timedelta(minutes=1))
    with every_tenant():
        again = RefusedDelivery.objects.select_related("connection__tenant", "tenant").get()
        assert ingest.verify_again(again).accepted == 1
