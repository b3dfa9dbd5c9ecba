"""The broker runs executions in real jails."""

from __future__ import annotations


class TestRun:
    def test_a_quiet_handler_succeeds_for_every_record(self, execute):
        result = execute("plain.PlainTrigger.nothing")

        assert result.error is None
        assert result.outcomes == {"c1": ("ok", "", None), "c2": ("ok", "", None)}

    def test_log_lines_are_collected(self, execute):
        result = execute("plain.PlainTrigger.greet")

        assert [entry["message"] for entry in result.entries] == ["hello"]

    def test_changes_wait_for_the_settlement(self, execute):
        result = execute("plain.PlainTrigger.score")

        assert result.error is None
        assert [(change.id, change.fields) for change in result.changes] == [
            ("c1", {"score": 7}),
            ("c2", {"score": 7}),
        ]

    def test_an_async_handler_asks_the_same_way(self, execute):
        result = execute("plain.PlainTrigger.score_async")

        assert result.error is None
        assert len(result.changes) == 2
