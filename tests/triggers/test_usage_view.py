"""Usage for operators: as the governor has it, nearest first, at a cost that does not grow with tenants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governor import overrides, policy
from governor.calendar import day_of, month_of
from governor.models import Charged, Usage
from tenants.models import Tenant, Tier
from tenants.scope import every_tenant
from tests.rows import make_event
from triggers import usage_view
from triggers.models import Lane

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)


def used(tenant, *, at=AT, **amounts):
    on = day_of(at, tenant.timezone)
    with every_tenant():
        Usage.objects.create(tenant=tenant, period="d", starts_on=on, **amounts)
        Usage.objects.create(tenant=tenant, period="m", starts_on=month_of(on), **amounts)


def by_slug(**asked):
    return {row.slug: row for row in usage_view.usages(at=AT, **asked)}


def charge(tenant, *, ago, **amounts):
    at = AT - ago
    Charged._base_manager.create(
        tenant=tenant, on=day_of(at, tenant.timezone), at=at, kind="execution", **amounts
    )


class TestUsages:
    def test_the_nearest_to_its_quota_comes_first(self, acme, globex):
        used(acme, executions=90)
        used(globex, executions=100)

        rows = usage_view.usages(at=AT)

        assert [(row.slug, row.percent, row.tone) for row in rows] == [
            ("acme", 90, "warn"),
            ("globex", 1, "good"),
        ]
        assert rows[0].nearest.label == "Executions"

    def test_allows_what_the_governor_allows(self, acme, globex):
        Tier.objects.filter(slug="paid").update(executions_per_month=7_777, ai_tokens_per_day=None)
        overrides.put(name="executions_per_day", value=7, tenant=acme, reason="less", actor="op", at=AT)
        overrides.put(name="api_calls_per_day", value=70, tier=acme.tier, reason="less", actor="op", at=AT)
        overrides.put(name="api_calls_per_month", value=9, reason="less", actor="op", at=AT)
        overrides.put(name="ai_tokens_per_day", value=99, reason="less", actor="op", at=AT)
        overrides.put(
            name="executions_per_month", value=1, tenant=acme, reason="over", actor="op",
            at=AT - timedelta(days=2), until=AT - timedelta(days=1),
        )  # fmt: skip

        rows = by_slug()

        for tenant in (acme, globex):
            with connection.cursor() as cursor:
                allowances = policy.load(cursor, tenant.pk).allowances
            for meter in rows[tenant.slug].meters:
                word = "day" if meter.period == "d" else "month"
                name = f"{meter.name}_per_{word}"
                assert meter.allowed == allowances[name].value, (tenant, name)

    def test_days_are_the_tenants_own(self, acme, globex):
        Tenant.objects.filter(pk=acme.pk).update(timezone="Pacific/Auckland")
        acme.timezone = "Pacific/Auckland"
        used(acme, executions=5)
        used(globex, executions=6)

        rows = by_slug()

        assert rows["acme"].day[0].used == 5
        assert rows["acme"].day[0].resets_at == datetime(2026, 3, 11, 11, tzinfo=UTC)
        assert usage_view.resets(rows["acme"].day[0].resets_at, "Pacific/Auckland") == (
            "12 Mar 00:00 in Pacific/Auckland, 11 Mar 11:00 UTC"
        )
        assert usage_view.resets(AT, "UTC") == "10 Mar 20:00 UTC"
        assert rows["globex"].day[0].used == 6

    def test_holds_stand_beside_what_is_used(self, acme, globex):
        used(acme, executions=50, held_executions=10, held_calls=3)

        meter = by_slug()["acme"].day[0]

        assert (meter.used_text, meter.held_text, meter.percent, meter.held_percent) == ("50", "10", 50, 10)

    def test_every_quota_of_the_day_shows_its_holds(self, acme, globex):
        used(acme, executions=50, held_executions=10, held_calls=3, held_tokens=700)
        rows = by_slug()

        assert [meter.held for meter in rows["acme"].day] == [10, 3, 700]
        assert [meter.held for meter in rows["globex"].day] == [0, 0, 0]

    def test_forecasts_when_the_quota_is_used_up(self, acme, globex):
        used(acme, executions=60)
        charge(acme, ago=timedelta(minutes=90), executions=60)
        charge(globex, ago=timedelta(minutes=90), executions=60)

        meter = by_slug()["acme"].day[0]

        # 20 an hour over the last 3 hours: 40 are left.
        assert meter.exhausted_at == AT + timedelta(hours=2)
        assert meter.will_run_out

    def test_of_a_busy_ledger_the_pace_is_that_of_its_newest_part(self, acme, globex, monkeypatch):
        monkeypatch.setattr(usage_view, "MOST_CHARGES", 2)
        used(acme, executions=60)
        charge(globex, ago=timedelta(minutes=100), executions=30)
        charge(acme, ago=timedelta(minutes=60), executions=10)
        charge(acme, ago=timedelta(minutes=30), executions=10)

        assert by_slug()["acme"].day[0].exhausted_at == AT + timedelta(hours=2)

    def test_tells_what_waits_and_since_when(self, acme, globex):
        used(acme, executions=100)
        with every_tenant():
            lane = Lane.objects.create(
                tenant=acme, object="Contact", parked_reason="quota", parked_until=AT + timedelta(hours=4)
            )
            free = Lane.objects.create(tenant=globex, object="Contact")
        for _ in range(3):
            make_event(acme, lane=lane, received_at=AT)
        make_event(globex, lane=free)

        rows = by_slug()

        assert (rows["acme"].waiting, rows["acme"].since) == ("3", AT)
        assert rows["acme"].until == AT + timedelta(hours=4)
        assert rows["acme"].is_waiting_for_quota
        assert rows["globex"].lanes == []

    def test_finds_by_slug_or_name_and_takes_no_wildcards(self, acme, globex):
        assert set(by_slug(term="GLOB")) == {"globex"}
        assert by_slug(term="%") == {}
        assert set(by_slug(tenant_id=acme.pk)) == {"acme"}

    def test_pages(self, acme, globex):
        first = usage_view.usages(at=AT, most=1)
        second = usage_view.usages(at=AT, most=1, skip=1)

        assert {first[0].slug, second[0].slug} == {"acme", "globex"}

    def test_a_thousand_tenants_cost_as_many_queries_as_ten(self, acme, globex):
        def queries():
            with CaptureQueriesContext(connection) as seen:
                assert usage_view.usages(at=AT)
            return len(seen)

        few = queries()
        Tenant.objects.bulk_create(
            Tenant(slug=f"t{n}", name=f"T{n}", tier_id="free", schema_name=f"t_t{n}") for n in range(1_000)
        )
        rows = usage_view.usages(at=AT)

        assert queries() == few
        assert len(rows) == usage_view.PAGE


class TestNearest:
    def test_leaves_out_those_with_room(self, acme, globex):
        used(acme, executions=85)
        used(globex, executions=85)

        assert [row.slug for row in usage_view.nearest(at=AT, most=5, above=0.8)] == ["acme"]
