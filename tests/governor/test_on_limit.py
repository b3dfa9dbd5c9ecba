"""``on_limit`` in the jail: a last word on a small budget, whatever ended the handler."""

from __future__ import annotations

from dataclasses import replace

import pytest

from circuitos.script.loading import spec_of
from governor import on_limit
from governor.broker import RunError, RunResult, run
from governor.job import LIVE
from governor.verdict import LEASE_LOST
from tests.governor.conftest import make_job


@pytest.fixture
def finish(zygote, acme):
    def go(handler, *, mode=LIVE, **limits):
        job = make_job(acme, f"finishing.{handler}", limits=limits, mode=mode)
        job = replace(job, spec=_Spec(job.spec))
        result = run(job, zygote=zygote, heartbeat=lambda: True)
        assert on_limit.is_due(job.spec, result)
        return on_limit.add(job, result, run=run, zygote=zygote, heartbeat=lambda: True)

    return go


class _Spec:
    has_on_limit = True

    def __init__(self, spec):
        self.name, self.module = spec.name, spec.module
        self.class_name, self.method = spec.class_name, spec.method


def asked_for(result):
    return [(change.object, change.operation) for change in result.changes]


class TestAdd:
    def test_what_it_asks_for_is_all_that_is_committed(self, finish):
        result = finish("Tells.counted", records_written=1)

        assert (result.error.limit, result.error.record) == ("records_written", "c2")
        assert asked_for(result) == [("Task", "insert")]
        assert result.changes[0].fields["record_id"] == "c2"
        assert [entry["message"] for entry in result.entries] == ["begun", "stopped"]
        assert result.entries[1]["data"][:2] == ["records_written", True]
        assert result.entries[1]["data"][2].startswith("tests/governor/scripts/finishing.py:")

    @pytest.mark.parametrize(
        ("handler", "limits", "limit"),
        [
            ("killed", {"wall_ms": 200}, "wall_ms"),
            ("killed", {"cpu_ms": 200}, "cpu_ms"),
            ("eats", {"memory_mb": 32}, "memory_mb"),
        ],
    )
    def test_it_runs_also_after_a_kill(self, finish, handler, limits, limit):
        result = finish(f"Tells.{handler}", **limits)

        assert result.error.limit == limit
        assert asked_for(result) == [("Task", "insert")]

    def test_it_may_be_async(self, finish):
        result = finish("Waits.counted", records_written=1)

        assert asked_for(result) == [("Contact", "update")] * 2

    def test_the_trace_shows_it_in_a_span_of_its_own(self, finish):
        result = finish("Tells.counted", records_written=1)

        (span,) = [span for span in result.spans if span["name"] == "on_limit"]
        place = result.spans.index(span)
        inside = result.spans[place + 1 :]
        assert span["ok"]
        assert {each["name"] for each in inside if each["parent"] == place} == {"fork", "handler"}
        assert all(place <= each["parent"] < len(result.spans) for each in inside)
        assert all(each["at_ms"] >= span["at_ms"] for each in inside)

    def test_what_it_uses_is_billed_with_the_rest(self, finish):
        result = finish("Tells.counted", records_written=1)

        assert result.usage["records_written"] == [3, 1]
        assert result.usage["log_lines"][0] == 2

    @pytest.mark.parametrize(
        ("name", "said"),
        [("Greedy", "records_written is 20"), ("Slow", "wall_ms is 2,000"), ("Broken", "not my day")],
    )
    def test_one_that_fails_changes_nothing_and_is_told(self, finish, name, said):
        result = finish(f"{name}.counted", records_written=1)

        assert result.error.limit == "records_written"
        assert result.changes == []
        assert said in result.entries[-1]["message"]
        assert [span["ok"] for span in result.spans if span["name"] == "on_limit"] == [False]

    def test_after_a_lost_lease_nothing_is_ours(self, acme):
        job = make_job(acme, "finishing.Tells.counted")
        lost = RunResult(error=RunError(code=LEASE_LOST, is_retryable=True))
        ended = RunResult(error=RunError(code="governor.limit-exceeded", limit="wall_ms"))

        result = on_limit.add(job, ended, run=lambda *_, **__: lost, zygote=None, heartbeat=lambda: True)

        assert result.error.code == LEASE_LOST

    def test_a_host_that_it_found_back_is_told_of(self, acme):
        job = make_job(acme, "finishing.Tells.counted")
        ended = RunResult(error=RunError(code="governor.limit-exceeded", limit="wall_ms"))
        last = RunResult(has_recovered=True)

        result = on_limit.add(job, ended, run=lambda *_, **__: last, zygote=None, heartbeat=lambda: True)

        assert result.has_recovered


class TestIsDue:
    @pytest.mark.parametrize(
        ("error", "is_due"),
        [
            (None, False),
            (RunError(code="script.raised"), False),
            (RunError(code="governor.limit-exceeded"), False),
            (RunError(code="governor.limit-exceeded", limit="wall_ms"), True),
        ],
    )
    def test_after_a_limit_alone(self, error, is_due):
        assert on_limit.is_due(_Due, RunResult(error=error)) is is_due

    def test_not_for_a_class_without_one(self):
        limit = RunError(code="governor.limit-exceeded", limit="wall_ms")

        assert not on_limit.is_due(_None, RunResult(error=limit))


class _Due:
    has_on_limit = True


class _None:
    has_on_limit = False


def test_a_spec_says_whether_there_is_one():
    from circuitos.script import CircuitTrigger, trigger
    from circuitos.script.loading import handlers_of

    class With(CircuitTrigger):
        @trigger("Contact", ["afterInsert"])
        def handle(self, context):
            """Does nothing."""

        def on_limit(self, context, error):
            """Does nothing."""

    (handler,) = handlers_of(With)
    assert spec_of(handler)["has_on_limit"]
