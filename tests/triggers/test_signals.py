"""The page of scoring signals: fields read and made at the CRM, guesses confirmed, sources told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from pytest_httpserver import HTTPServer

from circuitos.agents.virtual_lpr import score
from governor import hosts
from tenants.connections import set_credentials
from tenants.models import AuditEvent, Tenant
from tenants.records.store import Change, apply_changes
from tests.crm_servers.accounts import Accounts, say
from tests.crm_servers.fields import HighLevelFields, HubSpotProperties
from tests.query_counts import counted
from triggers import crm_fields, signal_sources, tasks
from triggers.crm.score_fields import SCORE_FIELDS
from triggers.models import CrmFields
from triggers.schemas.naming import custom_fields

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
VISITS = {
    "id": "Kx3",
    "name": "Website visits",
    "fieldKey": "contact.besuche",
    "dataType": "NUMERICAL",
    "model": "contact",
}


@pytest.fixture
def enter(acme, globex):
    def client(person):
        found = Browser(HTTP_HOST="acme.localhost")
        found.force_login(person)
        return found

    return client


@pytest.fixture
def server(settings):
    with HTTPServer(host="127.0.0.1") as found:
        double = Accounts(found)
        settings.GOHIGHLEVEL_API_URL = settings.HUBSPOT_API_URL = double.url
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        hosts.forget()
        yield double


@pytest.fixture
def highlevel(server, acme_ghl):
    set_credentials(acme_ghl, token=server.issue()[0])
    return HighLevelFields(server, acme_ghl.account_id, VISITS)


def page_of(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def standing(tenant):
    fresh = Tenant.objects.get(pk=tenant.pk)
    return signal_sources.standing(fresh, known=crm_fields.of_tenant(fresh), at=NOW)


def row(tenant, reading):
    return next(each for each in standing(tenant).rows if each.reading == reading)


def put(tenant, *rows):
    changes = [Change(object=obj, operation="insert", id=key, fields=fields) for obj, key, fields in rows]
    with connection.cursor() as cursor:
        apply_changes(cursor, schema=tenant.schema_name, changes=changes, at=NOW)


class TestReadingFields:
    @pytest.mark.usefixtures("highlevel")
    def test_names_custom_fields_and_is_noted(self, enter, owner, acme, globex, acme_ghl):
        page = page_of(enter(owner).post(f"/signals/{acme_ghl.code}/read/", follow=True))

        assert "fields of contacts" in page
        settings = Tenant.objects.get(pk=acme.pk).settings
        assert custom_fields([{"id": "Kx3", "value": 7}], settings) == {"besuche": 7}
        assert AuditEvent.objects.get(tenant=acme).data["named"] == 1
        assert Tenant.objects.get(pk=globex.pk).settings == {}

    def test_a_name_that_somebody_gave_stays(self, enter, owner, acme, acme_ghl, highlevel):
        Tenant.objects.filter(pk=acme.pk).update(settings={"field_map": {"Kx3": "visits", "b": "besuche"}})

        enter(owner).post(f"/signals/{acme_ghl.code}/read/")

        assert Tenant.objects.get(pk=acme.pk).settings["field_map"] == {"Kx3": "visits", "b": "besuche"}
        assert row(acme, "site_visits").source == "the field custom_fields.visits"

    def test_a_refusal_is_said_and_what_was_known_stays(self, enter, owner, acme_ghl, highlevel, server):
        client = enter(owner)
        client.post(f"/signals/{acme_ghl.code}/read/")
        server.instead.append(say(403, {"message": "no scope"}))

        page = page_of(client.post(f"/signals/{acme_ghl.code}/read/", follow=True))

        kept = CrmFields.objects.get(connection=acme_ghl)
        assert "the token may not read them" in page
        assert kept.problem
        assert kept.definitions

    def test_of_another_tenants_connection_nothing(self, enter, owner, member, globex_ghl, acme_ghl):
        for verb in ("read", "create"):
            assert enter(owner).post(f"/signals/{globex_ghl.code}/{verb}/").status_code == 404
            assert enter(member).post(f"/signals/{acme_ghl.code}/{verb}/").status_code == 403
        assert enter(owner).get(f"/signals/{acme_ghl.code}/read/").status_code == 405

    def test_without_a_token_it_says_so(self, enter, owner, acme_ghl, server):
        assert "There is no token" in page_of(
            enter(owner).post(f"/signals/{acme_ghl.code}/read/", follow=True)
        )


class TestCreatingFields:
    def test_at_highlevel_makes_what_is_missing_once(self, enter, owner, acme, acme_ghl, highlevel):
        client = enter(owner)

        page = page_of(client.post(f"/signals/{acme_ghl.code}/create/", follow=True))
        again = page_of(client.post(f"/signals/{acme_ghl.code}/create/", follow=True))

        assert "Created: LPR score, LPR grade" in page
        assert "There already: LPR score" in again
        assert {f["fieldKey"] for f in highlevel.fields} >= {f"contact.{name}" for name in SCORE_FIELDS}
        assert len(highlevel.fields) == 1 + len(SCORE_FIELDS)
        names = Tenant.objects.get(pk=acme.pk).settings["field_map"]
        assert set(SCORE_FIELDS) <= set(names.values())
        assert AuditEvent.objects.filter(verb="created fields at").count() == 1

    def test_at_hubspot_too(self, enter, owner, acme_hubspot, server):
        set_credentials(acme_hubspot, token=server.issue()[0])
        at_hubspot = HubSpotProperties(server, {"name": "lpr_score", "label": "Ours", "type": "number"})

        page = page_of(enter(owner).post(f"/signals/{acme_hubspot.code}/create/", follow=True))

        assert "Created: LPR grade" in page
        assert "There already: LPR score." in page
        assert {each["name"] for each in at_hubspot.contacts} == set(SCORE_FIELDS)

    def test_one_refused_keeps_no_other_from_being_made(self, enter, owner, acme_ghl, highlevel):
        highlevel.refused["LPR hot"] = "Custom field limit reached"

        page = page_of(enter(owner).post(f"/signals/{acme_ghl.code}/create/", follow=True))

        assert "LPR hot was refused: Custom field limit reached" in page
        assert len(highlevel.fields) == len(SCORE_FIELDS)
        assert "Scores have no place there for: LPR hot." in page

    def test_when_the_crm_goes_away_the_rest_is_not_tried(self, enter, owner, acme_ghl, highlevel, server):
        server.instead += [say(200, {"customFields": highlevel.fields}), say(503, {})]

        page = page_of(enter(owner).post(f"/signals/{acme_ghl.code}/create/", follow=True))

        assert "Not tried: LPR score, LPR grade" in page
        assert len(highlevel.fields) == 1


class TestSources:
    def test_say_where_each_comes_from(self, acme, globex):
        put(
            acme,
            ("Contact", "ada", {"email": "ada@example.test", "custom_fields": {"site_visits": "4"}}),
            ("Message", "m1", {"contact_id": "ada", "direction": "inbound", "message_type": "CALL"}),
        )

        assert (row(acme, "site_visits").source, row(acme, "site_visits").filled) == (
            "the field custom_fields.site_visits", 1,
        )  # fmt: skip
        assert (row(acme, "called").how, row(acme, "called").filled) == ("mirror", 1)
        assert row(acme, "appointment").source == ""
        assert row(acme, "affluence").how == "census"
        assert row(globex, "called").source == ""

    def test_count_signals_and_rank_what_would_add_most(self, acme):
        before = standing(acme)

        assert (before.live, before.total) == (2, 35)  # recency by the day it came in, affluence
        assert [each.reading for each in before.best] == ["appointment", "called", "callback_requested"]
        assert before.best[0].gain == 15

        put(acme, ("Appointment", "a1", {"contact_id": "ada"}))
        after = standing(acme)
        # The best of direct contact is had: a call would add nothing now.
        assert "called" not in [each.reading for each in after.best]
        assert next(each for each in after.rows if each.reading == "called").gain == 0

    def test_what_the_law_forbids_is_no_signal(self, acme):
        Tenant.objects.filter(pk=acme.pk).update(settings={"industry": "mortgage"})

        assert standing(acme).total == 32


class TestChoosing:
    @pytest.fixture
    def client(self, enter, owner, acme_ghl, highlevel):
        client = enter(owner)
        client.post(f"/signals/{acme_ghl.code}/read/")
        return client

    def test_a_guess_counts_for_nothing_until_it_is_confirmed(self, client, acme):
        lead = {"id": "ada", "custom_fields": {"besuche": 9}}
        page = page_of(client.get("/signals/"))
        assert "Website visits → 3 visits or more (behaviour)" in page
        before = score([lead], None, settings=Tenant.objects.get(pk=acme.pk).settings, now=NOW).rows[0]
        assert before["lpr_score"] == 0

        page = page_of(client.post("/signals/save/", {"guess": "site_visits"}, follow=True))

        assert "1 guess is confirmed" in page
        settings = Tenant.objects.get(pk=acme.pk).settings
        assert settings["lpr"]["fields"] == {"site_visits": "besuche"}
        after = score([lead], None, settings=settings, now=NOW).rows[0]
        assert after["lpr_score"] == 5
        assert {line["source"] for line in after["lpr_attribution"]} == {"custom_fields.besuche"}
        noted = AuditEvent.objects.filter(tenant=acme).order_by("-pk").first()
        assert noted.data["after"]["lpr"] == {"fields": {"site_visits": "besuche"}}

    def test_a_choice_is_taken_and_taken_back(self, client, acme):
        client.post("/signals/save/", {"field-called": "besuche", "field-appointment": "-", "least": "3"})
        own = Tenant.objects.get(pk=acme.pk).settings["lpr"]
        assert own == {"fields": {"called": "besuche", "appointment": ""}, "least_signals": 3}

        client.post("/signals/save/", {"field-called": "", "field-appointment": "", "least": ""})
        assert "lpr" not in Tenant.objects.get(pk=acme.pk).settings

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"field-called": "no_such_field"}, "no such field"),
            ({"field-season": "besuche"}, "no such signal"),
            ({"field-shoe": "besuche"}, "no such signal"),
            ({"guess": "called"}, "no such guess"),
            ({"least": "many"}, "whole number"),
            ({"least": "99"}, "from 0 to 35"),
        ],
    )
    def test_what_does_not_hold_is_refused(self, client, acme, form, said):
        assert said in page_of(client.post("/signals/save/", form, follow=True))
        assert "lpr" not in Tenant.objects.get(pk=acme.pk).settings

    def test_is_for_owners(self, client, enter, member, acme):
        page = page_of(enter(member).get("/signals/"))

        assert ">Save<" not in page
        assert enter(member).post("/signals/save/", {"guess": "site_visits"}).status_code == 403

    def test_settings_that_do_not_hold_are_said(self, client, acme):
        Tenant.objects.filter(pk=acme.pk).update(settings={"lpr": {"fields": {"shoe": "x"}}})

        assert "lpr.fields.shoe is no reading" in page_of(client.get("/signals/"))
        assert "do not hold" in page_of(client.post("/signals/save/", {"least": "4"}, follow=True))


class TestPages:
    @pytest.mark.parametrize("leads", [1, 250])
    def test_cost_the_same_however_many_leads(self, enter, owner, acme, acme_ghl, leads):
        put(acme, *(("Contact", f"c{n}", {"custom_fields": {"called": "yes"}}) for n in range(leads)))
        put(acme, *(("Message", f"m{n}", {"contact_id": f"c{n}"}) for n in range(leads)))
        client = enter(owner)
        client.get("/signals/")

        with counted("portal.signals"):
            page = page_of(client.get("/signals/"))

        assert f"{min(leads, 200)} newest contact" in page

    def test_the_console_shows_and_does_the_same(self, console, acme, globex, acme_ghl, highlevel):
        address = reverse("console-signals", args=[acme.code])
        assert "signals have a source" in page_of(console.get(address))

        page = page_of(console.post(address, {"read": str(acme_ghl.code)}, follow=True))
        assert "fields of contacts" in page
        page_of(console.post(address, {"guess": "site_visits"}, follow=True))

        assert Tenant.objects.get(pk=acme.pk).settings["lpr"]["fields"] == {"site_visits": "besuche"}
        assert Tenant.objects.get(pk=globex.pk).settings == {}
        other = reverse("console-signals", args=[globex.code])
        assert console.post(other, {"read": str(acme_ghl.code)}).status_code == 404
        assert console.post(other, {"create": "x"}).status_code == 404


class TestFirstReading:
    def test_is_not_counted_and_keeps_its_problem(self, acme, acme_ghl, highlevel, server):
        crm_fields.read_first(acme_ghl.pk, at=NOW)
        assert CrmFields.objects.get(connection=acme_ghl).read_at == NOW
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM governor_charged WHERE tenant_id = %s", [acme.pk])
            assert cursor.fetchone() == (0,)

        server.instead.append(say(500, {}))
        crm_fields.read_first(acme_ghl.pk, at=NOW + timedelta(hours=1))
        assert "answered 500" in CrmFields.objects.get(connection=acme_ghl).problem

    def test_is_asked_for_when_a_token_is_kept(
        self, acme_ghl, acme_standard, monkeypatch, django_capture_on_commit_callbacks
    ):
        asked = []
        monkeypatch.setattr(
            crm_fields.current_app, "send_task", lambda name, **more: asked.append((name, more))
        )

        with django_capture_on_commit_callbacks(execute=True):
            crm_fields.read_soon(acme_ghl)
            crm_fields.read_soon(acme_standard)

        assert asked == [(crm_fields.TASK, {"kwargs": {"connection_id": acme_ghl.pk}, "retry": False})]
        assert tasks.read_fields.name == crm_fields.TASK
