"""The portal's home: the tenant's day in one look, its connections, and the next step of a new tenant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tenants.models import Connection, Membership, Tenant
from tenants.scope import every_tenant
from tests.factories import make_connection
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers.models import RefusedDelivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(acme, globex):
    """``home(person)``: acme's home page as the person sees it."""

    clients = {}

    def page(person):
        if person.pk not in clients:
            clients[person.pk] = Client(HTTP_HOST="acme.localhost")
            clients[person.pk].force_login(person)
        answer = clients[person.pk].get("/")
        assert answer.status_code == 200
        return answer.content.decode()

    return page


def scored(tenant, *, leads, hot, **fields):
    entry = {"level": "info", "message": "scored", "data": {"leads": leads, "hot": hot}, "at": "", "line": 1}
    return make_execution(tenant, trace={"entries": [entry]}, **{"is_counted": True, **fields})


def tile(page, label):
    part = page.partition(f'<span class="label">{label}</span>')[2].partition("</a>")[0]
    return part.partition('<span class="value">')[2].partition("<")[0].strip()


def refuse(connection, *, at):
    with every_tenant():
        RefusedDelivery.objects.create(
            tenant=connection.tenant,
            connection=connection,
            received_at=at,
            error_code="triggers.bad-signature",
            detail="…",
            body=b"",
            size=0,
        )


class TestToday:
    def test_counts_the_leads_scored_and_the_hot_ones(self, home, acme, globex, owner):
        scored(acme, leads=3, hot=1)
        scored(acme, leads=2, hot=0)
        scored(acme, leads=5, hot=5, mode="dry")
        scored(acme, leads=5, hot=5, is_counted=False)  # a test event's
        scored(acme, leads=7, hot=7, at=datetime.now(UTC) - timedelta(days=2))
        scored(globex, leads=11, hot=11)

        page = home(owner)

        assert tile(page, "Leads scored today") == "5"
        assert tile(page, "Hot leads today") == "1"

    def test_the_day_is_the_tenants_own(self, home, acme, owner):
        now = datetime.now(UTC)
        # Where it is between noon and one o'clock, the day began twelve hours ago.
        Tenant.objects.filter(pk=acme.pk).update(timezone=f"Etc/GMT{now.hour - 12:+d}")
        scored(acme, leads=1, hot=0, at=now - timedelta(hours=11))
        scored(acme, leads=1, hot=0, at=now - timedelta(hours=14))

        assert tile(home(owner), "Leads scored today") == "1"

    def test_counts_what_failed_and_what_waits(self, home, acme, globex, owner):
        make_execution(acme, status="partial", ok=1, failed=2)
        make_execution(globex, status="failed", ok=0, failed=3)
        make_event(acme)
        make_event(globex)
        make_event(globex)

        page = home(owner)

        assert tile(page, "Failed today") == "2"
        assert tile(page, "Events waiting") == "1"

    def test_survives_what_other_scripts_log(self, home, acme, owner):
        strange = [{"message": "scored", "data": {"leads": "many", "hot": None}}, {"message": "scored"}]
        make_execution(acme, is_counted=True, trace={"entries": strange})

        assert tile(home(owner), "Leads scored today") == "0"


class TestConnections:
    def test_tells_how_each_is(self, home, acme_ghl, acme_hubspot, globex_ghl, owner):
        at = datetime.now(UTC)
        acme_standard = make_connection(acme_ghl.tenant, "standard")
        Connection.objects.filter(pk=acme_ghl.pk).update(last_event_at=at, name="North branch")
        Connection.objects.filter(pk=acme_standard.pk).update(is_active=False)
        Connection.objects.filter(pk=globex_ghl.pk).update(name="Not acme's")
        refuse(acme_hubspot, at=at)

        page = home(owner)

        assert "North branch" in page
        assert "What it sends is taken." in page
        assert "All it sent was refused." in page
        assert "Switched off" in page
        assert "Not acme" not in page

    def test_old_refusals_are_forgotten(self, home, acme_ghl, owner):
        refuse(acme_ghl, at=datetime.now(UTC) - timedelta(hours=25))

        assert "refused" not in home(owner)


class TestSteps:
    def test_lead_a_new_tenant_to_its_first_event_and_colleagues(self, home, acme, owner, django_user_model):
        assert "Connect your CRM" in home(owner)

        Connection.objects.create(tenant=acme, crm="standard", last_event_at=datetime.now(UTC))
        page = home(owner)
        assert page.count('<li class="done">') == 3
        assert "Invite your colleagues" in page

        Membership.objects.create(tenant=acme, user=django_user_model.objects.create_user("second"))
        assert "Get started" not in home(owner)


class TestCost:
    @pytest.mark.parametrize("rows", [2, 12])
    def test_is_the_same_however_many_rows(self, home, acme, owner, rows):
        for _ in range(rows):
            scored(acme, leads=1, hot=0)
            make_event(acme)
            Connection.objects.create(tenant=acme, crm="standard")
        home(owner)

        with counted("portal.home"):
            home(owner)
