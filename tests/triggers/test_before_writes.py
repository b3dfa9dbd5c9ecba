"""``before`` triggers: they change or stop what our scripts are about to write, and nothing leaves before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from governor.job import RunError, RunResult
from tenants.records.store import Change
from tenants.scope import every_tenant
from tenants.secrets import unseal
from tests.triggers.engine import Runs, drain, executions, mirror, put, spec, statuses, supervisor
from triggers.models import LiveEvent, OutboxWrite, TriggerConfig

if TYPE_CHECKING:
    from governor.job import Job
    from tenants.models import Connection, Tenant
    from triggers.registry import TriggerSpec

pytestmark = pytest.mark.django_db


def guard(name: str = "Guard.check", *operations: str, **fields: Any) -> TriggerSpec:
    """A trigger on Contact, before these operations (update when none is named)."""
    made = spec(name, *(operations or ("update",)), **fields)
    return replace(made, events=tuple(event.replace("after", "before") for event in made.events))


def run(
    tenant: Tenant, linked: Connection | None, answer: Any, *specs: TriggerSpec, records: int = 1
) -> Runs:
    """Contacts c1 … come in and are scored; ``answer`` is what a ``before`` trigger says."""

    def either(job: Job) -> RunResult:
        if job.timing == "before":
            said: RunResult = answer(job)
            return said
        return RunResult(
            changes=[Change("Contact", "update", record["id"], {"score": 90}) for record in job.records],
            outcomes={record["id"]: ("ok", "", None) for record in job.records},
        )

    for number in range(1, records + 1):
        event = put(tenant, f"c{number}", city="Plano")
        if linked is not None:
            with every_tenant():
                LiveEvent.objects.filter(pk=event.pk).update(connection=linked)
    runs = Runs(either)
    drain(supervisor(runs, spec(), *(specs or (guard(),))))
    return runs


def fine(job: Job, **fields: Any) -> RunResult:
    """All may be written, with these fields set."""
    ids = [record["id"] for record in job.records]
    return RunResult(
        outcomes=dict.fromkeys(ids, ("ok", "", None)), fields={one: fields for one in ids if fields}
    )


def stopped(*ids: str, status: str = "skipped") -> Any:
    """These may not."""

    def answer(job: Job) -> RunResult:
        said = fine(job)
        return replace(said, outcomes=said.outcomes | dict.fromkeys(ids, (status, "no consent", None)))

    return answer


def written(tenant: Tenant) -> dict[str, dict[str, Any]]:
    with every_tenant():
        found = OutboxWrite.objects.order_by("id")
        return {
            each.record_id: msgspec.msgpack.decode(
                unseal(each.sealed, context=f"outbox:{tenant.pk}:{each.code}")
            )
            for each in found
        }


class TestAsking:
    def test_it_sees_the_record_as_it_will_be_and_as_it_was(self, acme, globex, acme_ghl):
        runs = run(acme, acme_ghl, fine)

        asked = runs.jobs[-1]
        assert (asked.timing, asked.operation, asked.object) == ("before", "update", "Contact")
        assert (asked.records[0]["score"], asked.records[0]["city"]) == (90, "Plano")
        assert asked.olds[0] is not None
        assert "score" not in asked.olds[0]
        assert asked.depth == 1
        assert (asked.limits["api_calls"], asked.limits["ai_tokens"]) == (0, 0)
        assert written(acme) == {"c1": {"score": 90}}
        with every_tenant():
            assert not OutboxWrite.objects.filter(tenant=globex).exists()

    def test_what_it_sets_goes_to_the_mirror_and_to_the_crm(self, acme, acme_ghl):
        run(acme, acme_ghl, lambda job: fine(job, score=80, checked=True))

        assert written(acme) == {"c1": {"score": 80, "checked": True}}
        assert mirror(acme, "c1")["score"] == 80

    def test_several_run_in_order_and_each_sees_what_the_one_before_set(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            return fine(job, score=job.records[0]["score"] + 1)

        run(acme, acme_ghl, answer, guard("A.first", order=1), guard("B.second", order=2))

        assert written(acme) == {"c1": {"score": 92}}

    def test_batches_are_of_its_own_size(self, acme, acme_ghl):
        runs = run(acme, acme_ghl, fine, guard(batch_size=2), records=5)

        sizes = [len(job.records) for job in runs.jobs if job.timing == "before"]
        assert sizes == [2, 2, 1]

    def test_without_one_nothing_is_asked(self, acme, acme_ghl):
        runs = run(acme, acme_ghl, fine, guard("Guard.check", "delete"))

        assert [job.timing for job in runs.jobs] == ["after"]

    def test_one_that_is_paused_is_not_asked(self, acme, acme_ghl):
        with every_tenant():
            TriggerConfig.objects.create(
                tenant=acme, trigger="Guard.check", paused_until=datetime.now(UTC) + timedelta(hours=1)
            )

        runs = run(acme, acme_ghl, stopped("c1"))

        assert [job.timing for job in runs.jobs] == ["after"]


class TestStopping:
    def test_skip_stops_the_write_and_nothing_else(self, acme, acme_ghl):
        run(acme, acme_ghl, stopped("c1"), records=2)

        assert written(acme) == {"c2": {"score": 90}}
        assert "score" not in mirror(acme, "c1")
        assert statuses(acme) == {"c1": ["succeeded"], "c2": ["succeeded"]}

    def test_fail_fails_the_record_too(self, acme, acme_ghl):
        run(acme, acme_ghl, stopped("c1", status="failed"), records=2)

        assert written(acme) == {"c2": {"score": 90}}
        assert statuses(acme) == {"c1": ["failed"], "c2": ["succeeded"]}

    def test_a_stopped_write_is_no_matter_of_the_next_trigger(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            return stopped("c1")(job) if job.spec.name == "A.first" else fine(job)

        runs = run(acme, acme_ghl, answer, guard("A.first", order=1), guard("B.second", order=2))

        assert [job.spec.name for job in runs.jobs if job.timing == "before"] == ["A.first"]

    def test_a_record_that_its_when_did_not_want_is_written(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            return RunResult(outcomes={record["id"]: ("skipped", "when", None) for record in job.records})

        run(acme, acme_ghl, answer)

        assert written(acme) == {"c1": {"score": 90}}

    def test_an_exception_fails_the_execution_and_nothing_is_stored(self, acme, acme_ghl):
        error = RunError(code="script.raised", type="ValueError", detail="bad", limit="cpu_ms")
        run(acme, acme_ghl, lambda job: RunResult(error=error))

        (execution,) = executions(acme)
        assert (execution.status, execution.error_code) == ("failed", "triggers.before-failed")
        assert execution.error_detail == "Guard.check, before the write: bad"
        assert written(acme) == {}
        assert "score" not in mirror(acme, "c1")

    def test_an_exception_over_one_record_spares_the_others(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            if any(record["id"] == "c2" for record in job.records):
                return RunResult(error=RunError(code="script.raised", type="ValueError", detail="bad"))
            return fine(job)

        run(acme, acme_ghl, answer, records=4)

        assert sorted(written(acme)) == ["c1", "c3", "c4"]
        assert statuses(acme)["c2"] == ["failed"]


class TestCascade:
    def test_what_it_writes_passes_the_others_one_level_deeper(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            said = fine(job)
            if job.operation == "update":
                said.changes = [Change("Contact", "insert", "made", {"email": "m@example.test"})]
            return said

        runs = run(acme, acme_ghl, answer, guard("Guard.check", "insert", "update"))

        asked = [(job.operation, job.depth) for job in runs.jobs if job.timing == "before"]
        assert asked == [("update", 1), ("insert", 2)]
        assert sorted(written(acme)) == ["c1", "made"]

    def test_one_that_goes_on_for_ever_ends_at_the_depth_limit(self, acme, acme_ghl):
        def answer(job: Job) -> RunResult:
            if job.depth > job.limits["depth"]:  # as the broker says it
                return RunResult(
                    error=RunError(code="governor.limit-exceeded", detail="too deep", limit="depth")
                )
            said = fine(job)
            said.changes = [
                Change("Contact", "update", record["id"], {"n": job.depth}) for record in job.records
            ]
            return said

        runs = run(acme, acme_ghl, answer)

        assert max(job.depth for job in runs.jobs) == 17
        assert executions(acme)[0].error_code == "triggers.before-failed"
        assert written(acme) == {}
