"""The supervisor: from waiting events to settled executions."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from governor.jail.supervisor import JailBroken
from governor.job import RunError, RunResult
from logs.models import Trace
from tenants.records.store import Change
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    events,
    executions,
    lane,
    mirror,
    put,
    scoring,
    spec,
    statuses,
    supervisor,
)
from triggers import bisect
from triggers.models import Execution, Lane, LiveEvent, TriggerConfig
from triggers.registry import Registry

BUSY = RunError(code="governor.callout-failed", detail="429 from the provider", is_retryable=True)


def due_now() -> None:
    with every_tenant():
        Execution.objects.filter(next_attempt_at__isnull=False).update(
            next_attempt_at=datetime.now(UTC) - timedelta(seconds=1)
        )


class TestOneEvent:
    def test_runs_and_is_in_the_history(self, acme):
        put(acme, "c1")
        runs = Runs(scoring)

        drain(supervisor(runs))

        assert statuses(acme) == {"c1": ["succeeded"]}
        (job,) = runs.jobs
        assert job.records[0]["email"] == "c1@example.test"
        assert job.records[0]["phone"] is None
        assert job.olds == [None]
        assert job.old_known == [False]
        assert job.tenant["slug"] == "acme"
        assert mirror(acme, "c1")["score"] == 7
        (execution,) = executions()
        assert (execution.status, execution.ok, execution.size, execution.attempts) == ("succeeded", 1, 1, 1)
        with every_tenant():
            assert not LiveEvent.objects.exists()
            assert Trace.objects.get(execution=execution.code).outcomes == {"c1": ["ok", "", None]}

    def test_gives_the_lane_back(self, acme):
        put(acme, "c1")

        drain(supervisor())

        assert lane(acme).lease_until is None
        assert lane(acme).last_served_at is not None

    def test_can_be_found_by_address(self, acme):
        from logs.search import find

        put(acme, "c1")
        drain(supervisor())

        with every_tenant():
            assert Execution.objects.filter(find("c1@example.test")).exists()


class TestSeveralTriggers:
    def test_run_in_order_one_execution_each(self, acme):
        put(acme, "c1")
        put(acme, "c2")
        runs = Runs()

        drain(supervisor(runs, spec("B.second", order=2), spec("A.first", order=1)))

        assert [job.spec.name for job in runs.jobs] == ["A.first", "B.second"]
        assert [(execution.trigger, execution.ok) for execution in executions()] == [
            ("A.first", 2),
            ("B.second", 2),
        ]

    def test_the_failure_of_one_does_not_stop_the_next(self, acme):
        put(acme, "c1")

        def answer(job: Any) -> RunResult:
            if job.spec.name == "A.a":
                return RunResult(error=RunError(code="script.raised", detail="boom"))
            return scoring(job)

        drain(supervisor(Runs(answer), spec("A.a"), spec("B.b")))

        assert [execution.status for execution in executions()] == ["failed", "succeeded"]
        (event,) = events(acme)["c1"]
        assert (event.status, event.reason, event.error["trigger"]) == ("failed", "script.raised", "A.a")
        assert mirror(acme, "c1")["score"] == 7

    def test_an_event_skipped_by_all_is_skipped(self, acme):
        put(acme, "c1")
        put(acme, "c2")

        def answer(job: Any) -> RunResult:
            outcomes = {"c1": ("skipped", "when", None)}
            if job.spec.name == "A.a":
                outcomes["c2"] = ("skipped", "when", None)
            return RunResult(outcomes=outcomes)

        drain(supervisor(Runs(answer), spec("A.a"), spec("B.b")))

        assert [(e.status, e.reason) for e in events(acme)["c1"]] == [("skipped", "script")]
        assert statuses(acme)["c2"] == ["succeeded"]


class TestPaused:
    def test_a_paused_trigger_waits_and_the_others_run(self, acme, globex):
        until = datetime.now(UTC) + timedelta(hours=1)
        TriggerConfig.objects.create(tenant=acme, trigger="T.first", paused_until=until)
        specs = (spec("T.first"), spec("T.second", order=1))
        put(acme, "c1")
        put(globex, "g1")
        runs = Runs(scoring)

        drain(supervisor(runs, *specs))

        ran = {(job.tenant["slug"], job.spec.name) for job in runs.jobs}
        assert ran == {("acme", "T.second"), ("globex", "T.first"), ("globex", "T.second")}
        assert statuses(acme) == {"c1": ["running"]}
        assert lane(acme).lease_until is None

        # Its pause ends; nothing was lost, and the record's later events come after.
        put(acme, "c1", operation="update", firstName="Grace")
        TriggerConfig.objects.update(paused_until=None)
        runs = Runs(scoring)
        drain(supervisor(runs, *specs))

        ran = [(job.operation, job.spec.name) for job in runs.jobs]
        assert ran == [("insert", "T.first"), ("update", "T.first"), ("update", "T.second")]
        assert statuses(acme) == {"c1": ["succeeded", "succeeded"]}

    def test_one_that_is_to_be_tried_again_waits_too(self, acme):
        put(acme, "c1")
        runs = Runs(lambda job: RunResult(error=BUSY))
        drain(supervisor(runs))
        TriggerConfig.objects.create(trigger="T.score", paused_until=datetime.now(UTC) + timedelta(hours=1))
        due_now()

        drain(supervisor(runs))

        assert len(runs.jobs) == 1


class TestOutcomes:
    def test_records_fail_one_by_one_and_their_changes_with_them(self, acme):
        put(acme, "good")
        put(acme, "bad")
        put(acme, "odd")

        def answer(job: Any) -> RunResult:
            result = scoring(job)
            result.outcomes = {
                "bad": ("failed", "no phone", None),
                "odd": ("quarantined", "schema", [{"field": "email", "reason": "missing"}]),
            }
            return result

        drain(supervisor(Runs(answer)))

        assert statuses(acme) == {"good": ["succeeded"], "bad": ["failed"], "odd": ["quarantined"]}
        (execution,) = executions()
        assert (execution.status, execution.ok, execution.failed) == ("partial", 1, 2)
        assert mirror(acme, "good")["score"] == 7
        assert "score" not in mirror(acme, "bad")
        (odd,) = events(acme)["odd"]
        assert odd.error["fields"] == [{"field": "email", "reason": "missing"}]

    def test_errors_the_script_caught_are_told(self, acme):
        put(acme, "c1")

        drain(supervisor(Runs(lambda job: RunResult(with_errors=True, usage={"api_calls": [3, 50]}))))

        (execution,) = executions()
        assert execution.with_errors
        assert execution.usage == {"api_calls": [3, 50]}

    def test_a_reason_that_names_a_person_is_masked(self, acme):
        put(acme, "c1")

        drain(supervisor(Runs(lambda job: RunResult(outcomes={"c1": ("failed", "bob@corp.example", None)}))))

        (event,) = events(acme)["c1"]
        (execution,) = executions()
        assert "bob@" not in event.error["detail"]
        assert "bob@" not in execution.error_detail

    def test_changes_that_cannot_be_stored_fail_the_execution(self, acme):
        put(acme, "c1")
        change = Change("Contact", "upsert", "x" * 300, {"score": 1})

        drain(supervisor(Runs(lambda job: RunResult(changes=[change]))))

        (execution,) = executions()
        assert (execution.status, execution.error_code) == ("failed", "triggers.unstorable")
        assert statuses(acme) == {"c1": ["failed"]}


class TestRetries:
    def test_what_may_pass_waits_and_holds_back_only_its_own_records(self, acme):
        put(acme, "c1")
        runs = Runs(lambda job: RunResult(error=BUSY))
        engine = supervisor(runs)
        drain(engine)
        put(acme, "c1", operation="update", firstName="Grace")
        put(acme, "c2", operation="update")
        runs.answer = scoring

        engine._passed_over.clear()
        drain(engine)

        assert runs.batches == [["c1"], ["c2"]]
        waiting, _ = executions()
        assert (waiting.status, waiting.attempts, waiting.error_code) == ("queued", 1, BUSY.code)
        assert statuses(acme) == {"c1": ["running", "queued"], "c2": ["succeeded"]}

        due_now()
        engine._passed_over.clear()
        drain(engine)

        assert runs.batches[2:] == [["c1"], ["c1"]]
        assert statuses(acme)["c1"] == ["succeeded", "succeeded"]
        assert executions()[0].attempts == 2
        assert executions()[0].error_code == ""

    def test_a_retry_runs_exactly_its_members_with_the_same_images(self, acme):
        put(acme, "c1", operation="update", firstName="First")
        put(acme, "c2", operation="update", firstName="First")
        runs = Runs(lambda job: RunResult(error=BUSY))
        engine = supervisor(runs)
        drain(engine)
        put(acme, "c3", operation="update")
        runs.answer = scoring

        due_now()
        drain(engine)

        first, again, _ = runs.jobs
        assert again.records == first.records
        assert again.olds == first.olds
        assert (again.execution, again.root, again.seed, again.now) == (
            first.execution,
            first.root,
            first.seed,
            first.now,
        )

    def test_attempts_are_bounded(self, acme):
        put(acme, "c1")
        runs = Runs(lambda job: RunResult(error=BUSY))
        engine = supervisor(runs)

        for _ in range(bisect.MOST_ATTEMPTS + 2):
            drain(engine)
            due_now()

        assert len(runs.jobs) == bisect.MOST_ATTEMPTS
        assert statuses(acme) == {"c1": ["failed"]}

    def test_a_lane_whose_events_are_held_back_is_left_alone(self, acme):
        put(acme, "c1")
        engine = supervisor(Runs(lambda job: RunResult(error=BUSY)))
        drain(engine)
        put(acme, "c1", operation="update")

        engine.step()

        assert engine.step() is None

    def test_a_broken_jail_holds_the_batch(self, acme):
        put(acme, "c1")

        def broken(job: Any) -> RunResult:
            raise JailBroken("no zygote")

        engine = supervisor(Runs(broken))
        for _ in range(10):
            drain(engine)
            due_now()

        (execution,) = executions()
        assert (execution.status, execution.error_code) == ("queued", "governor.jail-broken")


class TestFencing:
    def test_a_worker_whose_lease_was_taken_over_commits_nothing(self, acme):
        put(acme, "c1")
        other = Runs(scoring)

        def slow(job: Any) -> RunResult:
            # While we run, our lease ends and another worker does the work.
            drain(supervisor(other, worker="other"))
            return RunResult(changes=[Change("Contact", "update", "c1", {"score": 1})])

        drain(supervisor(Runs(slow), lease_seconds=0))

        assert mirror(acme, "c1")["score"] == 7
        assert statuses(acme) == {"c1": ["succeeded"]}
        (execution,) = executions()
        assert (execution.status, execution.attempts, execution.losses) == ("succeeded", 2, 1)
        with every_tenant():
            assert Trace.objects.filter(execution=execution.code).count() == 1

    def test_the_heartbeat_tells(self, acme):
        put(acme, "c1")
        heard: list[bool] = []
        runs = Runs()

        def slow(job: Any) -> RunResult:
            heard.append(runs.heartbeat())
            with every_tenant():
                type(lane(acme)).objects.filter(pk=lane(acme).pk).update(lease_token=99)
            heard.append(runs.heartbeat())
            return RunResult(error=RunError(code="triggers.lease-lost", is_retryable=True))

        runs.answer = slow
        engine = supervisor(runs)
        engine.step()

        assert heard == [True, False]
        assert [execution.status for execution in executions()] == ["running"]

    def test_a_lost_database_gives_the_lease_back_and_tries_again(self, acme):
        put(acme, "c1")

        def flaky(job: Any) -> RunResult:
            if len(runs.jobs) == 1:
                raise OperationalError("server closed the connection unexpectedly")
            return scoring(job)

        runs = Runs(flaky)
        engine = supervisor(runs)
        engine._reconnect = lambda: bool(_give_back(engine))

        engine.serve(seconds=1)

        assert statuses(acme) == {"c1": ["succeeded"]}
        assert len(runs.jobs) == 2


class TestYielding:
    def test_a_lane_that_takes_long_lets_others_go_first(self, acme, globex, monkeypatch):
        from triggers import runner

        monkeypatch.setattr(runner, "YIELD_AFTER", 0.0)
        for number in range(4):
            put(acme, f"c{number}")
        put(globex, "g1")
        runs = Runs(lambda job: scoring(job) if len(job.records) < 4 else _raised())

        drain(supervisor(runs))

        assert runs.batches == [["c0", "c1", "c2", "c3"], ["g1"], ["c0", "c1"], ["c2", "c3"]]
        assert {said for found in statuses(acme).values() for said in found} == {"succeeded"}
        assert {execution.losses for execution in executions()} == {0}


class TestFaults:
    def test_of_ours_in_one_lane_leave_the_others_served(self, acme, globex, monkeypatch):
        from triggers import rescue

        put(acme, "c1")
        put(globex, "g1")
        resume = rescue.resume

        def faulty(cursor: Any, lease: Any, **options: Any) -> Any:
            if lease.slug == "acme":
                raise KeyError("a fault of ours")
            return resume(cursor, lease, **options)

        monkeypatch.setattr(rescue, "resume", faulty)
        drain(supervisor())

        assert statuses(globex) == {"g1": ["succeeded"]}
        assert statuses(acme) == {"c1": ["queued"]}
        assert lane(acme).lease_until is None

    def test_a_retry_names_the_release_that_ran(self, acme):
        put(acme, "c1")
        engine = supervisor(Runs(lambda job: RunResult(error=BUSY)))
        drain(engine)
        due_now()
        newer = Registry([spec()], content="fedcba9876543210")

        engine = supervisor()
        engine.zygote = Reloads()
        engine.use(newer)
        drain(engine)

        assert engine.zygote.reloads == 1
        assert executions()[0].release == newer.release


class Reloads:
    """A zygote that counts how often it was told to reload."""

    reloads = 0

    def reload(self, scripts: Any) -> None:
        self.reloads += 1


class TestErrorRate:
    def test_is_the_share_of_records_that_failed(self, acme):
        for number in range(4):
            put(acme, f"c{number}")
        outcomes = {"c0": ("failed", "", None)}
        runs = Runs(lambda job: RunResult(outcomes=outcomes))
        drain(supervisor(runs))
        put(acme, "c9")

        drain(supervisor(runs))

        assert [job.error_rate for job in runs.jobs] == [0.0, 0.25]


class TestOddValues:
    """Nothing that a CRM or a script puts into a record keeps its lane from being served."""

    def test_a_number_beyond_64_bits_is_read_again_as_it_was_sent(self, acme):
        put(acme, "c1", customFields=[{"id": "big", "value": 1e30}])
        runs = Runs(scoring)
        drain(supervisor(runs))
        put(acme, "c1", operation="update", firstName="Grace")

        drain(supervisor(runs))

        assert statuses(acme) == {"c1": ["succeeded", "succeeded"]}
        assert runs.jobs[1].olds[0]["custom_fields"] == {"big": 1e30}
        assert type(runs.jobs[1].records[0]["custom_fields"]["big"]) is float

    @pytest.mark.parametrize("dies_first", [False, True])
    def test_custom_fields_may_change_their_shape(self, acme, dies_first):
        now = datetime.now(UTC)
        engine = supervisor(Runs(), spec("T.all", object="Widget"))
        put(acme, "w1", obj="Widget", customFields=["a", "b"], occurred_at=now - timedelta(minutes=2))
        drain(engine)
        # The second one is older than what the mirror holds, the third is newer.
        put(acme, "w1", obj="Widget", customFields={"a": 1}, occurred_at=now - timedelta(minutes=3))
        put(acme, "w1", obj="Widget", customFields={"a": 1}, occurred_at=now - timedelta(minutes=1))

        if dies_first:

            def dies(job: Any) -> RunResult:
                raise KeyboardInterrupt

            for _ in range(2):
                with suppress(KeyboardInterrupt):
                    drain(supervisor(Runs(dies), spec("T.all", object="Widget")))
                with every_tenant():
                    Lane.objects.update(lease_until=None)
        drain(engine)

        with every_tenant():
            assert not LiveEvent.objects.exists()


class TestForgedCodes:
    """A script may raise any code; only the platform's own word moves the engine."""

    @pytest.mark.parametrize("code", ["governor.jail-broken", "triggers.lease-lost"])
    def test_are_a_scripts_failure_like_any_other(self, acme, code):
        put(acme, "c1")
        runs = Runs(lambda job: RunResult(error=RunError(code=code, detail="so I say")))

        drain(supervisor(runs))

        assert statuses(acme) == {"c1": ["failed"]}
        assert lane(acme).lease_until is None


class TestServe:
    def test_waits_for_a_batch_that_fills(self, acme):
        put(acme, "c1", age=0.1)
        put(acme, "c2", age=0.0)
        runs = Runs()

        assert supervisor(runs).serve(seconds=5) is False

        assert runs.batches == [["c1", "c2"]]

    def test_says_when_work_is_left(self, acme):
        put(acme, "c1")
        put(acme, "c1", operation="update")

        assert supervisor().serve(seconds=0) is True

    def test_a_trigger_that_is_gone_fails_its_batch(self, acme):
        put(acme, "c1")
        engine = supervisor(Runs(lambda job: RunResult(error=BUSY)))
        drain(engine)
        due_now()

        drain(supervisor(Runs(), spec("Other.one")))

        (execution,) = executions()
        assert (execution.status, execution.error_code) == ("failed", "triggers.unknown-trigger")


def _raised() -> RunResult:
    return RunResult(error=RunError(code="script.raised", detail="boom"))


def _give_back(engine: Any) -> int:
    from django.db import connection

    from triggers import lanes

    with connection.cursor() as cursor:
        return lanes.release(cursor, engine._lease, is_served=False)
