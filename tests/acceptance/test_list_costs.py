"""A list costs the same with 10 and with 1,000 rows: every list of console, portal and REST API."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from governor.models import HostState, Override, Parking, UpgradeRequest, Usage
from tenants.audit import record
from tenants.ids import new_code
from tenants.models import ApiKey, AuditEvent, Connection, Membership, Tenant
from tenants.scope import every_tenant
from tenants.tokens import issue
from tests.rows import make_event, make_execution
from triggers.models import (
    DeadLetterGroup,
    Execution,
    Lane,
    LiveEvent,
    OutboxWrite,
    RefusedDelivery,
    Replay,
    TriggerConfig,
)

pytestmark = pytest.mark.django_db

FEW, MANY = 10, 1_000
PORTAL = ("", "activity/", "connections/", "keys/", "members/", "usage/", "alerts/", "agents/", "data/")
API = (
    "events/", "executions/", "triggers/", "connections/", "replays/", "usage/", "quota/", "limits/",
    "tenants/", "releases/",
)  # fmt: skip
OWN = ("", "tail/")  # of the console, beside the lists of models


def more(tenants, linked, count):
    """So many rows of each kind, half of them each tenant's."""
    at = now()
    start = Execution.objects.count()

    def each(model, **fields):
        rows = []
        for n in range(start, start + count):
            said = {name: value(n) if callable(value) else value for name, value in fields.items()}
            rows.append(model(tenant=tenants[n % 2], **said))
        model.objects.bulk_create(rows)

    copies = []
    # One by one for the first few: they have traces.
    for n in range(start, start + min(count, FEW)):
        made = make_execution(tenants[n % 2], status=("failed", "succeeded")[n % 3 == 0])
        make_event(tenants[n % 2])
    for n in range(start + FEW, start + count):
        copy = Execution.objects.get(pk=made.pk) if not copies else Execution(**_values(copies[0]))
        copy.pk, copy.code, copy.tenant = None, new_code(), tenants[n % 2]
        copies.append(copy)
    Execution.objects.bulk_create(copies)
    event = LiveEvent.objects.order_by("-pk").first()
    LiveEvent.objects.bulk_create(
        LiveEvent(**{**_values(event), "id": None, "code": new_code(), "tenant_id": tenants[n % 2].pk})
        for n in range(count - min(count, FEW))
    )
    each(Lane, object=lambda n: f"Object{n}", parked_reason="paused", parked_until=at + timedelta(hours=1))
    each(OutboxWrite, execution=lambda n: new_code(), object="Contact", record_id="c", operation="update",
         sealed=b"", created_at=at)  # fmt: skip
    each(RefusedDelivery, connection=linked, received_at=at, error_code="triggers.bad-signature",
         detail="No.", body=b"", size=2)  # fmt: skip
    each(TriggerConfig, trigger=lambda n: f"Trigger{n}.run")
    each(HostState, host=lambda n: f"host{n}.test:443", last_at=at)
    each(Override, name="api_calls", value=60, trigger=lambda n: f"Trigger{n}.run", reason="Why.",
         actor="test", created_at=at)  # fmt: skip
    each(Usage, period="d", starts_on=lambda n: (at - timedelta(days=n)).date(), executions=90)
    each(Parking, reason="Used up.", since=at, ended_at=at)
    each(UpgradeRequest, tier=tenants[0].tier, status="declined", requested_by="test", requested_at=at)
    each(Replay, release="r", actor="test", created_at=at, total=1, waiting=1)
    each(ApiKey, name="key", prefix="p", digest=lambda n: hashlib.sha256(f"key{n}".encode()).hexdigest())
    each(Connection, crm="standard", account_id=str)
    DeadLetterGroup.objects.bulk_create(
        DeadLetterGroup(
            fingerprint=f"{start + n}", trigger="A.b", error_code="x.y", message="No.", first_seen=at,
            last_seen=at, sample=new_code(),
        )
        for n in range(count)
    )  # fmt: skip
    users = User.objects.bulk_create(User(username=f"person{start + n}") for n in range(count))
    Membership.objects.bulk_create(Membership(tenant=tenants[n % 2], user=u) for n, u in enumerate(users))
    if not AuditEvent.objects.exists():
        record(actor="test", verb="did", target="it", tenant=tenants[0], at=at)
    last = AuditEvent.objects.order_by("-pk").first()
    AuditEvent.objects.bulk_create(
        AuditEvent(
            **{**_values(last), "id": None, "digest": hashlib.sha256(f"{start + n}".encode()).hexdigest()}
        )
        for n in range(count)
    )


def _values(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def lists():
    console = [f"/admin/{where}" for where in OWN]
    for model in admin.site._registry:
        console.append(f"/admin/{model._meta.app_label}/{model._meta.model_name}/")
    return console


@pytest.fixture
def readers(operator, owner, acme):
    """Who reads which lists."""
    staff, person, program = Client(), Client(), Client()
    staff.force_login(operator)
    person.force_login(owner)
    _, token = issue(tenant=acme, user=None, name="reads")
    program.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return [
        *((staff, address) for address in lists()),
        *((person, f"/t/acme/{where}") for where in PORTAL),
        *((program, f"/api/v1/{where}") for where in API),
    ]


def costs(readers):
    found = {}
    for client, address in readers:
        client.get(address)  # what is cached for all is
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
            body = getattr(answer, "streaming_content", None)
        assert answer.status_code in {200, 302}, (address, answer.status_code)
        assert body is None, address
        found[address] = len(queries), [query["sql"] for query in queries]
    return found


def test_a_list_costs_the_same_with_ten_and_a_thousand_rows(readers, acme, globex, acme_ghl):
    with every_tenant():
        more((acme, globex), acme_ghl, FEW)
    few = costs(readers)
    with every_tenant():
        more((acme, globex), acme_ghl, MANY)
    many = costs(readers)

    dearer = {
        address: f"{few[address][0]} -> {asked}: {[s[:200] for s in sql if s not in few[address][1]][:40]}"
        for address, (asked, sql) in many.items()
        if asked > few[address][0]
    }
    assert dearer == {}


def test_all_lists_are_asked():
    assert len(lists()) > 20
    assert Tenant in admin.site._registry
