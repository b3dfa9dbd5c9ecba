"""An upgrade: asked for once, decided once, and what waited runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from governor.models import Notice, UpgradeRequest
from tenants.models import AuditEvent, Tenant, Tier
from tenants.scope import every_tenant
from tests.triggers.engine import drain, lane, put, statuses, supervisor
from tests.triggers.test_admission import calling, set_value
from triggers import upgrades

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def ask(tenant, **more):
    return upgrades.ask(tenant=tenant, actor="owner", at=AT, **more)


class TestAsk:
    def test_asks_for_what_the_tier_offers(self, acme, globex):
        request = ask(acme, note=" please ")

        assert (request.tier_id, request.status, request.note) == ("paid", "open", "please")
        with every_tenant():
            assert not UpgradeRequest.objects.filter(tenant=globex).exists()

    def test_twice_is_once(self, acme):
        assert ask(acme).pk == ask(acme).pk
        assert AuditEvent.objects.filter(verb="asked for an upgrade").count() == 1

    def test_there_is_nothing_above_the_largest(self, globex):
        with pytest.raises(upgrades.BadUpgrade, match="no larger plan"):
            ask(globex)

    def test_what_one_has_cannot_be_asked_for(self, acme):
        with pytest.raises(upgrades.BadUpgrade, match="already"):
            ask(acme, tier=acme.tier)


class TestDecide:
    def test_approved_the_tenant_has_the_tier_and_drains_at_once(self, acme, globex):
        set_value(globex, "executions_per_day", 0)
        Tier.objects.filter(slug="free").update(executions_per_day=0)
        put(acme, "c1")
        put(globex, "g1")
        engine = supervisor(calling(0))
        drain(engine)

        opened = upgrades.approve(ask(acme), actor="operator", at=datetime.now(UTC))
        engine.policies.forget(acme.pk)
        drain(engine)

        acme.refresh_from_db()
        assert (opened, acme.tier_id) == (1, "paid")
        assert statuses(acme) == {"c1": ["succeeded"]}
        assert statuses(globex) == {"g1": ["queued"]}
        assert lane(globex).parked_reason == "quota"
        with every_tenant():
            assert [each.tenant_id for each in Notice.objects.filter(kind="upgraded")] == [acme.pk]

    def test_is_decided_once(self, acme):
        request = ask(acme)
        upgrades.approve(request, actor="operator", at=AT)

        with pytest.raises(upgrades.AlreadyDecided, match="operator decided already: approved"):
            upgrades.decline(request, actor="other", answer="no", at=AT)

    def test_an_old_request_takes_no_larger_plan_away(self, acme):
        request = ask(acme)
        largest = Tier.objects.create(
            slug="max", name="Max", executions_per_day=10**6, api_calls_per_day=10**6
        )
        Tenant.objects.filter(pk=acme.pk).update(tier=largest)

        with pytest.raises(upgrades.BadUpgrade, match="a larger plan by now, Max"):
            upgrades.approve(request, actor="operator", at=AT)

        acme.refresh_from_db()
        request.refresh_from_db()
        assert (acme.tier_id, request.status) == ("max", "open")

    def test_declined_the_owner_hears_why(self, acme):
        request = ask(acme)
        with pytest.raises(upgrades.BadUpgrade, match="Say why"):
            upgrades.decline(request, actor="operator", answer=" ", at=AT)

        upgrades.decline(request, actor="operator", answer="The invoice is open.", at=AT)

        request.refresh_from_db()
        assert (request.status, request.answer) == ("declined", "The invoice is open.")
        with every_tenant():
            assert Notice.objects.get(kind="declined").text == "The invoice is open."
        assert ask(acme).pk != request.pk


class TestGivenByOtherMeans:
    def test_the_request_is_closed_and_the_owner_told(self, acme, globex):
        request = ask(acme)
        Tenant.objects.filter(pk=acme.pk).update(tier="paid")

        assert (upgrades.close_met(at=AT), upgrades.close_met(at=AT)) == (1, 0)

        request.refresh_from_db()
        assert (request.status, request.decided_by) == ("approved", upgrades.BY_OTHER_MEANS)
        with every_tenant():
            assert [each.tenant_id for each in Notice.objects.filter(kind="upgraded")] == [acme.pk]

    def test_the_next_wish_is_one_of_its_own(self, acme):
        larger = Tier.objects.create(
            slug="larger", name="Larger", executions_per_day=10**6, api_calls_per_day=10**6
        )
        Tier.objects.filter(slug="paid").update(upgrade_to=larger)
        first = ask(acme)
        Tenant.objects.filter(pk=acme.pk).update(tier="paid")

        second = ask(Tenant.objects.get(pk=acme.pk))

        assert (second.tier_id, second.pk != first.pk) == ("larger", True)
