"""Rescue: a dead worker's executions run again with exactly their members, and not for ever."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from governor.job import RunError, RunResult
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    events,
    executions,
    lane,
    poisoned_by,
    put,
    scoring,
    spec,
    statuses,
    supervisor,
)
from triggers import bisect, lanes, rescue
from triggers.models import Execution, Lane

BROKEN = RunError(code="governor.jail-broken", detail="no jail", is_retryable=True)


class Died(BaseException):
    """The worker is gone."""


def dies(*record_ids: str) -> Any:
    def answer(job: Any) -> RunResult:
        if not record_ids or any(record["id"] in record_ids for record in job.records):
            raise Died
        return scoring(job)

    return answer


def die(runs: Runs, *specs: Any) -> None:
    """A worker that dies in its run; its lease ends at once."""
    with pytest.raises(Died):
        supervisor(runs, *specs, worker="dead", lease_seconds=0).step()


class TestResume:
    def test_runs_exactly_the_members(self, acme):
        put(acme, "c1", firstName="One")
        put(acme, "c2")
        runs = Runs(dies())
        die(runs)
        put(acme, "c3")
        runs.answer = scoring

        drain(supervisor(runs))

        assert runs.batches == [["c1", "c2"], ["c1", "c2"], ["c3"]]
        assert runs.jobs[1].execution == runs.jobs[0].execution
        assert runs.jobs[1].records == runs.jobs[0].records
        first, _ = executions()
        assert (first.status, first.attempts, first.losses) == ("succeeded", 2, 1)
        assert statuses(acme) == {"c1": ["succeeded"], "c2": ["succeeded"], "c3": ["succeeded"]}

    def test_goes_on_after_the_triggers_that_were_settled(self, acme):
        put(acme, "c1")

        def answer(job: Any) -> RunResult:
            if job.spec.name == "B.b" and len(runs.jobs) == 2:
                raise Died
            if job.spec.name == "A.a":
                return RunResult(error=RunError(code="script.raised", detail="boom"))
            return scoring(job)

        runs = Runs(answer)
        die(runs, spec("A.a"), spec("B.b"))

        drain(supervisor(runs, spec("A.a"), spec("B.b")))

        assert [job.spec.name for job in runs.jobs] == ["A.a", "B.b", "B.b"]
        (event,) = events(acme)["c1"]
        assert (event.status, event.error["trigger"]) == ("failed", "A.a")

    def test_the_parts_of_a_split_batch_go_on_too(self, acme):
        for number in range(4):
            put(acme, f"c{number}")

        def answer(job: Any) -> RunResult:
            if len(runs.jobs) == 3:
                raise Died
            return poisoned_by("c3")(job)

        runs = Runs(answer)
        die(runs)

        drain(supervisor(runs))

        assert statuses(acme) == {
            "c0": ["succeeded"],
            "c1": ["succeeded"],
            "c2": ["succeeded"],
            "c3": ["failed"],
        }

    def test_an_event_that_fits_no_more_is_quarantined(self, acme, monkeypatch):
        from triggers import members
        from triggers.work import Verdict

        put(acme, "c1")
        put(acme, "c2")
        runs = Runs(dies())
        die(runs)
        runs.answer = scoring
        normalise = members.normalise

        def stricter(row: Any, lease: Any) -> Any:
            if row.record_id == "c1":
                raise members.Unfit(Verdict("quarantined", "triggers.misfit", "no more"))
            return normalise(row, lease)

        monkeypatch.setattr(members, "normalise", stricter)
        drain(supervisor(runs))

        assert runs.batches[-1] == ["c2"]
        assert statuses(acme) == {"c1": ["quarantined"], "c2": ["succeeded"]}


class TestMany:
    def test_are_resumed_a_few_at_a_time_and_all_in_their_order(self, acme, monkeypatch):
        monkeypatch.setattr(rescue, "MOST_RESUMED", 3)
        runs = Runs(lambda job: RunResult(error=BROKEN))
        for number in range(5):
            put(acme, f"a{number}")
            put(acme, f"b{number}")
            drain(supervisor(runs))
        with every_tenant():
            Execution.objects.update(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
        with connection.cursor() as cursor:
            lease, _ = lanes.take(cursor, worker="w")
            assert lease is not None
            assert [work.size for work in rescue.resume(cursor, lease).works] == [2]
            lanes.release(cursor, lease, is_served=False)

        runs = Runs(scoring)
        drain(supervisor(runs))

        assert runs.batches == [[f"a{number}", f"b{number}"] for number in range(5)]


class TestLosses:
    def test_a_record_that_kills_every_worker_is_a_dead_letter(self, acme):
        put(acme, "c1")
        runs = Runs(dies())
        for _ in range(bisect.MOST_LOSSES + 1):
            die(runs)

        drain(supervisor(runs))

        assert len(runs.jobs) == bisect.MOST_LOSSES + 1
        (event,) = events(acme)["c1"]
        assert (event.status, event.reason) == ("failed", "triggers.worker-lost")

    def test_in_a_batch_it_is_found_by_halving(self, acme):
        for number in range(4):
            put(acme, f"c{number}")
        runs = Runs(dies("c2"))

        for _ in range(30):
            try:
                drain(supervisor(runs, lease_seconds=0))
            except Died:
                continue
            break

        assert statuses(acme) == {
            "c0": ["succeeded"],
            "c1": ["succeeded"],
            "c2": ["failed"],
            "c3": ["succeeded"],
        }


class TestFreeDead:
    def test_takes_back_what_a_dead_neighbour_leased(self, acme):
        put(acme)
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        name = lanes.worker_name(child.pid)
        with connection.cursor() as cursor:
            lanes.take(cursor, worker=name)
            assert rescue.free_dead(cursor) == 0

            child.communicate()

            assert rescue.free_dead(cursor) == 1
            assert lanes.take(cursor, worker="next")[0] is not None

    def test_leaves_workers_elsewhere_alone(self, acme):
        put(acme)
        with connection.cursor() as cursor:
            lanes.take(cursor, worker="elsewhere:12345678:1:1")

            assert rescue.free_dead(cursor) == 0


class TestUnpark:
    def test_opens_lanes_whose_time_came(self, acme, globex):
        put(acme)
        put(globex)
        past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
        with every_tenant():
            Lane.objects.filter(tenant=acme).update(parked_reason="quota", parked_until=past)
            Lane.objects.filter(tenant=globex).update(parked_reason="quota", parked_until=future)

        with connection.cursor() as cursor:
            assert rescue.unpark(cursor) == 1

        assert lane(acme).parked_reason == ""
        assert lane(globex).parked_reason == "quota"
