"""The quota report: the tenant's own day and month, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from governor.models import Usage
from governor.quotas import Spent
from tenants.models import Tenant
from tenants.scope import every_tenant
from tests.triggers.spending import spend
from triggers.quota_report import quota_report

pytestmark = pytest.mark.django_db


@pytest.fixture
def denver(acme, globex):
    Tenant.objects.filter(pk=acme.pk).update(timezone="America/Denver")
    acme.timezone = "America/Denver"
    return acme


class TestCalendar:
    @pytest.mark.parametrize(
        ("noon", "starts", "resets"),
        [
            # The clocks go forward at 2 in the night of 8 March, and back on 1 November.
            ("2026-03-08T18:00", "2026-03-08T07:00", "2026-03-09T06:00"),
            ("2026-11-01T18:00", "2026-11-01T06:00", "2026-11-02T07:00"),
            ("2026-06-15T18:00", "2026-06-15T06:00", "2026-06-16T06:00"),
        ],
    )
    def test_a_day_of_23_24_or_25_hours_resets_at_midnight(self, denver, noon, starts, resets):
        at = datetime.fromisoformat(noon).replace(tzinfo=UTC)

        found = quota_report(denver, at=at).day

        assert found.starts_at.isoformat()[:16] == starts
        assert found.resets_at.isoformat()[:16] == resets

    def test_counts_for_the_tenants_day_and_not_for_ours(self, denver, globex):
        late = datetime(2026, 5, 5, 5, 30, tzinfo=UTC)  # 23:30 of the 4th in Denver
        spend(denver, Spent(5, 5), at=late)
        spend(globex, Spent(9, 9), at=late)

        before, after = (quota_report(denver, at=late + timedelta(minutes=wait)) for wait in (10, 40))

        assert (before.day.starts_on, before.day.meters["executions"].used) == (date(2026, 5, 4), 5)
        assert (after.day.starts_on, after.day.meters["executions"].used) == (date(2026, 5, 5), 0)
        assert before.month.meters["executions"].used == after.month.meters["executions"].used == 5


class TestHolds:
    def test_of_every_resource_stand_beside_what_is_used(self, acme, globex):
        noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
        for tenant in (acme, globex):
            spend(tenant, Spent(1, 1), at=noon)
        with every_tenant():
            Usage.objects.filter(tenant=acme).update(held_executions=2, held_calls=30, held_tokens=400)

        found, other = (quota_report(tenant, at=noon).day.meters.values() for tenant in (acme, globex))

        assert [meter.held for meter in found] == [2, 30, 400]
        assert [meter.held for meter in other] == [0, 0, 0]


class TestForecast:
    def test_of_the_day_is_by_the_last_hours(self, acme, globex):
        noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
        spend(acme, Spent(20, 0), at=noon - timedelta(hours=9))
        spend(acme, Spent(30, 0), at=noon - timedelta(hours=1))
        spend(globex, Spent(99, 0), at=noon - timedelta(hours=1))

        found = quota_report(acme, at=noon).day.meters["executions"]

        assert (found.used, found.left, found.percent) == (50, 50, 50)
        assert found.forecast.exhausted_at == noon + timedelta(hours=5)

    def test_of_the_month_is_by_the_last_days(self, acme, globex):
        at = datetime(2026, 5, 21, 0, 0, tzinfo=UTC)
        spend(acme, Spent(900, 0), at=datetime(2026, 5, 2, 12, tzinfo=UTC))
        for day in range(14, 21):
            spend(acme, Spent(100, 0), at=datetime(2026, 5, day, 12, tzinfo=UTC))

        found = quota_report(acme, at=at).month.meters["executions"]

        assert (found.used, found.forecast.expected) == (1_600, 1_600 + 1_100)
        assert found.forecast.exhausted_at is None

    def test_is_none_while_the_day_is_young(self, acme, globex):
        at = datetime(2026, 5, 4, 0, 10, tzinfo=UTC)
        spend(acme, Spent(1, 1), at=at)

        assert quota_report(acme, at=at).day.meters["executions"].forecast is None
        spend(acme, Spent(99, 1), at=at)
        assert quota_report(acme, at=at).day.meters["executions"].forecast.exhausted_at == at
