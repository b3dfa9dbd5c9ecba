"""Bisecting: what becomes of a run that failed, down to the poison record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from governor.job import RunError, RunResult
from logs import traces
from tenants.ids import new_code
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    events,
    executions,
    mirror,
    poisoned_by,
    put,
    scoring,
    statuses,
    supervisor,
)
from triggers import bisect, work
from triggers.bisect import Family
from triggers.work import Member, Verdict

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def make_work(size: int, *, attempts: int = 1) -> work.Work:
    members = [Member(number, new_code(), f"c{number}", None, NOW) for number in range(size)]
    made = work.create(trigger="T.t", operation="insert", release="r", members=members, at=NOW)
    made.attempts = attempts
    return made


def decide(size: int, error: RunError | None, *, attempts: int = 1, family: Family | None = None, **result):
    return bisect.decide(
        make_work(size, attempts=attempts),
        RunResult(error=error, **result),
        family=lambda: family or Family(),
    )


RAISED = RunError(code="script.raised", detail="boom")
BUSY = RunError(code="governor.callout-failed", detail="429", is_retryable=True)
TOO_SLOW = RunError(code="governor.limit-exceeded", detail="wall", limit="wall_ms", used=30_001, max=30_000)


class TestBackoff:
    @pytest.mark.parametrize("attempts", [1, 1_100, 32_000])
    def test_ends_at_a_minute_however_long_it_takes(self, attempts):
        assert 0 < bisect.backoff(attempts) <= bisect.LONGEST_BACKOFF * 1.2


class TestDecide:
    def test_without_an_error_each_record_has_its_outcome(self):
        ending = decide(
            4,
            None,
            outcomes={
                "c1": ("failed", "no phone", None),
                "c2": ("skipped", "when", None),
                "c3": ("quarantined", "schema", [{"field": "email", "reason": "missing"}]),
            },
        )

        assert ending.status == "partial"
        assert [verdict.status for verdict in ending.verdicts.values()] == [
            "ok",
            "failed",
            "skipped",
            "quarantined",
        ]
        assert ending.verdicts["c1"] == Verdict("failed", bisect.RECORD_FAILED, "no phone")

    def test_records_that_were_all_skipped_are_a_success(self):
        assert decide(1, None, outcomes={"c0": ("skipped", "", None)}).status == "succeeded"

    def test_records_that_all_failed_are_a_failure(self):
        assert decide(1, None, outcomes={"c0": ("failed", "x", None)}).status == "failed"

    def test_a_batch_is_halved(self):
        ending = decide(5, RAISED)

        assert ending.status == "bisected"
        assert [len(part) for part in ending.parts] == [3, 2]
        assert ending.verdicts == {}

    def test_a_single_record_is_a_dead_letter(self):
        ending = decide(1, RAISED)

        assert ending.status == "failed"
        assert ending.verdicts == {"c0": Verdict("failed", "script.raised", "boom")}

    def test_a_record_the_schema_refused_is_no_dead_letter(self):
        ending = decide(1, RAISED, outcomes={"c0": ("quarantined", "schema", [])})

        assert ending.verdicts["c0"].status == "quarantined"

    def test_what_may_pass_is_tried_again_whole(self):
        ending = decide(200, BUSY)

        assert ending.status == "queued"
        assert ending.retry_in is not None
        assert not ending.parts

    def test_what_was_tried_often_enough_is_split_then_given_up(self):
        assert decide(2, BUSY, attempts=bisect.MOST_ATTEMPTS).status == "bisected"
        assert decide(1, BUSY, attempts=bisect.MOST_ATTEMPTS).status == "failed"

    def test_a_broken_jail_is_no_records_fault(self):
        broken = RunError(code="governor.jail-broken", is_retryable=True)

        assert decide(200, broken, attempts=50).retry_in is not None

    def test_a_trigger_that_is_gone_fails_the_batch_whole(self):
        assert decide(9, RunError(code="triggers.unknown-trigger")).status == "failed"

    def test_halves_that_come_to_the_same_limit_end_the_splitting(self):
        ending = decide(50, TOO_SLOW, family=Family(parts=2, sibling_limit="wall_ms"))

        assert ending.status == "failed"
        assert ending.gives_up

    def test_halves_that_come_to_different_limits_do_not(self):
        assert decide(50, TOO_SLOW, family=Family(parts=2, sibling_limit="cpu_ms")).status == "bisected"

    def test_a_counted_limit_is_split_on(self):
        calls = RunError(code="governor.limit-exceeded", limit="api_calls")

        assert decide(50, calls, family=Family(parts=2, sibling_limit="api_calls")).status == "bisected"

    def test_a_batch_is_split_into_so_many_parts_and_no_more(self):
        ending = decide(4, RAISED, family=Family(parts=bisect.MOST_PARTS - 1))

        assert ending.status == "failed"
        assert ending.code == bisect.EXHAUSTED
        assert ending.count("failed") == 4

    @pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (9, 60)])
    def test_the_pause_doubles(self, attempts, seconds):
        assert seconds * 0.8 <= bisect.backoff(attempts) <= seconds * 1.2


class TestPoison:
    def test_one_in_200_is_the_only_dead_letter(self, acme):
        for number in range(200):
            put(acme, f"c{number}")
        runs = Runs(poisoned_by("c77"))

        drain(supervisor(runs))

        found = statuses(acme)
        assert [record for record, said in found.items() if said != ["succeeded"]] == ["c77"]
        assert found["c77"] == ["failed"]
        assert mirror(acme, "c78")["score"] == 7
        assert "score" not in mirror(acme, "c77")
        assert len(runs.jobs) <= 17
        # No record that succeeded was run again.
        settled = [record for batch in runs.batches if "c77" not in batch for record in batch]
        assert len(settled) == len(set(settled)) == 199

    def test_its_trace_says_why_and_its_parents_keep_theirs(self, acme):
        for number in range(4):
            put(acme, f"c{number}")

        drain(supervisor(Runs(poisoned_by("c2"))))

        root, *parts = executions()
        assert root.status == "bisected"
        assert {part.root for part in parts} == {root.code}
        assert [(part.parent_id == root.pk, part.status, part.size) for part in parts[:2]] == [
            (True, "succeeded", 2),
            (True, "bisected", 2),
        ]
        poison = next(part for part in parts if part.record_ids == ["c2"])
        assert (poison.status, poison.error_code, poison.failed) == ("failed", "script.raised", 1)
        with every_tenant():
            for execution in (root, poison):
                trace = traces.of_execution(execution.code, since=execution.created_at)
                assert trace.error["traceback"] == "Traceback…"
        (event,) = events(acme)["c2"]
        assert event.error["detail"] == "poison"
        assert event.error["trigger"] == "T.score"

    def test_the_next_trigger_runs_after_all_parts_over_the_whole_batch(self, acme):
        from tests.triggers.engine import spec

        for number in range(4):
            put(acme, f"c{number}")

        def answer(job):
            return poisoned_by("c1")(job) if job.spec.name == "A.a" else scoring(job)

        runs = Runs(answer)
        drain(supervisor(runs, spec("A.a"), spec("B.b")))

        assert [job.spec.name for job in runs.jobs] == ["A.a"] * 5 + ["B.b"]
        assert len(runs.jobs[-1].records) == 4
        assert statuses(acme)["c1"] == ["failed"]
        assert statuses(acme)["c0"] == ["succeeded"]

    def test_many_poisons_end_within_the_bound(self, acme):
        for number in range(200):
            put(acme, f"c{number}")
        poisons = [f"c{number}" for number in range(0, 200, 5)]
        runs = Runs(poisoned_by(*poisons))

        drain(supervisor(runs))

        assert len(runs.jobs) <= bisect.MOST_PARTS + 1
        found = statuses(acme)
        assert all(found[record] == ["failed"] for record in poisons)
        assert any(execution.error_code == bisect.EXHAUSTED for execution in executions())

    def test_a_batch_too_heavy_in_both_halves_is_given_up_early(self, acme):
        for number in range(200):
            put(acme, f"c{number}")
        runs = Runs(lambda job: RunResult(error=TOO_SLOW))

        drain(supervisor(runs))

        assert len(runs.jobs) == 3
        assert {said for found in statuses(acme).values() for said in found} == {"failed"}
        assert {execution.status for execution in executions()} == {"bisected", "failed"}
