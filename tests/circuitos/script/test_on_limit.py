"""``on_limit`` in the testing kit: as on the platform."""

from __future__ import annotations

import pytest

from circuitos.script import CircuitDB, CircuitLog, CircuitTrigger, http, trigger
from circuitos.script.errors import BadScript, LimitExceeded
from circuitos.script.loading import handlers_of
from circuitos.script.testing import NoAnswer, run


class Stops(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def handle(self, context):
        CircuitDB.update("Contact", [{"id": "r1", "score": 1}])
        for record in context.new_records:
            CircuitDB.create_task(f"Call {record.id}")

    def on_limit(self, context, error):
        CircuitLog.warning("stopped", [error.limit, error.record])
        CircuitDB.create_task(f"Look at {error.record}")


class Calls(Stops):
    def on_limit(self, context, error):
        for _ in range(3):
            http.post("https://alerts.example/", json={"limit": error.limit})


class Camel(Stops):
    on_limit = None

    async def onLimit(self, context, error):
        await CircuitDB.create_task("Look")


RECORDS = [{"id": "r1"}, {"id": "r2"}, {"id": "r3"}]


class TestRun:
    def test_its_changes_are_the_only_ones(self):
        result = run(Stops.handle, RECORDS, limits={"records_written": 2})

        assert (result.error.data["limit"], result.error.record) == ("records_written", "r2")
        assert [task["title"] for task in result.tasks] == ["Look at r2"]
        assert result.changes == []
        assert (result.logs[-1].message, result.logs[-1].data) == ("stopped", ["records_written", "r2"])

    def test_it_is_not_called_when_the_handler_returns(self):
        assert [task["title"] for task in run(Stops.handle, RECORDS[:1]).check().tasks] == ["Call r1"]

    def test_its_own_limits_hold(self):
        result = run(
            Calls,
            RECORDS,
            limits={"records_written": 2},
            api={"POST https://alerts.example/": 204},
        )

        assert len(result.callouts) == 2
        assert result.tasks == []
        assert "on_limit failed too" in result.logs[-1].message

    def test_what_it_asks_for_unprepared_is_told(self):
        with pytest.raises(NoAnswer):
            run(Calls, RECORDS, limits={"records_written": 2})

    def test_the_other_spelling_is_known(self):
        result = run(Camel, RECORDS, limits={"records_written": 2})

        assert [task["title"] for task in result.tasks] == ["Look"]

    def test_one_of_another_signature_does_not_load(self):
        class Wrong(Stops):
            def on_limit(self, context):
                """Takes too little."""

        with pytest.raises(BadScript, match="on_limit must take"):
            list(handlers_of(Wrong))

    def test_the_error_says_where(self):
        error = LimitExceeded("api_calls", 51, 50)

        assert (error.at, error.record) == ("", "")
