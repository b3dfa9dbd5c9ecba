"""The portal's agents: switched on and off for one tenant, with settings that are checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from circuitos.agents.virtual_lpr.weights import PROXIES as KNOWN
from tenants.models import AuditEvent, Tenant
from tests.query_counts import counted
from tests.rows import make_execution
from triggers import agents, portal_agents
from triggers.config import Configuration
from triggers.models import TriggerConfig
from triggers.registry import registry

pytestmark = pytest.mark.django_db
FORM = {"proxies": list(KNOWN)}


@pytest.fixture
def enter(acme, globex):
    """``enter(person)``: the person's browser on acme's host."""

    def client(person, **options):
        found = Client(HTTP_HOST="acme.localhost", **options)
        found.force_login(person)
        return found

    return client


def runs(tenant):
    """The triggers that a worker would run for the tenant's new contacts."""
    with connection.cursor() as cursor:
        wanted = Configuration(registry()).wanted(
            cursor, tenant_id=tenant.pk, obj="Contact", operation="insert"
        )
    return [each.spec.name for each in wanted]


class TestAgents:
    def test_are_made_of_triggers_that_there_are(self):
        assert agents.there_are() == list(agents.AGENTS)

    def test_offer_the_proxies_that_scoring_knows(self):
        assert tuple(portal_agents.PROXIES) == KNOWN

    def test_are_on_until_all_are_switched_off(self, acme, globex):
        for agent in agents.AGENTS:
            assert agents.is_any_on(acme)
            agents.switch(agent=agent, tenant=acme, is_on=False, actor="owner", at=datetime.now(UTC))

        assert not agents.is_any_on(acme)
        assert agents.is_any_on(globex)


class TestSwitch:
    def test_is_for_the_tenant_alone(self, enter, acme, globex, owner):
        client = enter(owner)
        assert client.get("/agents/").content.decode().count(">Switch off<") == 2

        page = client.post("/agents/lead-scoring/switch/", {"is_on": "no"}, follow=True).content.decode()

        assert "Lead scoring is off" in page
        assert runs(acme) == []
        assert runs(globex) == ["ContactTrigger.score_new_leads"]
        client.post("/agents/lead-scoring/switch/", {"is_on": "yes"})
        assert runs(acme) == ["ContactTrigger.score_new_leads"]
        assert [event.verb for event in AuditEvent.objects.order_by("pk")] == ["switched off", "switched on"]

    def test_leaves_order_and_pause_as_they_are(self, enter, acme, owner):
        later = datetime.now(UTC) + timedelta(hours=1)
        name = "ContactTrigger.score_new_leads"
        TriggerConfig.objects.create(
            tenant=acme, trigger=name, order=7, paused_until=later, pause_reason="a test of ours"
        )
        client = enter(owner)
        assert "Paused: a test of ours" in client.get("/agents/").content.decode()

        client.post("/agents/lead-scoring/switch/", {"is_on": "no"})

        row = TriggerConfig.objects.get(tenant=acme, trigger=name)
        assert (row.order, row.paused_until, row.is_enabled) == (7, later, False)

    def test_does_not_undo_what_is_off_for_all(self, enter, acme, owner):
        TriggerConfig.objects.create(trigger="OpportunityTrigger.record_outcome", is_enabled=False)
        client = enter(owner)

        page = client.post("/agents/outcomes/switch/", {"is_on": "yes"}, follow=True).content.decode()

        assert "is not available just now" in page
        assert not TriggerConfig.objects.filter(tenant=acme).exists()

    def test_is_for_owners(self, enter, member, operator, stranger, owner):
        path = "/agents/outcomes/switch/"
        for person, status in ((member, 403), (operator, 403), (stranger, 404)):
            assert enter(person).post(path, {"is_on": "no"}).status_code == status
        assert enter(owner).post("/agents/odd/switch/", {"is_on": "no"}).status_code == 404
        assert not TriggerConfig.objects.exists()


class TestSettings:
    def test_are_kept_beside_the_others(self, enter, acme, globex, owner):
        Tenant.objects.filter(pk=acme.pk).update(
            settings={"field_map": {"a": "b"}, "lpr": {"season": {"peak": [1]}, "thresholds": {"hot": 75}}}
        )
        form = {
            "hot": "82.5",
            "nurture": "",
            "industry": "dental",
            "ideal_industries": "education, healthcare",
            "latitude": "33.07",
            "longitude": "-96.8",
            "proxies": ["income", "affluence", "life_events"],
        }
        client = enter(owner)
        assert 'value="75"' in client.get("/agents/").content.decode()

        page = client.post("/agents/lead-scoring/settings/", form, follow=True).content.decode()

        assert "Saved." in page
        assert 'value="82.5"' in page
        acme.refresh_from_db()
        assert acme.settings == {
            "field_map": {"a": "b"},
            "industry": "dental",
            "latitude": 33.07,
            "longitude": -96.8,
            "lpr": {
                "season": {"peak": [1]},
                "thresholds": {"hot": 82.5},
                "ideal_industries": ["education", "healthcare"],
                "proxies": {"age": False},
            },
        }
        globex.refresh_from_db()
        assert globex.settings == {}
        assert AuditEvent.objects.get().data["before"]["lpr"]["thresholds"] == {"hot": 75}

    def test_that_are_all_default_leave_nothing(self, enter, acme, owner):
        enter(owner).post("/agents/lead-scoring/settings/", FORM)

        acme.refresh_from_db()
        assert acme.settings == {}

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"hot": "30"}, "Nurture must be below hot"),
            ({"grade_a": "50"}, "must rise"),
            ({"hot": "120"}, "less than or equal to 100"),
            ({"hot": "nan"}, "Enter a number."),
            ({"latitude": "33"}, "or neither"),
            ({"proxies": ["odd"]}, "Select a valid choice."),
            ({"industry": "x\x00"}, "Null characters"),
        ],
    )
    def test_say_what_is_wrong(self, enter, acme, owner, values, said):
        page = enter(owner).post("/agents/lead-scoring/settings/", {**FORM, **values}).content.decode()

        assert said in page
        acme.refresh_from_db()
        assert acme.settings == {}

    def test_are_changed_by_owners_alone(self, enter, acme, member, stranger):
        path = "/agents/lead-scoring/settings/"

        assert enter(member).post(path, FORM).status_code == 403
        assert enter(stranger).post(path, FORM).status_code == 404
        page = enter(member).get("/agents/").content.decode()
        assert "Save<" not in page
        assert "Switch off" not in page


class TestPage:
    def test_tells_when_an_agent_last_ran(self, enter, acme, globex, owner):
        make_execution(globex)
        client = enter(owner)
        assert client.get("/agents/").content.decode().count("It has not run yet") == 2

        execution = make_execution(acme)
        page = client.get("/agents/").content.decode()
        assert str(execution.code) in page

        with counted("portal.agents"):
            client.get("/agents/")
