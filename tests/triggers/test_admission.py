"""Quotas at work: what counts, what waits, and that nothing is lost or counted twice."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import OperationalError, connection, transaction

from governor import overrides, usage
from governor.calendar import day_of
from governor.job import Job, RunError, RunResult
from governor.journal import Journal
from governor.meter import Meter
from governor.models import Charged, Notice, Parking
from governor.quotas import Counters, Hold, Quota
from tenants.models import Tenant, Tier
from tenants.records.store import Change
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    executions,
    lane,
    poisoned_by,
    put,
    scoring,
    spec,
    statuses,
    supervisor,
)
from triggers import parking, reconcile, registry
from triggers.models import Execution, Lane, LiveEvent
from triggers.registry import Registry
from triggers.replay import replay

ALL = date(2000, 1, 1)


def metered(job: Job, *, calls: int = 0, result: RunResult | None = None) -> RunResult:
    """As the broker answers: with what was used; more calls than allowed are the limit."""
    meter = Meter(job.limits)
    meter.count("api_calls", calls)
    found = result or scoring(job)
    if meter.breach is not None:
        breach = meter.breach
        error = RunError(code="governor.limit-exceeded", limit=breach.limit, used=breach.used, max=breach.max)
        found = RunResult(error=error)
        meter.used["api_calls"] = meter.max["api_calls"]
    return replace(found, usage=meter.pairs())


def calling(calls: int) -> Runs:
    return Runs(lambda job: metered(job, calls=calls))


def used(tenant: Tenant) -> Counters:
    on = day_of(datetime.now(UTC), tenant.timezone)
    with connection.cursor() as cursor:
        day, month = usage.read(cursor, tenant_id=tenant.pk, on=on)
        assert reconcile.differences(cursor, since=ALL) == []
        assert reconcile.uncharged(cursor, since=ALL) == []
    assert day == month
    return day


def due_now() -> None:
    with every_tenant():
        Execution.objects.update(next_attempt_at=None)


def set_value(tenant: Tenant, name: str, value: int) -> None:
    overrides.put(
        name=name, value=value, tenant=tenant, reason="a test", actor="operator", at=datetime.now(UTC)
    )


class TestCounting:
    def test_a_live_execution_counts_once_with_its_calls(self, acme, globex):
        put(acme, "c1")
        put(acme, "c2")

        drain(supervisor(calling(3)))

        assert used(acme) == Counters(executions=1, api_calls=3)
        assert used(globex) == Counters()
        with every_tenant():
            (line,) = Charged.objects.filter(tenant=acme)
        assert (line.execution, line.trigger, line.api_calls) == (executions()[0].code, "T.score", 3)

    def test_tokens_and_their_cost_are_counted(self, acme, globex):
        put(acme)

        def asks(job: Job) -> RunResult:
            return replace(metered(job, calls=1), ai_tokens_in=300, ai_tokens_out=40, ai_cost_micros=69)

        drain(supervisor(Runs(asks)))

        assert used(acme) == Counters(executions=1, api_calls=1, ai_tokens=340, ai_cost_micros=69)
        assert used(globex) == Counters()

    def test_each_trigger_is_an_execution(self, acme):
        put(acme)

        drain(supervisor(calling(1), spec("A.a"), spec("B.b")))

        assert used(acme) == Counters(executions=2, api_calls=2)

    def test_retries_are_none_but_their_calls_count(self, acme):
        put(acme)
        runs = Runs(lambda job: metered(job, calls=2, result=_lost()))
        engine = supervisor(runs)
        drain(engine)
        assert used(acme) == Counters(executions=1, api_calls=2)
        runs.answer = lambda job: metered(job, calls=2)
        due_now()

        drain(engine)

        assert statuses(acme) == {executions()[0].record_ids[0]: ["succeeded"]}
        assert used(acme) == Counters(executions=1, api_calls=4)

    def test_halves_are_none(self, acme):
        for number in range(4):
            put(acme, f"c{number}")
        poisoned = poisoned_by("c2")

        drain(supervisor(Runs(lambda job: metered(job, calls=1, result=poisoned(job)))))

        assert len(executions()) == 5
        assert used(acme) == Counters(executions=1, api_calls=5)

    def test_a_batch_of_which_when_wanted_nothing_is_none(self, acme):
        put(acme)

        def missed(job: Job) -> RunResult:
            outcomes = {record["id"]: ("skipped", "when", None) for record in job.records}
            return metered(job, result=RunResult(outcomes=outcomes))

        drain(supervisor(Runs(missed)))

        assert used(acme) == Counters()

    def test_what_could_not_be_run_is_none(self, acme):
        put(acme)

        def broken(job: Job) -> RunResult:
            return RunResult(error=RunError(code="governor.jail-broken", is_retryable=True))

        drain(supervisor(Runs(broken)))

        assert used(acme) == Counters()

    def test_a_test_event_is_none(self, acme):
        event = put(acme)
        with every_tenant():
            LiveEvent.objects.filter(pk=event.pk).update(origin="test")

        drain(supervisor(calling(1)))

        assert used(acme) == Counters(api_calls=1)

    def test_an_event_without_a_trigger_is_none(self, acme):
        put(acme, operation="delete")

        drain(supervisor(calling(1)))

        assert used(acme) == Counters()

    @pytest.mark.parametrize(("mode", "counted"), [("live", 2), ("dry", 1), ("recorded", 1)])
    def test_a_replay_counts_when_it_is_live(self, acme, monkeypatch, mode, counted):
        monkeypatch.setattr(registry._Held, "registry", Registry([spec()], content="0123456789abcdef"))
        put(acme)
        engine = supervisor(calling(1))
        drain(engine)

        replay(execution=executions()[0], mode=mode, actor="operator", at=datetime.now(UTC))
        drain(engine)

        assert used(acme) == Counters(executions=counted, api_calls=counted)

    def test_what_cannot_be_stored_is_counted_all_the_same(self, acme):
        put(acme)

        def odd(job: Job) -> RunResult:
            change = Change("Contact", "update", job.records[0]["id"], {"n": 10**400})
            found = metered(job, calls=2, result=RunResult(changes=[change]))
            return replace(found, ai_tokens_in=5, ai_cost_micros=1) if job.spec.name == "A.a" else found

        drain(supervisor(Runs(odd), spec("A.a"), spec("B.b")))

        assert used(acme) == Counters(executions=2, api_calls=4, ai_tokens=5, ai_cost_micros=1)


class TestCrash:
    def test_a_dead_worker_leaves_its_hold_to_the_next_attempt(self, acme):
        put(acme)

        def dies(job: Job) -> RunResult:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            drain(supervisor(Runs(dies), worker="dead"))
        assert used(acme) == Counters(held_executions=1, held_calls=50)
        with every_tenant():
            Lane.objects.update(lease_until=None)

        drain(supervisor(calling(4)))

        assert used(acme) == Counters(executions=1, api_calls=4)

    def test_a_hold_of_yesterday_is_charged_to_yesterday(self, acme):
        put(acme)

        def dies(job: Job) -> RunResult:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            drain(supervisor(Runs(dies)))
        yesterday = day_of(datetime.now(UTC), "UTC") - timedelta(days=1)
        _move_hold(acme, yesterday)
        with every_tenant():
            Lane.objects.update(lease_until=None)

        drain(supervisor(calling(4)))

        with connection.cursor() as cursor:
            assert usage.read(cursor, tenant_id=acme.pk, on=yesterday)[0] == Counters(1, 4)
        with every_tenant():
            assert Charged.objects.get().on == yesterday

    def test_the_calls_of_a_dead_worker_are_counted(self, acme, globex):
        set_value(acme, "api_calls_per_day", 52)
        put(acme)

        def calls_and_dies(job: Job) -> RunResult:
            journal = Journal(tenant_id=job.tenant_id, root=job.root, execution=job.execution)
            journal.intend([journal.name("http", {"url": f"https://x.test/{n}"}) for n in range(5)])
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            drain(supervisor(Runs(calls_and_dies)))
        with every_tenant():
            Lane.objects.update(lease_until=None)
        runs = calling(2)

        drain(supervisor(runs))

        # 5 of the 52 are gone; of its own 50 it gets back what the quota has left.
        assert runs.jobs[0].limits["api_calls"] == 47
        assert used(acme) == Counters(executions=1, api_calls=7)
        assert used(globex) == Counters()


class TestOverQuota:
    def test_events_wait_in_order_and_delay_nobody_else(self, acme, globex):
        Tier.objects.filter(slug="free").update(executions_per_day=2)
        for number in range(3):
            put(acme, f"c{number}", operation=("insert", "update", "insert")[number])
            drain(supervisor(calling(1)))
        put(acme, "c3")
        put(globex, "g")
        runs = calling(1)

        drain(supervisor(runs))

        assert runs.batches == [["g"]]
        assert statuses(acme) == {
            "c0": ["succeeded"], "c1": ["succeeded"], "c2": ["queued"], "c3": ["queued"],
        }  # fmt: skip
        parked = lane(acme)
        assert (parked.parked_reason, parked.leased_by) == ("quota", "")
        assert parked.parked_until.astimezone(UTC).time().isoformat() == "00:00:00"
        assert used(acme) == Counters(executions=2, api_calls=2)
        with every_tenant():
            (stretch,) = Parking.objects.all()
        assert (stretch.tenant_id, stretch.reason) == (acme.pk, "2 of today's 2 executions are used.")

    def test_a_larger_quota_lets_them_run_at_once_and_the_owner_is_told(self, acme, globex):
        set_value(acme, "executions_per_day", 1)
        engine = supervisor(calling(0))
        put(acme, "c0")
        drain(engine)
        for name in ("c1", "c2"):
            put(acme, name)
        drain(engine)
        assert parking.review(at=datetime.now(UTC)) == []

        set_value(acme, "executions_per_day", 10)
        opened = parking.review(at=datetime.now(UTC))
        engine.policies.forget(acme.pk)
        drain(engine)

        assert opened == [lane(acme).pk]
        assert statuses(acme) == {name: ["succeeded"] for name in ("c0", "c1", "c2")}
        assert parking.tell_caught_up(at=datetime.now(UTC)) == 1
        assert parking.tell_caught_up(at=datetime.now(UTC)) == 0
        with every_tenant():
            notice = Notice.objects.get(kind="caught-up")
        assert notice.tenant_id == acme.pk
        assert notice.subject == "2 events that waited for the quota have run"
        assert "2 went through, 0 failed" in notice.text

    def test_the_next_day_lets_them_run(self, acme):
        set_value(acme, "executions_per_day", 1)
        engine = supervisor(calling(0))
        for name in ("c0", "c1"):
            put(acme, name)
            drain(engine)
        tomorrow = lane(acme).parked_until + timedelta(seconds=1)

        assert parking.review(at=tomorrow) == [lane(acme).pk]

        with every_tenant():
            assert Parking.objects.get().ended_by == "reset"

    def test_a_second_trigger_waits_with_its_batch(self, acme):
        set_value(acme, "executions_per_day", 1)
        put(acme, "c0")
        runs = calling(0)
        engine = supervisor(runs, spec("A.a"), spec("B.b"))

        drain(engine)

        assert [(each.trigger, each.status) for each in executions()] == [
            ("A.a", "succeeded"), ("B.b", "queued"),
        ]  # fmt: skip
        assert lane(acme).parked_reason == "quota"
        set_value(acme, "executions_per_day", 2)
        engine.policies.forget(acme.pk)
        parking.review(at=datetime.now(UTC))
        drain(engine)
        assert [each.status for each in executions()] == ["succeeded", "succeeded"]
        assert [job.spec.name for job in runs.jobs] == ["A.a", "B.b"]

    def test_a_dry_replay_runs_all_the_same(self, acme, monkeypatch):
        monkeypatch.setattr(registry._Held, "registry", Registry([spec()], content="0123456789abcdef"))
        put(acme)
        engine = supervisor(calling(0))
        drain(engine)
        set_value(acme, "executions_per_day", 1)
        engine.policies.forget(acme.pk)
        first = executions()[0]
        live = replay(execution=first, actor="operator", at=datetime.now(UTC))
        dry = replay(execution=first, mode="dry", actor="operator", at=datetime.now(UTC))

        drain(engine)

        live.refresh_from_db()
        dry.refresh_from_db()
        assert (live.status, dry.status) == ("queued", "succeeded")
        assert lane(acme, kind="replay").parked_reason == "quota"
        assert lane(acme).parked_reason == ""

        later = replay(execution=first, mode="dry", actor="operator", at=datetime.now(UTC))
        drain(engine)
        later.refresh_from_db()
        live.refresh_from_db()
        assert (later.status, live.status) == ("succeeded", "queued")
        assert lane(acme, kind="replay").parked_reason == "quota"

    def test_calls_that_are_left_bound_the_run_and_it_waits_for_more(self, acme, globex):
        set_value(acme, "api_calls_per_day", 13)
        put(acme, "before")
        drain(supervisor(calling(8)))
        put(acme, "c0")
        put(globex, "g0")
        runs = Runs(lambda job: metered(job, calls=8))
        engine = supervisor(runs)

        drain(engine)

        assert [job.limits["api_calls"] for job in runs.jobs if job.tenant["slug"] == "acme"] == [5]
        waiting = executions(acme)[-1]
        assert (waiting.status, waiting.error_code) == ("queued", "governor.over-quota")
        assert lane(acme).parked_reason == "quota"
        assert used(acme) == Counters(executions=1, api_calls=13)
        assert statuses(globex) == {"g0": ["succeeded"]}

        set_value(acme, "api_calls_per_day", 100)
        engine.policies.forget(acme.pk)
        due_now()
        parking.review(at=datetime.now(UTC))
        drain(engine)
        assert statuses(acme) == {"before": ["succeeded"], "c0": ["succeeded"]}
        assert used(acme) == Counters(executions=2, api_calls=21)

    def test_a_limit_that_is_no_quota_still_stops(self, acme):
        set_value(acme, "api_calls", 3)
        put(acme, "c0")

        drain(supervisor(calling(8)))

        (stopped,) = executions(acme)
        assert (stopped.status, stopped.limit_name) == ("failed", "api_calls")

    def test_tokens_that_are_left_bound_the_run(self, acme):
        set_value(acme, "ai_tokens_per_day", 700)
        put(acme, "c0")
        runs = calling(0)

        drain(supervisor(runs))

        assert runs.jobs[0].limits["ai_tokens"] == 700
        assert used(acme) == Counters(executions=1)

    def test_tokens_that_others_hold_are_not_left(self, acme, globex):
        set_value(acme, "ai_tokens_per_day", 150_000)
        put(acme, "c0")
        put(acme, "t0", obj="Thing")
        put(globex, "g0")
        runs = calling(0)
        other = supervisor(runs, spec("T.score"), spec("T.thing", object="Thing"), worker="other")

        def meanwhile(job: Job) -> RunResult:
            drain(other)
            return metered(job)

        drain(supervisor(Runs(meanwhile), spec("T.score"), spec("T.thing", object="Thing")))

        tokens = {job.tenant["slug"]: job.limits["ai_tokens"] for job in runs.jobs}
        assert tokens == {"acme": 50_000, "globex": 100_000}
        assert used(acme) == Counters(executions=2)

    def test_what_a_whole_day_has_no_room_for_stops_at_once(self, acme):
        set_value(acme, "api_calls_per_day", 5)
        put(acme, "c0")
        put(acme, "c1")

        drain(supervisor(Runs(lambda job: metered(job, calls=8 if len(job.records) > 1 else 2))))

        # The batch is split, as at any limit; its halves wait for the calls that it used up.
        assert [each.status for each in executions(acme)] == ["bisected", "queued", "queued"]
        assert lane(acme).parked_reason == "quota"

    def test_a_question_that_needs_more_tokens_than_are_left_waits(self, acme):
        set_value(acme, "ai_tokens_per_day", 1_000)
        put(acme, "before")
        first = Runs(lambda job: replace(metered(job), ai_tokens_in=300))
        drain(supervisor(first))
        put(acme, "c0")

        def asks(job: Job) -> RunResult:
            allowed = job.limits["ai_tokens"]
            error = RunError(code="governor.limit-exceeded", limit="ai_tokens", used=900, max=allowed)
            return metered(job, result=scoring(job) if allowed >= 900 else RunResult(error=error))

        engine = supervisor(Runs(asks))
        drain(engine)

        waiting = executions(acme)[-1]
        assert (waiting.status, waiting.attempts) == ("queued", 0)
        assert lane(acme).parked_reason == "quota"
        assert parking.review(at=datetime.now(UTC)) == []
        set_value(acme, "ai_tokens_per_day", 2_000)
        engine.policies.forget(acme.pk)
        parking.review(at=datetime.now(UTC))
        drain(engine)
        assert statuses(acme) == {"before": ["succeeded"], "c0": ["succeeded"]}

    def test_tokens_that_are_left_bound_a_run_that_a_worker_left_too(self, acme):
        set_value(acme, "ai_tokens_per_day", 700)
        put(acme, "c0")

        def dies(job: Job) -> RunResult:
            raise OperationalError("away")

        with pytest.raises(OperationalError):
            supervisor(Runs(dies)).step()
        with every_tenant():
            Lane.objects.update(lease_until=None)
        runs = calling(0)
        drain(supervisor(runs))

        assert runs.jobs[0].limits["ai_tokens"] == 700
        assert used(acme) == Counters(executions=1)

    def test_what_others_gave_back_is_enough_for_what_the_script_asks_for(self, acme):
        set_value(acme, "api_calls_per_day", 60)
        put(acme, "c0")
        on = day_of(datetime.now(UTC), acme.timezone)
        hold = Hold(calls=55)
        with transaction.atomic(), connection.cursor() as cursor:
            usage.reserve(cursor, tenant_id=acme.pk, on=on, quota=Quota(), executions=0, calls=55)

        def answer(job: Job) -> RunResult:
            with transaction.atomic(), connection.cursor() as cursor:
                usage.give_back(cursor, tenant_id=acme.pk, on=on, hold=hold)
            runs.answer = lambda job: metered(job, calls=10)
            return metered(job, calls=10)

        runs = Runs(answer)
        drain(supervisor(runs, replace(spec(), limits={"api_calls": 10})))

        assert [job.limits["api_calls"] for job in runs.jobs] == [5, 10]
        assert statuses(acme) == {"c0": ["succeeded"]}

    def test_opening_waits_for_no_worker(self, transactional_db, acme, globex):
        """A worker that holds a lane and parks it waits for the note that the opening has locked."""
        for tenant in (acme, globex):
            set_value(tenant, "executions_per_day", 0)
            put(tenant)
        drain(supervisor(calling(0)))
        for tenant in (acme, globex):
            set_value(tenant, "executions_per_day", 10)
        opened: list[int] = []

        def review() -> None:
            opened.extend(parking.review(at=datetime.now(UTC)))
            connection.close()

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM triggers_lane WHERE tenant_id = %s FOR UPDATE", [acme.pk])
            reviewing = threading.Thread(target=review)
            reviewing.start()
            reviewing.join(timeout=20)
            assert opened == [lane(globex).pk]
        reviewing.join(timeout=20)

        assert parking.review(at=datetime.now(UTC)) == [lane(acme).pk]
        with every_tenant():
            assert not Parking.objects.filter(ended_at=None).exists()

    def test_parked_events_expire_when_they_are_kept_no_longer(self, acme, globex):
        set_value(acme, "executions_per_day", 0)
        put(acme, "old", age=40 * 86_400)
        put(acme, "young", age=20 * 86_400)
        put(globex, "old", age=40 * 86_400)
        drain(supervisor(calling(0)))

        assert parking.expire(at=datetime.now(UTC), default_days=30) == 1

        assert statuses(acme) == {"old": ["skipped"], "young": ["queued"]}
        assert statuses(globex) == {"old": ["succeeded"]}


def _lost() -> RunResult:
    return RunResult(error=RunError(code="governor.runner-died", is_retryable=True))


def _move_hold(tenant: Tenant, on: date) -> None:
    """As if the execution had started on that day."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE triggers_execution SET held_on = %s WHERE held_on IS NOT NULL", [on])
        cursor.execute("UPDATE governor_usage SET starts_on = %s WHERE period = 'd'", [on])
        cursor.execute("UPDATE governor_usage SET starts_on = %s WHERE period = 'm'", [on.replace(day=1)])
