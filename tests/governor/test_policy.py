"""The policy of a tenant: platform, tier, tenant and trigger together, in Python and in SQL alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governor import overrides
from governor.allowances import ALLOWANCES, UNLIMITED, quantity
from governor.limits import LIMITS
from governor.models import Override
from governor.policy import Policies, Policy, UnknownTenant, load
from governor.quotas import Quota
from governor.tenant_governor import TenantGovernor
from tenants import audit
from tenants.models import AuditEvent, Tier
from tenants.scope import every_tenant

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def policy(tenant) -> Policy:
    with connection.cursor() as cursor:
        return load(cursor, tenant.pk)


def put(name="api_calls", value=80, **scope):
    given_ = {"reason": "a sale", "actor": "operator", "at": datetime.now(UTC), **scope}
    return overrides.put(name=name, value=value, **given_)


@pytest.mark.django_db
class TestLimits:
    def test_are_the_platforms_unless_somebody_spoke(self, acme):
        found = policy(acme).limits("T.x")

        assert {name: each.value for name, each in found.items()} == {
            name: limit.default for name, limit in LIMITS.items()
        }

    def test_the_most_special_override_rules(self, acme, globex):
        put(value=10)
        put(value=20, tier=acme.tier)
        put(value=30, tenant=acme)
        put(value=40, trigger="T.x")
        put(value=50, trigger="T.x", tenant=acme)
        put(value=60, trigger="T.y", tenant=globex)

        values = {
            (tenant.slug, trigger): policy(tenant).limits(trigger)["api_calls"].value
            for tenant in (acme, globex)
            for trigger in ("", "T.x", "T.y")
        }
        assert values == {
            ("acme", ""): 30, ("acme", "T.x"): 50, ("acme", "T.y"): 30,
            ("globex", ""): 10, ("globex", "T.x"): 40, ("globex", "T.y"): 60,
        }  # fmt: skip

    def test_an_override_lapses_by_itself(self, acme):
        past = datetime.now(UTC) - timedelta(days=2)
        put(tenant=acme, at=past, until=past + timedelta(days=1))

        assert policy(acme).limits()["api_calls"].value == 50

    def test_one_that_was_ended_holds_no_more(self, acme):
        made = put(tenant=acme)
        overrides.end(made, actor="operator", at=AT)

        assert policy(acme).limits()["api_calls"].value == 50

    def test_an_unknown_tenant_is_told(self, db):
        with pytest.raises(UnknownTenant), connection.cursor() as cursor:
            load(cursor, 4711)

    def test_are_read_anew_when_they_are_forgotten(self, acme):
        known = Policies()
        with connection.cursor() as cursor:
            before = known.of(cursor, acme.pk).limits()["api_calls"].value
            put(tenant=acme)
            kept = known.of(cursor, acme.pk).limits()["api_calls"].value
            known.forget(acme.pk)
            after = known.of(cursor, acme.pk).limits()["api_calls"].value

        assert (before, kept, after) == (50, 50, 80)


@pytest.mark.django_db
class TestAllowances:
    def test_are_those_of_the_tier(self, acme, globex):
        assert Quota.of(policy(acme)) == Quota(100, 1_000, 3_000, 30_000)
        assert Quota.of(policy(globex)) == Quota(10_000, 100_000, 300_000, 3_000_000)

    def test_a_month_is_thirty_days_unless_it_is_set(self, acme):
        put("executions_per_day", 10, tenant=acme)
        Tier.objects.filter(slug="free").update(api_calls_per_month=5)

        found = policy(acme).allowances
        assert found["executions_per_month"].value == 300
        assert found["api_calls_per_month"].value == 5

    def test_a_tiers_override_outranks_its_row_and_the_platforms_does_not(self, acme, globex):
        put("weight", 7)
        put("weight", 9, tier=globex.tier)

        assert (policy(acme).allowance("weight"), policy(globex).allowance("weight")) == (1, 9)

    def test_of_unlimited_ones_the_figure_is_a_word(self):
        assert quantity("ai_tokens_per_day", UNLIMITED) == "unlimited"
        assert quantity("executions_per_day", 1_000) == "1,000"

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        said=st.lists(
            st.tuples(
                st.sampled_from(["weight", "concurrent_executions", "ingest_rate", "waiting_events"]),
                st.integers(1, 60),
                st.sampled_from(["platform", "tier", "tenant", "other tier", "other tenant"]),
            ),
            max_size=6,
        )
    )
    def test_sql_says_the_same(self, acme, globex, said):
        Override.objects.all().delete()
        scopes = {
            "platform": {}, "tier": {"tier": acme.tier}, "tenant": {"tenant": acme},
            "other tier": {"tier": globex.tier}, "other tenant": {"tenant": globex},
        }  # fmt: skip
        for name, value, scope in said:
            put(name, value, **scopes[scope])

        found = policy(acme)
        for name in ("weight", "concurrent_executions", "ingest_rate", "waiting_events"):
            of_tier = getattr(acme.tier, name, None)
            with connection.cursor() as cursor:
                cursor.execute("SELECT governor_value(%s, %s, %s, %s)", [name, acme.pk, "free", of_tier])
                (value,) = cursor.fetchone()
            assert found.allowance(name) == (ALLOWANCES[name].default if value is None else value)


@pytest.mark.django_db
class TestOverrides:
    def test_a_new_one_takes_the_place_of_the_one_before(self, acme):
        first, second = put(tenant=acme, value=60), put(tenant=acme, value=70)

        first.refresh_from_db()
        assert first.ended_at is not None
        assert list(overrides.in_force(datetime.now(UTC))) == [second]

    def test_each_is_audited_with_what_it_was_before(self, acme):
        put(tenant=acme, value=60)
        overrides.end(put(tenant=acme, value=70), actor="anna", reason="over", at=AT)

        said = [(each.actor, each.verb, each.target, each.data) for each in AuditEvent.objects.order_by("id")]
        assert [one[:3] for one in said] == [
            ("operator", "set", "api_calls of tenant acme"),
            ("operator", "set", "api_calls of tenant acme"),
            ("anna", "ended", "api_calls of tenant acme"),
        ]
        assert said[1][3] == {
            "value": 70, "before": 60, "reason": "a sale", "until": None, "tenant": "acme",
        }  # fmt: skip
        assert audit.first_break() is None

    def test_ended_once_it_stays_ended(self, acme):
        made = put(tenant=acme)
        overrides.end(made, actor="a", at=AT)
        overrides.end(made, actor="b", at=AT)

        made.refresh_from_db()
        assert made.ended_by == "a"
        assert AuditEvent.objects.filter(verb="ended").count() == 1

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"name": "luck"}, "no limit or quota 'luck'"),
            ({"value": 5_000}, "from 0 to 1,000 requests"),
            ({"value": True}, "whole number"),
            ({"name": "depth", "value": 0}, "from 1 to 16"),
            ({"reason": " "}, "Say why"),
            ({"reason": "x" * 301}, "Say why"),
            ({"name": "weight", "value": 1, "trigger": "T.x"}, "not to a trigger"),
            ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "in the past"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_a_sentence(self, db, wrong, said):
        with pytest.raises(overrides.BadOverride, match=said):
            put(**wrong)
        assert not Override.objects.exists()

    def test_a_tier_and_a_tenant_at_once_are_refused(self, acme):
        with pytest.raises(overrides.BadOverride, match="not for both"):
            put(tier=acme.tier, tenant=acme)

    def test_names_its_scope(self, acme):
        scopes = [
            put().scope, put(tier=acme.tier).scope, put(tenant=acme, trigger="T.x").scope,
        ]  # fmt: skip
        assert scopes == ["platform", "tier free", "tenant acme, trigger T.x"]


@pytest.mark.django_db
class TestTenantGovernor:
    def test_speaks_as_the_brief_does(self, acme):
        assert TenantGovernor.limits["free_tier"]["executions_per_day"] == 100
        assert TenantGovernor.limits["paid_tier"]["api_calls_per_day"] == 100_000
        assert list(TenantGovernor.limits) == ["free_tier", "paid_tier"]
        assert len(TenantGovernor.limits) == 2
        with pytest.raises(KeyError):
            TenantGovernor.limits["gold_tier"]

        found = TenantGovernor().check_tenant_limits(acme.pk, "free_tier")

        assert found
        assert (found.executions, found.executions_per_day) == (0, 100)

    def test_says_why_not_and_what_to_do(self, acme, globex):
        Tier.objects.filter(slug="free").update(executions_per_day=0)

        found = TenantGovernor.check_tenant_limits(acme.pk, at=AT)

        assert not found
        assert found.reason == "0 of today's 0 executions are used."
        assert found.upgrade == "Paid: 10,000 executions a day."
        assert found.resets_at == datetime(2026, 5, 5, tzinfo=UTC)
        assert TenantGovernor.check_tenant_limits(globex.pk)

    def test_tells_what_another_tier_would_allow(self, acme):
        Tier.objects.filter(slug="free").update(executions_per_day=0)

        assert TenantGovernor.check_tenant_limits(acme.pk, "paid").executions_per_day == 10_000

    def test_used_up_calls_are_over_the_quota_too(self, acme):
        put("api_calls_per_day", 0, tenant=acme)

        found = TenantGovernor.check_tenant_limits(acme.pk)

        assert found.reason == "0 of today's 0 API calls are used."


@pytest.mark.django_db
def test_a_tenants_rows_go_with_it(acme, globex):
    put(tenant=acme)
    put(tenant=globex)
    with every_tenant():
        acme.connections.all().delete()
    from tenants.provision import create_tenant, delete_tenant

    made = create_tenant(slug="gone", name="Gone", tier="free")
    put(tenant=made)

    delete_tenant(made)

    assert {each.tenant_id for each in Override.objects.all()} == {acme.pk, globex.pk}
