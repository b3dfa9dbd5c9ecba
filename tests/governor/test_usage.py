"""Usage in PostgreSQL: counted atomically, held while it may be needed, and equal to its ledger."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from governor import retention, usage
from governor.models import Charged, Notice, Usage
from governor.quotas import Counters, Grant, Hold, Quota, Refusal, Spent
from tenants.ids import new_code
from tenants.scope import every_tenant
from triggers import reconcile

DAY, AT = date(2026, 5, 4), datetime(2026, 5, 4, 12, tzinfo=UTC)
QUOTA = Quota(executions_per_day=20, api_calls_per_day=100)


def reserve(tenant, *, quota=QUOTA, executions=1, calls=10, on=DAY):
    with transaction.atomic(), connection.cursor() as cursor:
        return usage.reserve(
            cursor, tenant_id=tenant.pk, on=on, quota=quota, executions=executions, calls=calls
        )


def charge(tenant, hold, spent, *, quota=QUOTA, on=DAY):
    with transaction.atomic(), connection.cursor() as cursor:
        usage.charge(
            cursor,
            tenant_id=tenant.pk,
            on=on,
            hold=hold,
            spent=spent,
            quota=quota,
            execution=new_code(),
            trigger="T.x",
            at=AT,
        )


def read(tenant, on=DAY):
    with connection.cursor() as cursor:
        return usage.read(cursor, tenant_id=tenant.pk, on=on)


@pytest.mark.django_db
class TestCounting:
    def test_holds_then_counts_what_was_used(self, acme, globex):
        grant = reserve(acme)
        assert read(acme)[0] == Counters(held_executions=1, held_calls=10)

        charge(acme, grant.hold, Spent(1, 3, 500, 70))

        day, month = read(acme)
        assert day == month == Counters(1, 3, 500, 70)
        assert read(globex) == (Counters(), Counters())

    def test_what_was_not_used_is_given_back(self, acme):
        grant = reserve(acme)

        charge(acme, grant.hold, Spent())

        assert read(acme)[0] == Counters()
        with every_tenant():
            assert not Charged.objects.exists()

    def test_a_charge_counts_for_the_day_it_was_held_on(self, acme):
        grant = reserve(acme)
        reserve(acme, on=date(2026, 6, 1))

        charge(acme, grant.hold, Spent(1, 1))

        assert read(acme)[0].executions == 1
        assert read(acme, date(2026, 6, 1))[1] == Counters(held_executions=1, held_calls=10)

    def test_a_month_sums_its_days(self, acme):
        for on in (DAY, date(2026, 5, 5)):
            charge(acme, reserve(acme, on=on).hold, Spent(1, 2), on=on)

        assert read(acme)[1] == Counters(2, 4)

    def test_a_request_of_the_outbox_counts_or_is_refused(self, acme):
        small = Quota(api_calls_per_day=1)
        with transaction.atomic(), connection.cursor() as cursor:
            first = usage.spend_call(cursor, tenant_id=acme.pk, on=DAY, quota=small, at=AT)
            second = usage.spend_call(cursor, tenant_id=acme.pk, on=DAY, quota=small, at=AT)

        assert first is None
        assert second == Refusal("api_calls", "d", 1, 1)
        with every_tenant():
            assert [each.kind for each in Charged.objects.all()] == ["outbox"]

    def test_the_database_itself_refuses_a_negative_hold(self, acme):
        reserve(acme, calls=1)

        with pytest.raises(DatabaseError):
            charge(acme, Hold(1, 2), Spent(1, 1))

    def test_a_hold_that_nobody_made_is_not_charged(self, acme):
        with pytest.raises(usage.NothingHeld):
            charge(acme, Hold(1, 1), Spent(1, 1))

        with every_tenant():
            assert not Charged.objects.exists()

    def test_the_ledger_is_not_rewritten(self, acme):
        charge(acme, reserve(acme).hold, Spent(1, 1))

        with every_tenant(), pytest.raises(DatabaseError, match="append-only"):
            Charged.objects.update(executions=0)


@pytest.mark.django_db
class TestNotices:
    def test_owners_are_told_once_at_each_threshold(self, acme, globex):
        for _ in range(20):
            charge(acme, reserve(acme, calls=0).hold, Spent(1))

        with every_tenant():
            subjects = list(
                Notice.objects.filter(tenant=acme).order_by("id").values_list("subject", flat=True)
            )
            assert not Notice.objects.filter(tenant=globex).exists()
        assert subjects == [
            "50 % of today's 20 executions are used",
            "80 % of today's 20 executions are used",
            "All of today's 20 executions are used",
        ]


class TestTogether:
    def test_executions_that_start_at_once_never_exceed_the_quota(self, transactional_db, acme, globex):
        granted: list[Grant] = []
        ready = threading.Barrier(8)

        def run() -> None:
            try:
                ready.wait(timeout=30)
                for number in range(12):
                    decision = reserve(acme, calls=9)
                    if isinstance(decision, Grant):
                        granted.append(decision)
                        if number % 3:
                            charge(acme, decision.hold, Spent(1, decision.hold.calls // 2))
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

        day, month = read(acme)
        assert len(granted) == 20
        assert day == month
        assert day.executions + day.held_executions == 20
        assert day.api_calls + day.held_calls <= 100
        assert read(globex) == (Counters(), Counters())

    def test_days_and_months_are_locked_in_one_order(self, transactional_db, acme):
        """Two that straddle midnight, many times: a deadlock would raise."""
        faults: list[BaseException] = []
        next_day = date(2026, 5, 5)

        def run(first: date, second: date) -> None:
            try:
                for _ in range(25):
                    a, b = reserve(acme, on=first, quota=Quota()), reserve(acme, on=second, quota=Quota())
                    with transaction.atomic(), connection.cursor() as cursor:
                        for on, hold in (
                            (DAY, a if first == DAY else b),
                            (next_day, b if first == DAY else a),
                        ):
                            usage.charge(
                                cursor, tenant_id=acme.pk, on=on, hold=hold.hold, spent=Spent(1, 1),
                                quota=Quota(), at=AT,
                            )  # fmt: skip
            except BaseException as error:
                faults.append(error)
            finally:
                connection.close()

        threads = [
            threading.Thread(target=run, args=(DAY, next_day)),
            threading.Thread(target=run, args=(next_day, DAY)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

        assert faults == []
        assert read(acme)[1] == Counters(100, 100)


@pytest.mark.django_db
class TestRetention:
    def test_the_ledger_is_kept_for_four_hundred_days(self, acme, globex):
        for tenant in (acme, globex):
            charge(tenant, reserve(tenant).hold, Spent(1))

        with connection.cursor() as cursor:
            young = retention.sweep(cursor, at=AT + timedelta(days=399))
            old = retention.sweep(cursor, at=AT + timedelta(days=401))

        assert (young, old) == (0, 2)


@pytest.mark.django_db
class TestReconcile:
    def test_finds_nothing_where_all_was_counted(self, acme):
        charge(acme, reserve(acme).hold, Spent(1, 3))

        with connection.cursor() as cursor:
            assert reconcile.differences(cursor, since=DAY.replace(day=1)) == []

    def test_finds_and_mends_what_was_changed_behind_our_back(self, acme, globex):
        charge(acme, reserve(acme).hold, Spent(1, 3))
        charge(globex, reserve(globex).hold, Spent(1, 3))
        with every_tenant():
            Usage.objects.filter(tenant=acme, period="d").update(api_calls=99, held_calls=7)

        wrong = reconcile.mend(since=DAY.replace(day=1))

        assert {(each.tenant_id, each.field, each.counted, each.real) for each in wrong} == {
            (acme.pk, "api_calls", 99, Decimal(3)),
            (acme.pk, "held_calls", 7, Decimal(0)),
        }
        assert read(acme)[0] == Counters(1, 3)
        assert reconcile.mend(since=DAY.replace(day=1)) == []

    def test_looking_waits_for_nobody(self, transactional_db, acme, globex):
        charge(acme, reserve(acme).hold, Spent(1, 3))
        charge(globex, reserve(globex).hold, Spent(1, 3))
        with every_tenant():
            Usage.objects.filter(tenant=globex, period="d").update(api_calls=99)
        wrong = []

        def mend() -> None:
            wrong.extend(reconcile.mend(since=DAY.replace(day=1)))
            connection.close()

        with transaction.atomic(), connection.cursor() as cursor:
            usage.reserve(cursor, tenant_id=acme.pk, on=DAY, quota=QUOTA, executions=1, calls=1)
            mending = threading.Thread(target=mend)
            mending.start()
            mending.join(timeout=20)

        assert [(each.tenant_id, each.field) for each in wrong] == [(globex.pk, "api_calls")]
