"""What a runner reports of its records is checked and bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from governor.jail.wire import Done, WireError
from governor.verdict import outcomes_of

JOB: Any = SimpleNamespace(records=[{"id": "a"}])


def done(outcome: Any, record_id: str = "a") -> Done:
    return Done(outcomes={record_id: outcome}, error=None)


class TestOutcomes:
    def test_a_long_reason_is_cut(self):
        assert len(outcomes_of(done(["failed", "x" * 100_000, None]), JOB)["a"][1]) == 2_000

    def test_so_are_the_reasons_of_fields(self):
        faults = [{"field": f"f{number}", "reason": "x" * 100_000, "more": "y"} for number in range(1_000)]

        _, _, fields = outcomes_of(done(["quarantined", "schema", faults]), JOB)["a"]

        assert len(fields) == 50
        assert fields[0] == {"field": "f0", "reason": "x" * 500}

    def test_what_is_no_list_of_fields_is_dropped(self):
        assert outcomes_of(done(["ok", "", {"anything": "x" * 1_000_000}]), JOB)["a"] == ("ok", "", None)

    @pytest.mark.parametrize("outcome", [["fine", "", None], ["ok", 1, None], ["ok", ""], "ok"])
    def test_others_are_no_message(self, outcome):
        with pytest.raises(WireError):
            outcomes_of(done(outcome), JOB)

    def test_so_is_one_of_another_batch(self):
        with pytest.raises(WireError):
            outcomes_of(done(["ok", "", None], "b"), JOB)
