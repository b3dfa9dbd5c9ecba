"""Finding what a CRM never told: made into events once, counted, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from pytest_httpserver import HTTPServer

from tenants.records.merge import Change
from tenants.records.store import apply_changes
from tenants.scope import every_tenant
from tests.crm_servers.accounts import Accounts, say
from tests.crm_servers.search import HighLevelSearch, HubSpotSearch
from tests.triggers.engine import Runs, drain, mirror, put, statuses, supervisor
from tests.triggers.history import contact, hubspot, link, look_all
from triggers import completeness, missed
from triggers.models import Event, LiveEvent, Reconciliation

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(microsecond=0)
BEFORE = NOW - timedelta(hours=1)
CHANGED = NOW - timedelta(minutes=30)


@pytest.fixture(scope="module")
def server():
    with HTTPServer(host="127.0.0.1") as running:
        yield running


@pytest.fixture
def crm(server, settings):
    server.clear()
    double = Accounts(server)
    settings.GOHIGHLEVEL_API_URL = settings.HUBSPOT_API_URL = double.url
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    return double


@pytest.fixture
def held(crm, acme_ghl):
    missed.watch(link(acme_ghl, crm), at=BEFORE)
    return HighLevelSearch(crm)


def delivered(connection, record_id, *, at, **fields):
    """An event as the CRM delivered it."""
    event = put(connection.tenant, record_id, operation="update", occurred_at=at, **fields)
    with every_tenant():
        LiveEvent.objects.filter(pk=event.pk).update(connection=connection, received_at=at)


def found(connection):
    with every_tenant():
        return list(Event.objects.filter(connection=connection, origin="reconcile"))


class TestFound:
    def test_becomes_an_event_that_runs(self, held, acme_ghl, globex_ghl):
        held.contacts = [contact(1, at=CHANGED, firstName="Bea")]

        look_all(NOW)

        (event,) = found(acme_ghl)
        assert (event.record_id, event.operation, event.occurred_at) == ("c00001", "insert", CHANGED)
        runs = Runs()
        drain(supervisor(runs))
        assert runs.batches == [["c00001"]]
        assert mirror(acme_ghl.tenant, "c00001")["first_name"] == "Bea"
        assert not found(globex_ghl)

    def test_is_found_once(self, held, acme_ghl):
        held.contacts = [contact(n, at=CHANGED) for n in range(130)]

        look_all(NOW)
        for minutes in (10, 20):
            look_all(NOW + timedelta(minutes=minutes))

        assert len(found(acme_ghl)) == 130
        assert completeness.of(acme_ghl, at=NOW) == completeness.Completeness(0, 130)

    def test_survives_a_reader_that_dies(self, held, acme_ghl):
        held.contacts = [contact(n, at=CHANGED) for n in range(130)]
        missed.step(at=NOW)

        def dies(connection):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            missed.step(at=NOW, client_of=dies)
        look_all(NOW + missed.LEASE)

        assert len(found(acme_ghl)) == 130

    def test_is_counted_towards_no_quota(self, held, acme_ghl):
        from governor import usage

        held.contacts = [contact(1, at=CHANGED)]
        look_all(NOW)
        drain(supervisor(Runs()))

        with database.cursor() as cursor:
            day, _ = usage.read(cursor, tenant_id=acme_ghl.tenant_id, on=NOW.date())
        assert day.executions == 0
        assert statuses(acme_ghl.tenant) == {"c00001": ["succeeded"]}


class TestNotMissed:
    def test_what_was_delivered(self, held, acme_ghl):
        held.contacts = [contact(1, at=CHANGED, firstName="Bea")]
        delivered(acme_ghl, "c00001", at=CHANGED)

        look_all(NOW)

        assert not found(acme_ghl)
        said = completeness.of(acme_ghl, at=NOW)
        assert (said.delivered, said.found, said.text) == (1, 0, "100 %")

    def test_what_is_young(self, held, acme_ghl):
        held.contacts = [contact(1, at=NOW - timedelta(minutes=5))]
        look_all(NOW)
        assert not found(acme_ghl)

        look_all(NOW + timedelta(minutes=20))

        assert len(found(acme_ghl)) == 1

    def test_what_we_wrote_ourselves(self, held, acme_ghl):
        known = contact(1, at=CHANGED)
        own = {"first_name": "Ada", "last_name": "Lead 1", "email": "ada1@example.test"}
        with database.cursor() as cursor:
            apply_changes(
                cursor,
                schema=acme_ghl.tenant.schema_name,
                changes=[Change("Contact", "upsert", "c00001", {**own, "created_at": known["dateAdded"]})],
                at=CHANGED,
                source_of={"Contact": "gohighlevel"},
            )
        held.contacts = [known]

        look_all(NOW)

        assert not found(acme_ghl)
        assert completeness.of(acme_ghl, at=NOW).percent is None

    def test_what_only_another_connection_was_told(self, held, acme_ghl, globex_ghl):
        held.contacts = [contact(1, at=CHANGED)]
        delivered(globex_ghl, "c00001", at=CHANGED)

        look_all(NOW)

        assert len(found(acme_ghl)) == 1


class TestRounds:
    def test_rest_between_and_begin_at_once_after_a_gap(self, held, acme_ghl):
        missed.mind(at=NOW)
        assert look_all(NOW) > 0
        assert look_all(NOW + timedelta(minutes=1)) == 0
        missed.mind(at=NOW + timedelta(minutes=1))

        # Nobody came by for three minutes: worker, database or beat were away.
        back = NOW + timedelta(minutes=4)
        assert missed.mind(at=back) == 1

        assert look_all(back) > 0

    def test_begin_at_once_after_a_start(self, held):
        look_all(NOW)
        assert missed.mind(at=NOW, is_start=True) == 1
        assert look_all(NOW) > 0

    def test_a_crm_that_is_away_is_asked_later_from_the_same_time(self, crm, held, acme_ghl):
        held.contacts = [contact(1, at=CHANGED)]
        crm.instead = [say(503, {})]

        assert look_all(NOW) == 1
        with every_tenant():
            row = Reconciliation.objects.get()
        assert "503" in row.problem
        look_all(NOW + timedelta(minutes=1))

        assert len(found(acme_ghl)) == 1

    def test_hubspot_is_asked_by_its_own_times(self, crm, acme_hubspot):
        held = HubSpotSearch(crm)
        old = NOW - timedelta(days=3)
        held.records["contacts"] = [
            hubspot(1, at=old, firstname="Old"),
            hubspot(2, at=CHANGED, firstname="Bea"),
        ]
        held.records["deals"] = [hubspot(9, at=CHANGED, dealname="Deal", amount="5")]
        missed.watch(link(acme_hubspot, crm), at=BEFORE)

        look_all(NOW)

        assert {(event.object, event.record_id) for event in found(acme_hubspot)} == {
            ("Contact", "2"),
            ("Opportunity", "9"),
        }


class TestCompleteness:
    def test_never_rounds_a_loss_away(self):
        assert completeness.Completeness(4999, 1).text == "99.98 %"
        assert completeness.Completeness(10**6, 1).text == "99.99 %"
        assert completeness.Completeness(5, 0).text == "100 %"
        assert completeness.Completeness(0, 0).text == ""
