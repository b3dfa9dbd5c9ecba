"""Sizing: the runner learns a trigger's calls, and gives it as many records as it has room for."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest
from django.db import connection

from governor import broker
from governor.jail.supervisor import Zygote
from governor.job import RunError, RunResult
from governor.models import TriggerProfile
from governor.profiles import Profile
from logs.models import Trace
from tenants.scope import every_tenant
from tests.triggers.engine import Runs, drain, executions, put, scoring, spec, statuses, supervisor
from triggers import registry, sizing, work
from triggers.choices import Mode
from triggers.config import Wanted
from triggers.models import TriggerConfig
from triggers.runner import Supervisor
from triggers.sizing import Profiles
from triggers.work import Member

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SCRIPT = '''
"""Asks once for each record."""
from circuitos import CircuitTrigger, http, trigger


class Asking(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def each(self, context):
        for record in context.new_records:
            http.get(f"{url}?id={{record.id}}")
'''


def asking(calls_of, *, limit=50, most=50):
    """A run that makes ``calls_of(records)`` calls, up to the limit."""

    def answer(job):
        calls = calls_of(len(job.records))
        if calls <= limit:
            result = scoring(job)
            result.usage = {"api_calls": [calls, most]}
            return result
        error = RunError(code="governor.limit-exceeded", limit="api_calls", used=limit + 1, max=limit)
        return RunResult(error=error, usage={"api_calls": [limit + 1, limit]})

    return Runs(answer)


def put_many(tenant, count, prefix):
    for number in range(count):
        put(tenant, f"{prefix}{number}")


def sizes_of(runs):
    return [len(job.records) for job in runs.jobs]


def rows(tenant):
    with every_tenant():
        return list(TriggerProfile.objects.filter(tenant=tenant))


def notes_of(execution):
    with every_tenant():
        trace = Trace.objects.get(execution=execution.code)
    return [entry["message"] for entry in trace.entries if entry.get("source") == "governor"]


class TestInTheJail:
    @pytest.mark.timeout(180)
    def test_one_call_a_record_is_sized_after_the_first_batch(
        self, acme, globex, tmp_path, httpserver, settings
    ):
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        httpserver.expect_request("/ask").respond_with_data("fine")
        (tmp_path / "asking.py").write_text(SCRIPT.format(url=httpserver.url_for("/ask")))
        scripts = registry.load([tmp_path])
        put_many(globex, 1, "g")
        put_many(acme, 200, "a")

        with closing(Zygote(scripts.paths)) as zygote:
            engine = Supervisor(registry=scripts, zygote=zygote, run=broker.run, worker="test-worker")
            drain(engine)
            first = executions(acme)
            put_many(acme, 200, "b")
            drain(engine)

        assert first[0].status == "bisected"
        assert first[0].limit_name == "api_calls"
        later = executions(acme)[len(first) :]
        assert {execution.status for execution in later} == {"succeeded"}
        assert [execution.size for execution in later] == [40] * 5
        assert {said for found in statuses(acme).values() for said in found} == {"succeeded"}
        assert [notes_of(execution) for execution in later] == [
            [f"Batch sized to 40 of {left} records: 1.0 API calls a record, 80 % of 50."]
            for left in (200, 160, 120, 80)
        ] + [["API calls: 40 of 50 requests, 80%."]]
        assert not any("sized" in said for execution in first for said in notes_of(execution))
        # Nothing was asked twice: what a half had been answered before came from the journal.
        assert len(httpserver.log) == 401
        (profile,) = rows(acme)
        assert profile.smallest_breach > 40
        assert [(each.largest_ok, each.smallest_breach) for each in rows(globex)] == [(1, 0)]


class TestBatches:
    def test_another_worker_knows_at_once(self, acme, globex):
        put_many(acme, 200, "a")
        drain(supervisor(asking(lambda size: size)))
        put_many(acme, 100, "b")
        put_many(globex, 100, "g")
        runs = asking(lambda size: size)

        drain(supervisor(runs, worker="another"))

        of_acme = [len(batch) for batch in runs.batches if batch[0].startswith("b")]
        assert of_acme == [40, 40, 20]
        of_globex = [len(batch) for batch in runs.batches if batch[0].startswith("g")]
        assert of_globex[0] == 100

    def test_a_trigger_with_one_call_for_all_keeps_full_batches(self, acme, globex):
        runs = asking(lambda size: 1)
        engine = supervisor(runs)
        for size in (1, 3, 20, 200, 200):
            put_many(acme, size, f"r{len(runs.jobs)}-")
            drain(engine)

        assert sizes_of(runs) == [1, 3, 20, 200, 200]
        assert rows(globex) == []

    def test_a_trigger_without_calls_costs_nothing(self, acme, globex):
        put_many(acme, 2, "a")
        engine = supervisor(Runs(scoring))

        drain(engine)

        assert rows(acme) == rows(globex) == []

    def test_of_several_triggers_the_smallest_rules_and_each_says_so(self, acme):
        put_many(acme, 200, "a")
        asks = asking(lambda size: size)
        runs = Runs(lambda job: asks.answer(job) if job.spec.name == "A.asks" else scoring(job))
        engine = supervisor(runs, spec("A.asks"), spec("B.quiet"))
        drain(engine)
        put_many(acme, 60, "b")

        before = len(executions(acme))
        drain(engine)

        later = executions(acme)[before:]
        assert [(each.trigger, each.size) for each in later] == [
            *(("A.asks", 40), ("B.quiet", 40), ("A.asks", 20), ("B.quiet", 20))
        ]
        assert notes_of(later[0]) == ["Batch sized to 40 of 60 records: 1.0 API calls a record, 80 % of 50."]
        assert notes_of(later[1]) == [
            "Batch sized to 40 of 60 records for A.asks: 1.0 API calls a record, 80 % of 50."
        ]

    def test_a_trigger_switched_off_restricts_nobody(self, acme):
        put_many(acme, 200, "a")
        asks = asking(lambda size: size)
        runs = Runs(lambda job: asks.answer(job) if job.spec.name == "A.asks" else scoring(job))
        specs = (spec("A.asks"), spec("B.quiet"))
        drain(supervisor(runs, *specs))
        TriggerConfig.objects.create(tenant=acme, trigger="A.asks", is_enabled=False)
        put_many(acme, 60, "b")
        runs.jobs.clear()

        drain(supervisor(runs, *specs))

        assert sizes_of(runs) == [60]


class TestLearn:
    @pytest.fixture
    def learn(self, acme, globex):
        def go(result, *, mode=Mode.LIVE, size=40):
            members = [Member(n, work.new_code(), f"c{n}", None, NOW) for n in range(size)]
            done = work.create(trigger="T.t", operation="insert", release="r", members=members, at=NOW)
            done.mode = mode
            with connection.cursor() as cursor:
                Profiles().learn(cursor, acme.pk, done, result=result, at=NOW)
            assert rows(globex) == []
            return rows(acme)

        return go

    def test_calls_answered_from_the_journal_were_needed_too(self, learn):
        result = RunResult(
            usage={"api_calls": [10, 50]},
            effects=[{"op": "http", "reused": True}] * 30 + [{"op": "http"}] * 10,
        )

        (row,) = learn(result)

        assert (row.x, row.y) == (40, 40)

    @pytest.mark.parametrize("mode", [Mode.DRY, Mode.RECORDED])
    def test_calls_not_made_teach_nothing(self, learn, mode):
        assert learn(RunResult(usage={"api_calls": [40, 50]}), mode=mode) == []

    def test_an_execution_that_broke_off_teaches_nothing(self, learn):
        assert learn(RunResult(error=RunError(code="script.raised"), usage={"api_calls": [4, 50]})) == []

    def test_the_limit_reached_is_learned(self, learn):
        error = RunError(code="governor.limit-exceeded", limit="api_calls")

        (row,) = learn(RunResult(error=error, usage={"api_calls": [51, 50]}))

        assert (row.smallest_breach, row.largest_ok, row.n) == (40, 0, 0)

    def test_a_row_is_written_over(self, learn):
        learn(RunResult(usage={"api_calls": [4, 50]}))

        (row,) = learn(RunResult(usage={"api_calls": [8, 50]}), size=80)

        assert (row.n, row.largest_ok) == (1.7, 80)


class TestSize:
    def test_the_triggers_own_limit_is_the_measure(self):
        known = {"T.score": Profile(n=1, x=10, y=10, xx=100, xy=100, smallest_breach=60, largest_ok=40)}
        wanted = [Wanted(spec(limits={"api_calls": 10}), 0, {})]

        assert sizing.size(known, wanted, most=200, limit_of=sizing.declared).size == 8
        assert sizing.size(known, wanted, most=200, limit_of=lambda _: 20).size == 16
