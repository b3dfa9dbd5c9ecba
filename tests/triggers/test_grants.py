"""An operator lets what waits run: with just enough more, until the reset, and it drains."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils.timezone import now

from governor import overrides
from governor.job import RunResult
from governor.models import Override, Parking, Usage
from tenants import audit
from tenants.models import AuditEvent, Tier
from tenants.scope import every_tenant
from tests.triggers import engine
from triggers import bells, grants, registry
from triggers.registry import Registry

pytestmark = pytest.mark.django_db


@pytest.fixture
def two_a_day(acme, globex):
    """acme may run two executions a day, globex as many as it likes."""
    Tier.objects.filter(slug="free").update(executions_per_day=2, api_calls_per_day=50)


@pytest.fixture
def rung(monkeypatch):
    lanes: list[int] = []
    monkeypatch.setattr(bells, "ring", lanes.extend)
    return lanes


@pytest.fixture
def scripts(monkeypatch):
    """The web process knows the trigger that the engine runs."""
    made = Registry([engine.spec(batch_size=1)], content="0123456789abcdef")
    monkeypatch.setattr(registry._Held, "registry", made)


def park(tenant, events=6):
    """An engine that has come to the quota with events left."""
    for number in range(events):
        engine.put(tenant, f"c{number}")
    runs = engine.Runs(lambda job: RunResult(usage={"api_calls": (0, 50)}))
    running = engine.supervisor(runs, engine.spec(batch_size=1))
    engine.drain(running)
    return running, runs


def enough(tenant):
    with connection.cursor() as cursor:
        return grants.enough(cursor, tenant_id=tenant.pk, at=now())


def grant(tenant, **change):
    asked = {"executions": 4, "api_calls": 0, "reason": "a launch", "actor": "op", "at": now(), **change}
    return grants.grant(tenant=tenant, **asked)


@pytest.mark.usefixtures("two_a_day", "scripts")
class TestEnough:
    def test_is_as_many_as_would_be_claimed(self, acme, globex):
        park(acme)

        found = enough(acme)

        assert (found.events, found.executions) == (4, 4)
        assert enough(globex) == (0, 0, 0, 0, 0)

    def test_goes_on_in_proportion(self, acme, monkeypatch):
        monkeypatch.setattr(grants, "MOST_EVENTS", 2)
        park(acme)

        found = enough(acme)

        assert (found.events, found.executions) == (4, 4)

    def test_takes_calls_as_they_were_used(self, acme):
        park(acme)
        with every_tenant():
            Usage.objects.filter(tenant=acme, period="m").update(api_calls=5)

        assert enough(acme).api_calls == 4 * 3  # 5 calls of 2 executions, rounded up


@pytest.mark.usefixtures("two_a_day", "scripts")
class TestGrant:
    def test_what_waited_runs_and_what_comes_later_waits(
        self, acme, globex, rung, django_capture_on_commit_callbacks
    ):
        running, runs = park(acme)
        assert len(runs.jobs) == 2

        with django_capture_on_commit_callbacks(execute=True):
            assert grant(acme) == (1, False)
        engine.put(acme, "later")
        engine.drain(running)

        assert len(runs.jobs) == 6
        assert rung == [engine.lane(acme).pk]
        assert engine.statuses(acme)["later"] == ["queued"]
        assert engine.lane(acme).parked_reason == "quota"

    def test_sets_quotas_that_lapse_by_themselves(self, acme, globex, rung):
        park(acme)

        grant(acme, api_calls=100)

        made = {each.name: each for each in Override.objects.all()}
        assert {name: each.value for name, each in made.items()} == {
            "executions_per_day": 6,
            "api_calls_per_day": 100,
        }
        assert all(each.until and each.tenant == acme for each in made.values())
        with every_tenant():
            assert Parking.objects.get(tenant=acme).ended_by == "op"

    def test_is_audited(self, acme, rung):
        park(acme)

        grant(acme)

        told = AuditEvent.objects.order_by("id").last()
        assert (told.actor, told.verb, told.data["executions"]) == ("op", "let run what waited of", 4)
        assert audit.first_break() is None

    def test_raises_the_month_where_that_is_used_up(self, acme, rung):
        Tier.objects.filter(slug="free").update(executions_per_month=2)
        running, runs = park(acme)

        grant(acme)
        engine.drain(running)

        assert len(runs.jobs) == 6
        names = Override.objects.values_list("name", flat=True)
        assert set(names) == {"executions_per_day", "executions_per_month"}

    def test_twice_a_day(self, acme, rung):
        running, runs = park(acme)
        grant(acme, executions=1)
        engine.drain(running)
        assert len(runs.jobs) == 3

        grant(acme, executions=3)
        engine.drain(running)

        assert len(runs.jobs) == 6

    def test_a_lasting_override_is_not_ended_by_it(self, acme, globex, rung):
        overrides.put(
            name="executions_per_day", value=1, tenant=acme, reason="so agreed", actor="eve", at=now()
        )
        park(acme)

        with pytest.raises(grants.InTheWay, match=r"eve set executions_per_day of acme to 1 without an end"):
            grant(acme)

        assert Override.objects.get().value == 1
        assert engine.lane(acme).parked_reason == "quota"

    def test_without_anything_that_waits_nothing_is_set(self, acme, globex, rung):
        park(acme)

        with pytest.raises(grants.NothingWaits):
            grant(globex)

        assert not Override.objects.exists()

    def test_needs_a_reason(self, acme, rung):
        park(acme)

        with pytest.raises(overrides.BadOverride):
            grant(acme, reason=" ")

    def test_tokens_that_are_used_up(self, acme, rung):
        park(acme, events=1)
        with every_tenant():
            Parking.objects.create(tenant=acme, reason="tokens", least_tokens=1, since=now())
        overrides.put(
            name="ai_tokens_per_day", value=0, tier=acme.tier, reason="no models", actor="op", at=now()
        )

        grant(acme, executions=0, ai_tokens=500)

        assert Override.objects.get(tenant=acme).value == 500

    def test_is_beside_the_tokens_that_running_executions_hold(self, acme, globex, rung):
        park(acme, events=1)
        overrides.put(
            name="ai_tokens_per_day", value=0, tier=acme.tier, reason="no models", actor="op", at=now()
        )
        with every_tenant():
            Parking.objects.create(tenant=acme, reason="tokens", least_tokens=1, since=now())
            Usage.objects.filter(tenant=acme, period="d").update(ai_tokens=20, held_tokens=300)

        grant(acme, executions=0, ai_tokens=500)

        assert Override.objects.get(tenant=acme).value == 820
