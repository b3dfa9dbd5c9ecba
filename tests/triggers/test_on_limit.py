"""``on_limit`` in the engine: once, for what fails for good, and committed with its end."""

from __future__ import annotations

import pytest

from governor.job import RunError, RunResult
from logs.document import trace_document
from logs.models import Trace
from tenants.records.store import Change
from tenants.scope import every_tenant
from tests.triggers.engine import Runs, drain, executions, mirror, put, scoring, spec, statuses, supervisor

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = RunError(code="governor.limit-exceeded", type="LimitExceeded", detail="Too much.", limit="api_calls")


def over_the_limit_with(*record_ids):
    """Comes to a limit with these records; ``on_limit`` marks them."""

    def answer(job):
        if job.ended_by:
            changes = [Change("Contact", "update", record["id"], {"stopped": True}) for record in job.records]
            return RunResult(changes=changes, entries=[{"level": "warning", "message": "stopped"}])
        if any(record["id"] in record_ids for record in job.records):
            return RunResult(error=LIMIT)
        return scoring(job)

    return answer


def finishers(runs):
    return [[record["id"] for record in job.records] for job in runs.jobs if job.ended_by]


class TestOnLimit:
    def test_runs_for_the_part_that_fails_for_good_and_for_no_other(self, acme, globex):
        runs = Runs(over_the_limit_with("c2"))
        for record_id in ("c1", "c2", "c3"):
            put(acme, record_id)
        put(globex, "c2")

        drain(supervisor(runs, spec(has_on_limit=True)))

        assert sorted(finishers(runs)) == [["c2"], ["c2"]]  # one tenant's, and the other's
        assert statuses(acme) == {"c1": ["succeeded"], "c2": ["failed"], "c3": ["succeeded"]}
        assert statuses(globex) == {"c2": ["failed"]}

    def test_what_it_changed_is_committed_with_the_failure(self, acme):
        put(acme, "c1")

        drain(supervisor(Runs(over_the_limit_with("c1")), spec(has_on_limit=True)))

        assert statuses(acme) == {"c1": ["failed"]}
        assert mirror(acme, "c1")["stopped"] is True
        (execution,) = executions(acme)
        assert (execution.status, execution.limit_name) == ("failed", "api_calls")
        with every_tenant():
            document = trace_document(execution, trace=Trace.objects.get(execution=execution.code))
        assert "stopped" in str(document["entries"])
        assert document["sentence"].endswith("Nothing was committed but what on_limit asked for.")

    def test_is_told_what_ended_it(self, acme):
        runs = Runs(over_the_limit_with("c1"))
        put(acme, "c1")

        drain(supervisor(runs, spec(has_on_limit=True)))

        (told,) = [job.ended_by for job in runs.jobs if job.ended_by]
        assert (told["limit"], told["detail"]) == ("api_calls", "Too much.")
        (limits,) = [job.limits for job in runs.jobs if job.ended_by]
        assert (limits["api_calls"], limits["wall_ms"]) == (2, 2_000)

    def test_a_class_without_one_has_none(self, acme):
        runs = Runs(over_the_limit_with("c1"))
        put(acme, "c1")

        drain(supervisor(runs, spec()))

        assert finishers(runs) == []
        assert "stopped" not in mirror(acme, "c1")

    def test_one_that_fails_leaves_the_failure_as_it_was(self, acme):
        def answer(job):
            if job.ended_by:
                return RunResult(error=RunError(code="script.raised", detail="no"), changes=[])
            return RunResult(error=LIMIT)

        put(acme, "c1")

        drain(supervisor(Runs(answer), spec(has_on_limit=True)))

        (execution,) = executions(acme)
        assert (execution.status, execution.limit_name) == ("failed", "api_calls")
        with every_tenant():
            document = trace_document(execution, trace=Trace.objects.get(execution=execution.code))
        assert document["sentence"].endswith("Nothing was committed; on_limit failed too.")
