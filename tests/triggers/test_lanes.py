"""Lanes: which is served next, when a batch is ripe, and that a lease is one worker's alone."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections

from tenants.models import Tenant
from tenants.scope import every_tenant
from tests.triggers.engine import Runs, drain, lane, put, supervisor
from tests.triggers.test_admission import set_value
from triggers import lanes
from triggers.models import Lane, LiveEvent

if TYPE_CHECKING:
    from triggers.lanes import Lease


def take(worker: str = "w", **options: Any) -> tuple[Lease | None, float | None]:
    with connection.cursor() as cursor:
        return lanes.take(cursor, worker=worker, **options)


def served(tenant: Tenant, *, seconds_ago: float) -> None:
    with every_tenant():
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        Lane.objects.filter(tenant=tenant).update(last_served_at=at, turn_at=at)


class TestTake:
    def test_without_work_there_is_nothing(self, acme):
        assert take() == (None, None)

    def test_leases_the_lane_with_work(self, acme):
        put(acme)

        lease, _ = take("worker-1")

        assert lease is not None
        assert (lease.tenant_id, lease.schema, lease.object, lease.token) == (
            acme.pk,
            acme.schema_name,
            "Contact",
            1,
        )
        assert lane(acme).leased_by == "worker-1"

    def test_a_leased_lane_is_not_leased_again(self, acme):
        put(acme)
        take("worker-1")

        assert take("worker-2") == (None, None)

    def test_a_lease_that_ended_is_taken_over_with_a_new_token(self, acme):
        put(acme)
        first, _ = take("worker-1", lease_seconds=0)

        second, _ = take("worker-2")

        assert second is not None
        assert first is not None
        assert second.token == first.token + 1

    def test_the_lane_served_longest_ago_comes_first(self, acme, globex):
        put(acme)
        put(globex)
        served(acme, seconds_ago=10)
        served(globex, seconds_ago=20)

        lease, _ = take()

        assert lease is not None
        assert lease.tenant_id == globex.pk

    def test_a_lane_never_served_comes_before_all(self, acme, globex):
        put(acme)
        put(globex)
        served(acme, seconds_ago=1000)

        lease, _ = take()

        assert lease is not None
        assert lease.tenant_id == globex.pk

    def test_lanes_to_pass_over_are_passed_over(self, acme):
        put(acme)

        assert take(passed_over=[lane(acme).pk]) == (None, None)

    @pytest.mark.parametrize(
        ("change", "is_free"),
        [
            ({"parked_reason": "quota"}, False),
            ({"parked_reason": "quota", "parked_until": datetime.now(UTC) + timedelta(hours=1)}, False),
            ({"parked_reason": "quota", "parked_until": datetime.now(UTC) - timedelta(hours=1)}, True),
        ],
    )
    def test_a_parked_lane_is_not_served_until_its_time(self, acme, change, is_free):
        put(acme)
        with every_tenant():
            Lane.objects.update(**change)

        assert (take()[0] is not None) == is_free

    @pytest.mark.parametrize("status", ["paused", "closed"])
    def test_a_paused_or_closed_tenant_is_not_served(self, acme, status):
        put(acme)
        Tenant.objects.filter(pk=acme.pk).update(status=status)

        assert take() == (None, None)

    def test_one_tenant_holds_at_most_so_many_lanes(self, acme, globex):
        for number in range(acme.tier.concurrent_executions + 1):
            put(acme, obj="Contact" if number == 0 else f"Thing{number}")
        for _ in range(acme.tier.concurrent_executions):
            assert take()[0] is not None

        assert take() == (None, None)
        put(globex)
        assert take()[0] is not None

    def test_an_operator_sets_how_many(self, acme, globex):
        set_value(acme, "concurrent_executions", 1)
        for obj in ("Contact", "Thing"):
            put(acme, obj=obj)
            put(globex, obj=obj)

        taken = [take()[0] for _ in range(4)]

        assert [lease.tenant_id for lease in taken if lease].count(acme.pk) == 1
        assert taken[3] is None

    def test_a_weight_of_three_is_served_three_times_as_often(self, acme, globex):
        """Both always have work."""
        set_value(acme, "weight", 3)
        put(acme)
        put(globex)
        turns = []
        for _ in range(40):
            lease, _ = take()
            assert lease is not None
            turns.append(lease.tenant_id)
            with connection.cursor() as cursor:
                lanes.release(cursor, lease, is_served=True)

        assert turns == [acme.pk, acme.pk, acme.pk, globex.pk] * 10

    def test_lanes_of_one_event_have_no_more_turns_than_one_lane_of_many(self, acme, globex):
        set_value(acme, "weight", 3)
        for number in range(9):
            put(acme, obj=f"Object{number}")
        put(globex)
        turns = []
        for _ in range(12):
            lease, _ = take()
            assert lease is not None
            turns.append(lease.tenant_id)
            with every_tenant(), connection.cursor() as cursor:
                lanes.release(cursor, lease, is_served=True)
                LiveEvent.objects.filter(tenant=acme, lane=lease.lane_id).delete()

        assert turns == [acme.pk, acme.pk, acme.pk, globex.pk] * 3


class TestRipeness:
    def test_a_lone_event_waits_for_nobody(self, acme):
        put(acme, age=0)

        assert take()[0] is not None

    def test_a_lone_event_of_a_busy_lane_waits_a_moment(self, acme):
        put(acme, age=0)
        served(acme, seconds_ago=0.3)

        lease, ripe_in = take()

        assert lease is None
        assert ripe_in is not None
        assert 0 < ripe_in <= lanes.QUIET

    def test_a_batch_that_fills_waits(self, acme):
        put(acme, age=0.2)
        put(acme, age=0)

        lease, ripe_in = take()

        assert lease is None
        assert ripe_in is not None
        assert 0 < ripe_in <= lanes.QUIET
        assert lane(acme).lease_token == 0
        assert lane(acme).last_served_at is None

    def test_an_event_waits_no_longer_than_half_a_second(self, acme):
        put(acme, age=lanes.LONGEST_WAIT)
        put(acme, age=0)

        assert take()[0] is not None

    def test_a_batch_is_ripe_when_it_grows_no_more(self, acme):
        put(acme, age=0.2)
        put(acme, age=lanes.QUIET + 0.01)

        assert take()[0] is not None

    def test_a_full_batch_is_ripe(self, acme):
        for _ in range(lanes.FULL):
            put(acme, age=-0.2)

        assert take()[0] is not None

    def test_a_clock_that_runs_ahead_delays_nothing(self, acme):
        put(acme, age=-60)
        put(acme, age=-60)

        assert take()[0] is not None

    def test_another_ripe_lane_is_served_meanwhile(self, acme, globex):
        put(acme, age=0.2)
        put(acme, age=0)
        put(globex)

        lease, _ = take()

        assert lease is not None
        assert lease.tenant_id == globex.pk


class TestReplayLanes:
    def test_live_lanes_come_first_but_replays_do_not_starve(self, acme, globex):
        put(acme)
        with every_tenant(), connection.cursor() as cursor:
            replays = lanes.lane_of(cursor, tenant_id=globex.pk, obj="Contact", kind="replay")
            event = put(globex)
            type(event).objects.filter(pk=event.pk).update(lane_id=replays)
        now = datetime.now(UTC)
        with every_tenant():
            Lane.objects.filter(tenant=acme).update(
                last_served_at=now - timedelta(seconds=5), turn_at=now - timedelta(seconds=5)
            )
            Lane.objects.filter(pk=replays).update(
                last_served_at=now - timedelta(seconds=6), turn_at=now - timedelta(seconds=6)
            )

        first, _ = take()
        assert first is not None
        assert first.tenant_id == acme.pk
        with connection.cursor() as cursor:
            lanes.release(cursor, first, is_served=True)

        second, _ = take()
        assert second is not None
        assert second.is_replay


class TestLease:
    def test_its_holder_renews_and_releases_it(self, acme):
        put(acme)
        lease, _ = take(lease_seconds=1)
        assert lease is not None

        with connection.cursor() as cursor:
            assert lanes.renew(cursor, lease)
            assert take("other") == (None, None)
            assert lanes.release(cursor, lease, is_served=True)

        assert lane(acme).lease_until is None
        assert lane(acme).last_served_at is not None

    def test_its_former_holder_does_neither(self, acme):
        put(acme)
        old, _ = take(lease_seconds=0)
        take("other")
        assert old is not None

        with connection.cursor() as cursor:
            assert not lanes.renew(cursor, old)
            assert not lanes.release(cursor, old, is_served=True)

        assert lane(acme).leased_by == "other"

    @pytest.mark.django_db(transaction=True)
    def test_of_many_that_reach_for_it_one_gets_it(self, acme):
        put(acme)
        got: list[Lease] = []
        start = threading.Barrier(6)

        def reach(number: int) -> None:
            try:
                start.wait()
                for _ in range(5):
                    lease, _ = take(f"worker-{number}")
                    if lease:
                        got.append(lease)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=reach, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(got) == 1


class TestWorkerName:
    def test_of_a_living_worker_is_not_dead(self):
        assert not lanes.is_dead(lanes.worker_name())

    def test_of_one_that_ended_is(self):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        name = lanes.worker_name(child.pid)
        assert not lanes.is_dead(name)

        child.communicate()

        assert lanes.is_dead(name)

    def test_a_number_used_again_is_another_worker(self):
        name = lanes.worker_name().rpartition(":")[0]

        assert lanes.is_dead(f"{name}:1")

    def test_of_one_elsewhere_nobody_knows(self):
        assert not lanes.is_dead("elsewhere:deadbeef:1:1")
        assert not lanes.is_dead("something")
        assert len(lanes.worker_name()) <= 80
        assert str(os.getpid()) in lanes.worker_name()


class TestFairness:
    def test_a_tenant_with_thousands_waiting_delays_another_by_one_batch(self, acme, globex):
        for _ in range(600):
            put(acme)
        runs = Runs()
        engine = supervisor(runs)
        engine.step()
        put(globex, "the-single-one", age=0)

        engine.step()

        assert runs.batches[1] == ["the-single-one"]
        drain(engine)
        assert sum(map(len, runs.batches)) == 601

    def test_so_does_one_with_hundreds_of_lanes(self, acme, globex):
        for number in range(100):
            put(acme, obj=f"Thing{number}")
        put(globex)
        served(globex, seconds_ago=1)

        first, _ = take()
        second, _ = take("other")

        assert {first and first.tenant_id, second and second.tenant_id} == {acme.pk, globex.pk}
