"""One execution: what each kind of handler, ending and record comes to."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import warnings

import numpy as np
import pytest
from pydantic import BaseModel

from circuitos import (
    CircuitDB,
    CircuitError,
    CircuitLog,
    CircuitMonitor,
    CircuitTrigger,
    LimitExceeded,
    Settings,
    http,
    limits,
    trigger,
)
from circuitos.script import session
from circuitos.script.execute import warm
from circuitos.script.testing import run

ON_INSERT = trigger("Contact", ["afterInsert"])
PAGE = {"https://api.test/*": {"ok": True}}


def make(function, *, declared=ON_INSERT, **attributes):
    """A trigger class around one handler."""
    cls = type("MadeTrigger", (CircuitTrigger,), {"handle": declared(function), **attributes})
    return cls.handle


class TestSyncHandler:
    def test_is_given_answers(self):
        def handle(self, context):
            saved = CircuitDB.update("Contact", [{"id": "c1", "score": 1}])
            assert [each.ok for each in saved] == [True]
            assert http.get("https://api.test/x").json() == {"ok": True}

        result = run(make(handle), [{"id": "c1"}], api=PAGE).check()

        assert result.outcomes["c1"] == ("ok", "", None)
        assert result.changed("Contact") == {"c1": {"score": 1}}

    def test_may_start_a_loop_of_its_own(self):
        def handle(self, context):
            async def both():
                return await asyncio.gather(http.get("https://api.test/1"), http.get("https://api.test/2"))

            assert [answer.status for answer in asyncio.run(both())] == [200, 200]

        assert run(make(handle), [{"id": "c1"}], api=PAGE).check().usage["api_calls"][0] == 2

    def test_may_return_a_coroutine(self):
        async def later():
            await CircuitDB.update("Contact", [{"id": "c1", "score": 1}])

        def handle(self, context):
            return later()

        assert run(make(handle), [{"id": "c1"}]).check().changed("Contact") == {"c1": {"score": 1}}


class TestAsyncHandler:
    def test_calls_run_beside_one_another(self):
        async def handle(self, context):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(http.get(f"https://api.test/{n}")) for n in range(3)]
            answers = await asyncio.gather(*[http.get("https://api.test/x") for _ in range(3)])
            assert len(tasks) + len(answers) == 6

        assert run(make(handle), [{"id": "c1"}], api=PAGE).check().usage["api_calls"] == [6, 50]

    def test_a_thread_is_given_answers(self):
        async def handle(self, context):
            answer = await asyncio.to_thread(http.get, "https://api.test/x")
            assert answer.status == 200

        run(make(handle), [{"id": "c1"}], api=PAGE).check()

    def test_a_call_under_way_is_finished_before_the_execution_ends(self):
        async def handle(self, context):
            asyncio.get_running_loop().create_task(CircuitDB.update("Contact", [{"id": "c1", "score": 1}]))
            await asyncio.sleep(0)

        assert run(make(handle), [{"id": "c1"}]).check().changed("Contact") == {"c1": {"score": 1}}

    def test_a_cancelled_call_is_no_forgotten_one(self):
        async def handle(self, context):
            call = asyncio.ensure_future(http.get("https://api.test/x"))
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

        run(make(handle), [{"id": "c1"}], api=PAGE).check()

    def test_awaiting_twice_is_an_error(self):
        async def handle(self, context):
            call = CircuitDB.query("Contact")
            await call
            await call

        assert "awaited already" in run(make(handle), [{"id": "c1"}]).error.detail


class TestNotAwaited:
    def test_a_forgotten_call_fails_the_execution_and_names_the_line(self):
        async def handle(self, context):
            CircuitDB.update("Contact", [{"id": "c1", "score": 1}])

        result = run(make(handle), [{"id": "c1"}])

        assert result.error.code == "script.not-awaited"
        assert "CircuitDB.update" in result.error.detail
        line = handle.__code__.co_firstlineno + 1
        assert result.error.at == f"tests/circuitos/script/test_execute.py:{line}"
        assert result.changes == []

    @pytest.mark.parametrize(
        "use", [lambda call: [*call], len, lambda call: call[0]], ids=["iterate", "len", "index"]
    )
    def test_using_the_call_as_its_answer_says_what_is_wrong(self, use):
        async def handle(self, context):
            use(CircuitDB.query("Contact"))

        error = run(make(handle), [{"id": "c1"}]).error

        assert error.code == "script.not-awaited"
        assert "CircuitDB.query" in error.detail

    def test_giving_it_to_the_next_call_says_what_is_wrong(self):
        async def handle(self, context):
            await CircuitDB.update("Contact", CircuitDB.query("Contact"))

        assert "not awaited" in run(make(handle), [{"id": "c1"}]).error.detail

    def test_the_scripts_own_coroutine_counts_too(self):
        async def helper():
            await CircuitDB.update("Contact", [{"id": "c1", "score": 1}])

        async def handle(self, context):
            helper()

        error = run(make(handle), [{"id": "c1"}]).error

        assert error.code == "script.not-awaited"
        assert "helper" in error.detail

    def test_monitor_and_log_calls_need_no_await(self):
        async def handle(self, context):
            CircuitMonitor.track_performance(5)
            CircuitMonitor.alert_on_error("late", context)
            await CircuitLog.info("awaited all the same")

        result = run(make(handle), [{"id": "c1"}]).check()

        assert result.timings[0]["execution_time_ms"] == 5
        assert result.alerts[0]["context"]["record_ids"] == ["c1"]
        assert [line.message for line in result.logs] == ["awaited all the same"]


class TestLimits:
    def test_the_51st_call_ends_the_execution(self):
        async def handle(self, context):
            for n in range(60):
                await http.get(f"https://api.test/{n}")

        result = run(make(handle), [{"id": "c1"}], api=PAGE)

        assert result.error.code == "governor.limit-exceeded"
        assert result.error.data == {"limit": "api_calls", "used": 51, "max": 50}
        assert len(result.callouts) == 50
        assert result.outcomes["c1"].status == "failed"

    @pytest.mark.parametrize("is_async", [False, True])
    def test_swallowing_it_does_not_help(self, is_async):
        def handle(self, context):
            CircuitDB.update("Contact", [{"id": "c1", "score": 1}])
            http.get("https://api.test/x")
            for _ in range(3):
                with pytest.raises(LimitExceeded):
                    http.get("https://api.test/x")
            CircuitLog.info("still here")

        async def handle_async(self, context):
            await CircuitDB.update("Contact", [{"id": "c1", "score": 1}])
            await asyncio.gather(*[http.get("https://api.test/x") for _ in range(3)], return_exceptions=True)
            CircuitLog.info("still here")

        result = run(
            make(handle_async if is_async else handle), [{"id": "c1"}], api=PAGE, limits={"api_calls": 1}
        )

        assert result.error.data["limit"] == "api_calls"
        assert result.changes == []
        assert result.logs[-1].message == "still here"

    def test_a_task_group_does_not_hide_it(self):
        async def handle(self, context):
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(http.get("https://api.test/x"))

        assert (
            run(make(handle), [{"id": "c1"}], api=PAGE, limits={"api_calls": 1}).error.type == "LimitExceeded"
        )

    def test_tell_what_is_used(self):
        def handle(self, context):
            CircuitDB.query("Contact")
            assert (limits.record_queries.used, limits.recordQueries.max, limits.record_queries.left) == (
                1,
                100,
                99,
            )
            assert context.limits.records_read.used == 1
            assert limits.wall_ms.used >= 0
            assert limits.cpu_ms.left > 0
            assert limits.memory_mb.used >= 0
            assert {limit.name for limit in limits} >= {"api_calls", "depth"}
            with pytest.raises(AttributeError, match="no limit 'api_cals'"):
                _ = limits.api_cals

        run(make(handle), [{"id": "c1"}]).check()

    def test_are_fresh_in_each_run(self):
        def handle(self, context):
            assert limits.record_queries.used == 0
            CircuitDB.query("Contact")

        made = make(handle)
        for _ in range(2):
            run(made, [{"id": "c1"}]).check()

    def test_running_out_of_memory_is_the_memory_limit(self):
        def handle(self, context):
            raise MemoryError

        error = run(make(handle), [{"id": "c1"}]).error

        assert (error.code, error.data["limit"]) == ("governor.limit-exceeded", "memory_mb")


class TestErrors:
    def test_an_exception_is_told_with_its_line_and_no_values(self):
        secret = "hunter2"

        def inner():
            raise ValueError("bad lead")

        def handle(self, context):
            password = secret  # noqa: F841
            inner()

        error = run(make(handle), [{"id": "c1"}]).error

        assert (error.code, error.type, error.detail) == ("script.raised", "ValueError", "bad lead")
        assert error.at == f"tests/circuitos/script/test_execute.py:{inner.__code__.co_firstlineno + 1}"
        assert "in handle" in error.traceback
        assert "execute.py" not in error.traceback.replace("test_execute.py", "")
        assert "hunter2" not in error.traceback

    @pytest.mark.parametrize(
        "raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError("deep")]
    )
    def test_whatever_is_raised_is_an_outcome(self, raised):
        def handle(self, context):
            raise raised

        async def handle_async(self, context):
            raise raised

        for function in (handle, handle_async):
            assert run(make(function), [{"id": "c1"}]).error.type == type(raised).__name__

    def test_a_cause_is_told_too(self):
        def handle(self, context):
            try:
                raise ZeroDivisionError
            except ZeroDivisionError as error:
                raise CircuitError("No score.", code="mine.no-score", lead="c1") from error

        error = run(make(handle), [{"id": "c1"}]).error

        assert (error.code, error.data) == ("mine.no-score", {"lead": "c1"})
        assert "ZeroDivisionError" in error.traceback

    def test_a_traceback_is_bounded(self):
        def handle(self, context):
            raise ValueError("x" * 100_000)

        assert len(run(make(handle), [{"id": "c1"}]).error.traceback) < 20_000

    def test_the_sdk_outside_of_an_execution_says_so(self):
        with pytest.raises(CircuitError, match="No execution is running") as caught:
            CircuitDB.query("Contact")

        assert caught.value.code == "script.no-execution"

    def test_a_thread_that_goes_on_after_the_handler_may_ask_for_nothing(self):
        returned, asked, seen = threading.Event(), threading.Event(), []

        def late(held):
            returned.wait(5)
            try:
                held.request("records.query", {}, "")
            except CircuitError as error:
                seen.append(error.code)
            asked.set()

        def handle(self, context):
            threading.Thread(target=late, args=[session.current()]).start()

        run(make(handle), [{"id": "c1"}]).check()
        returned.set()
        asked.wait(5)

        assert seen == ["script.no-execution"]


class TestRecords:
    def test_one_record_may_fail_and_one_be_skipped(self):
        def handle(self, context):
            first, second, _ = context.new_records
            first.fail("no e-mail")
            second.skip("known")
            CircuitDB.update("Contact", [{"id": record.id, "score": 1} for record in context.new_records])

        result = run(make(handle), [{"id": "c1"}, {"id": "c2"}, {"id": "c3"}]).check()

        assert result.outcomes == {
            "c1": ("failed", "no e-mail", None),
            "c2": ("skipped", "known", None),
            "c3": ("ok", "", None),
        }
        assert set(result.changed("Contact")) == {"c2", "c3"}

    def test_changed_fields_of_a_record_are_what_update_stores(self):
        def handle(self, context):
            context.new_record.score = 7
            CircuitDB.update("Contact", context.new_records)

        result = run(make(handle), [{"id": "c1", "email": "a@b.test"}]).check()

        assert result.changed("Contact") == {"c1": {"score": 7}}
        assert result.logs == []

    def test_changes_nobody_saved_are_told(self):
        def handle(self, context):
            context.new_record.score = 7

        (line,) = run(make(handle), [{"id": "c1"}]).check().logs

        assert line.level == "warning"
        assert "was changed and not saved" in line.message

    def test_a_before_trigger_changes_the_record_itself(self):
        def handle(self, context):
            context.new_record.email = "a@b.test"

        result = run(
            make(handle, declared=trigger("Contact", ["beforeInsert"])), [{"id": "c1", "email": "A@B.test"}]
        ).check()

        assert result.fields == {"c1": {"email": "a@b.test"}}
        assert result.logs == []


class TestSchema:
    class Schema(BaseModel):
        id: str
        email: str
        age: int | None = None

    def test_records_that_do_not_fit_are_quarantined_with_reasons(self):
        def handle(self, context):
            assert [model.email for model in context.models] == [
                record.email for record in context.new_records
            ]

        declared = trigger("Contact", ["afterInsert", "afterDelete"], schema=self.Schema)
        records = [{"id": "c1", "email": "a@b.test"}, {"id": "c2", "age": "secret-old"}]

        result = run(make(handle, declared=declared), records).check()

        assert result.outcomes["c1"].status == "ok"
        status, reason, fields = result.outcomes["c2"]
        assert (status, reason) == ("quarantined", "schema")
        assert [each["field"] for each in fields] == ["email", "age"]
        assert "secret-old" not in str(fields)

    def test_fields_a_record_lacks_have_the_schemas_defaults(self):
        def handle(self, context):
            assert context.new_record.age is None
            CircuitDB.update("Lead", context.new_records)

        declared = trigger("Lead", ["afterInsert"], schema=self.Schema)

        assert run(make(handle, declared=declared), [{"id": "c1", "email": "a@b.test"}]).check().ok

    def test_the_handler_is_not_called_when_none_fits(self):
        def handle(self, context):
            raise AssertionError("called")

        declared = trigger("Contact", ["afterInsert"], schema=self.Schema)

        result = run(make(handle, declared=declared), [{"id": "c1"}]).check()

        assert not result.is_called

    def test_deleted_records_need_not_fit(self):
        def handle(self, context):
            assert context.is_delete

        declared = trigger("Contact", ["afterDelete"], schema=self.Schema)

        assert run(make(handle, declared=declared), [{"id": "c1"}]).check().outcomes["c1"].status == "ok"

    def test_quarantined_records_stay_so_when_the_handler_fails(self):
        def handle(self, context):
            raise ValueError("no")

        declared = trigger("Contact", ["afterInsert"], schema=self.Schema)

        result = run(make(handle, declared=declared), [{"id": "c1", "email": "x"}, {"id": "c2"}])

        assert {key: outcome.status for key, outcome in result.outcomes.items()} == {
            "c1": "failed",
            "c2": "quarantined",
        }


class TestWhen:
    @pytest.mark.parametrize(
        "when",
        [
            lambda record: record.city == "Plano",
            lambda record, context: record.city == "Plano" and context.is_insert,
        ],
        ids=["of a record", "of record and context"],
    )
    def test_records_it_refuses_are_skipped(self, when):
        def handle(self, context):
            assert [record.id for record in context.new_records] == ["c1"]

        declared = trigger("Contact", ["afterInsert"], when=when)

        result = run(make(handle, declared=declared), [{"id": "c1", "city": "Plano"}, {"id": "c2"}]).check()

        assert result.outcomes == {"c1": ("ok", "", None), "c2": ("skipped", "when", None)}

    def test_the_handler_is_not_called_when_none_is_left(self):
        def handle(self, context):
            raise AssertionError("called")

        declared = trigger("Contact", ["afterInsert"], when=lambda record: False)

        assert not run(make(handle, declared=declared), [{"id": "c1"}]).check().is_called


class TestSettings:
    class Wanted(Settings):
        threshold: int = 70

    def test_are_validated_and_at_hand(self):
        def handle(self, context):
            assert (self.settings.threshold, context.settings.threshold) == (80, 80)

        run(make(handle, Settings=self.Wanted), [{"id": "c1"}], settings={"threshold": "80"}).check()

    def test_have_defaults(self):
        def handle(self, context):
            assert self.settings.threshold == 70

        run(make(handle, settings=self.Wanted), [{"id": "c1"}]).check()

    def test_that_do_not_fit_say_which_field(self):
        def handle(self, context):
            raise AssertionError("called")

        error = run(make(handle, Settings=self.Wanted), [{"id": "c1"}], settings={"threshold": "high"}).error

        assert error.code == "script.bad-settings"
        assert "threshold" in error.detail

    def test_without_a_model_are_as_stored(self):
        def handle(self, context):
            assert self.settings == {"any": 1}

        run(make(handle), [{"id": "c1"}], settings={"any": 1}).check()


class TestOutput:
    def test_what_is_printed_is_logged(self):
        def handle(self, context):
            print("one\ntwo")  # noqa: T201
            print("three", end="")  # noqa: T201
            print("wrong", file=sys.stderr)  # noqa: T201
            warnings.warn("old", UserWarning, stacklevel=1)

        result = run(make(handle), [{"id": "c1"}]).check()

        assert [(line.level, line.message) for line in result.logs] == [
            ("info", "one"),
            ("info", "two"),
            ("warning", "wrong"),
            ("warning", "UserWarning: old"),
            ("info", "three"),
        ]
        assert result.logs[0].line.startswith("tests/circuitos/script/test_execute.py:")

    def test_a_flood_is_bounded(self):
        def handle(self, context):
            sys.stdout.write("x" * 50_000_000)
            for n in range(5_000):
                print(n)  # noqa: T201

        result = run(make(handle), [{"id": "c1"}]).check()

        assert len(result.logs) == 1_001
        assert "the rest is left out" in result.logs[-1].message
        assert max(len(line.message) for line in result.logs) <= 2_000


class TestRepeating:
    def test_chance_is_seeded_per_execution_and_not_for_others(self):
        seen = []

        def handle(self, context):
            seen.append((random.random(), float(np.random.random()), context.now))

        made, before = make(handle), random.getstate()
        for seed in (1, 1, 2):
            run(made, [{"id": "c1"}], seed=seed).check()

        assert seen[0] == seen[1] != seen[2]
        assert random.getstate() == before


class TestWarm:
    def test_imports_what_executions_need(self):
        warm()

        assert {"asyncio", "inspect", "pydantic"} <= set(sys.modules)
