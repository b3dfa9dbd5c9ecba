"""Importing what a CRM held: page by page, going on after a death, never over what is newer, and scored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from pytest_httpserver import HTTPServer

from tenants.models import AuditEvent, Connection
from tenants.records.merge import Incoming
from tenants.records.store import apply_incoming, get
from tenants.scope import every_tenant
from tests.crm_servers.accounts import Accounts, say
from tests.crm_servers.search import HighLevelSearch, HubSpotSearch
from tests.triggers.history import contact, hubspot, import_all, iso, link, opportunity
from triggers import backfill, connected
from triggers.backfill import CannotImport
from triggers.crm.client import Client
from triggers.models import Backfill, Event, OutboxWrite

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - timedelta(days=40)


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


def records(tenant, name):
    with database.cursor() as cursor:
        cursor.execute(
            f'SELECT external_id FROM "{tenant.schema_name}".records_record WHERE object = %s', [name]
        )
        ids = [each for (each,) in cursor.fetchall()]
        return get(cursor, schema=tenant.schema_name, object=name, ids=ids)


def part(connection, name):
    with every_tenant():
        return Backfill.objects.get(connection=connection, object=name)


class TestGoHighLevel:
    def test_comes_whole_and_runs_nothing(self, crm, acme_ghl, globex_ghl):
        held = HighLevelSearch(crm)
        held.contacts = [contact(n, at=LONG_AGO + timedelta(minutes=n)) for n in range(230)]
        held.opportunities = [opportunity(n, f"c{n:05}", "open", at=LONG_AGO) for n in range(120)]
        held.events = {
            "cal": [
                {
                    "id": "a1",
                    "title": "Visit",
                    "contactId": "c00001",
                    "startTime": iso(NOW),
                    "dateAdded": iso(NOW),
                }
            ]
        }
        connected.connected(link(acme_ghl, crm), at=NOW)

        import_all(NOW)

        acme = acme_ghl.tenant
        assert [len(records(acme, name)) for name in ("Contact", "Opportunity", "Appointment")] == [
            230,
            120,
            1,
        ]
        assert records(acme, "Contact")["c00007"]["first_name"] == "Ada"
        assert records(acme, "Appointment")["a1"]["contact_id"] == "c00001"
        assert not records(globex_ghl.tenant, "Contact")
        done = part(acme_ghl, "Contact")
        assert (done.state, done.read, done.stored, done.total) == ("finished", 230, 230, 230)
        with every_tenant():
            assert not Event.objects.exists()
            assert not OutboxWrite.objects.exists()

    def test_goes_on_where_who_read_died(self, crm, acme_ghl):
        HighLevelSearch(crm).contacts = [contact(n, at=LONG_AGO) for n in range(250)]
        connected.connected(link(acme_ghl, crm), at=NOW)
        backfill.step(at=NOW)

        class Dies(Client):
            def request(self, *args, **more):
                super().request(*args, **more)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            backfill.step(at=NOW, client_of=Dies)
        assert not backfill.step(at=NOW)  # it may be alive
        assert part(acme_ghl, "Contact").read == 100

        import_all(NOW + backfill.LEASE)

        done = part(acme_ghl, "Contact")
        assert (done.state, done.read, done.stored) == ("finished", 250, 250)
        assert len(records(acme_ghl.tenant, "Contact")) == 250

    def test_who_comes_back_from_the_dead_stores_nothing(self, crm, acme_ghl):
        HighLevelSearch(crm).contacts = [contact(n, at=LONG_AGO) for n in range(150)]
        connected.connected(link(acme_ghl, crm), at=NOW)

        class Sleeps(Client):
            def request(self, *args, **more):
                answer = super().request(*args, **more)
                backfill.step(at=NOW + backfill.LEASE)
                return answer

        backfill.step(at=NOW, client_of=Sleeps)

        assert part(acme_ghl, "Contact").read == 100

    def test_overwrites_nothing_newer(self, crm, acme_ghl):
        HighLevelSearch(crm).contacts = [contact(1, at=LONG_AGO, firstName="Old", city="Reno")]
        newer = Incoming(
            1, "c00001", "update", {"first_name": "New"}, NOW, is_partial=True, source="gohighlevel"
        )
        with database.cursor() as cursor:
            apply_incoming(
                cursor, schema=acme_ghl.tenant.schema_name, object="Contact", changes=[newer], at=NOW
            )
        connected.connected(link(acme_ghl, crm), at=NOW)

        import_all(NOW)

        known = records(acme_ghl.tenant, "Contact")["c00001"]
        assert (known["first_name"], known["city"]) == ("New", "Reno")

    def test_waits_for_a_crm_that_wants_rest_then_gives_up(self, crm, acme_ghl):
        HighLevelSearch(crm)
        connected.connected(link(acme_ghl, crm), at=NOW)
        crm.instead = [say(503, {}) for _ in range(backfill.MOST_ATTEMPTS)]

        at = NOW
        assert backfill.step(at=at)
        assert not backfill.step(at=at)
        assert "Waits for the CRM" in part(acme_ghl, "Contact").problem
        for _ in range(backfill.MOST_ATTEMPTS - 1):
            at += backfill.LONGEST_WAIT
            backfill.step(at=at)

        assert part(acme_ghl, "Contact").state == "failed"

    def test_fails_with_a_sentence_and_is_tried_again(self, crm, acme_ghl, owner):
        held = HighLevelSearch(crm)
        held.contacts = [contact(1, at=LONG_AGO)]
        crm.instead = [say(403, {"message": "not in scope"})]
        connected.connected(link(acme_ghl, crm), at=NOW)
        import_all(NOW)
        failed = part(acme_ghl, "Contact")
        assert failed.state == "failed"
        assert "403: not in scope" in failed.problem
        assert "lack the right" in failed.problem

        assert not backfill.start_again(acme_ghl, actor="owner", at=NOW)
        with pytest.raises(CannotImport):
            backfill.start_again(acme_ghl, actor="owner", at=NOW)
        import_all(NOW)

        assert part(acme_ghl, "Contact").state == "finished"
        assert AuditEvent.objects.filter(verb="continued the import of").count() == 1
        assert backfill.start_again(acme_ghl, actor="owner", at=NOW)


class TestHubSpot:
    def test_comes_beyond_what_a_search_shows(self, crm, acme_hubspot):
        held = HubSpotSearch(crm)
        held.shown = 200
        held.records["contacts"] = [
            hubspot(n, at=LONG_AGO, firstname="Ada", hs_email_optout="false") for n in range(1, 451)
        ]
        held.records["deals"] = [
            hubspot(7, at=LONG_AGO, dealname="Big", amount="1200.5", hs_is_closed_won="true"),
            hubspot(8, at=LONG_AGO, dealname="Odd", amount="much"),
        ]
        held.contact_of = {"7": "3"}
        connected.connected(link(acme_hubspot, crm), at=NOW)

        import_all(NOW)

        acme = acme_hubspot.tenant
        assert len(records(acme, "Contact")) == 450
        assert records(acme, "Contact")["3"]["dnd"] is False
        deal = records(acme, "Opportunity")["7"]
        assert (deal["status"], deal["monetary_value"], deal["contact_id"]) == ("won", 1200.5, "3")
        done = part(acme_hubspot, "Opportunity")
        assert (done.read, done.stored, done.unfit) == (2, 1, 1)


class TestScores:
    def test_say_how_many_of_those_won_would_have_been_hot(self, crm, acme_ghl):
        keen = {"customFields": [{"id": "called", "value": "yes"}, {"id": "visits", "value": 6}]}
        held = HighLevelSearch(crm)
        held.contacts = [contact(n, at=NOW, **(keen if n < 3 else {})) for n in range(5)]
        held.opportunities = [
            opportunity(1, "c00000", "won", at=NOW),
            opportunity(2, "c00001", "won", at=NOW),
            opportunity(3, "c00004", "won", at=NOW),
            opportunity(4, "c00002", "lost", at=NOW),
        ]
        acme = acme_ghl.tenant
        acme.settings = {"lpr": {"thresholds": {"hot": 15, "nurture": 5}, "least_signals": 1}}
        acme.save()
        connected.connected(link(acme_ghl, crm), at=NOW)

        import_all(NOW)

        report = part(acme_ghl, "Score").report
        assert (report["leads"], report["hot"], report["won"], report["won_hot"]) == (5, 3, 3, 2)
        assert {each["id"] for each in report["best"][:3]} == {"c00000", "c00001", "c00002"}
        # Dry: the records bear no score.
        assert "lpr_score" not in records(acme, "Contact")["c00000"]

    def test_say_what_is_wrong_with_the_settings(self, crm, acme_ghl):
        HighLevelSearch(crm).contacts = [contact(1, at=NOW)]
        acme = acme_ghl.tenant
        acme.settings = {"lpr": {"odd": 1}}
        acme.save()
        connected.connected(link(acme_ghl, crm), at=NOW)

        import_all(NOW)

        assert "lpr.odd is no setting" in part(acme_ghl, "Score").problem


class TestConnected:
    def test_is_noticed_once_by_whatever_road(self, crm, acme_ghl, globex_hubspot, acme_standard):
        assert connected.notice(at=NOW) == 0
        link(acme_ghl, crm)
        link(acme_standard, crm)

        assert connected.notice(at=NOW) == 1
        assert connected.notice(at=NOW) == 0

        with every_tenant():
            assert {each.tenant_id for each in Backfill.objects.all()} == {acme_ghl.tenant_id}

    def test_waits_while_it_needs_reconnecting(self, crm, acme_ghl):
        HighLevelSearch(crm)
        connected.connected(link(acme_ghl, crm), at=NOW)
        Connection.objects.filter(pk=acme_ghl.pk).update(reconnect_since=NOW)

        assert not backfill.step(at=NOW)
