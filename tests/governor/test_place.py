"""Whatever ends an execution, its error names the script's line and the record it was at."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from circuitos.script.batch import LONGEST_ID, PAGE_BYTES, Batch, Whereabouts, here, read_page
from circuitos.script.record import Record
from governor.jail.lookout import Lookout
from tests.governor.conftest import SCRIPTS

SOURCE = (SCRIPTS / "placed.py").read_text().splitlines()


def line_of(mark):
    (number,) = [number for number, line in enumerate(SOURCE, 1) if line.endswith(f"# {mark}")]
    return f"tests/governor/scripts/placed.py:{number}"


class TestLimits:
    def test_a_counted_one_names_the_record_of_the_loop(self, execute):
        error = execute("placed.Places.counted", limits={"records_written": 1}).error

        assert (error.limit, error.at, error.record) == ("records_written", line_of("counted"), "c2")

    def test_or_the_one_a_function_was_handed(self, execute):
        error = execute("placed.Places.side_by_side", limits={"records_written": 1}).error

        assert (error.limit, error.record) == ("records_written", "c2")

    @pytest.mark.parametrize("limit", ["wall_ms", "cpu_ms"])
    def test_a_kill_names_the_line_it_was_in(self, execute, limit):
        error = execute("placed.Places.silent", limits={limit: 200}).error

        assert (error.limit, error.at, error.record) == (limit, line_of("silent"), "c2")

    def test_so_does_memory(self, execute):
        error = execute("placed.Places.eats", limits={"memory_mb": 32}).error

        assert (error.limit, error.at, error.record) == ("memory_mb", line_of("eats"), "c2")

    def test_after_the_loop_it_is_at_no_record(self, execute):
        error = execute("placed.Places.after_the_loop", limits={"wall_ms": 200}).error

        assert (error.limit, error.record) == ("wall_ms", "")

    def test_a_batch_of_one_always_names_it(self, execute):
        error = execute("placed.Places.after_the_loop", records=[{"id": "c9"}], limits={"wall_ms": 200}).error

        assert error.record == "c9"

    def test_who_does_not_answer_is_placed_at_its_last_request(self, execute):
        error = execute("placed.Places.deaf", limits={"wall_ms": 200}).error

        assert (error.at, error.record) == (line_of("deaf"), "c2")

    def test_a_record_of_no_batch_is_not_believed(self, execute):
        error = execute("placed.Places.lies", limits={"wall_ms": 200}).error

        assert error.record == ""
        assert "shadow" not in error.at

    def test_an_exception_names_its_record_too(self, execute):
        error = execute("placed.Places.raises").error

        assert (error.code, error.record) == ("script.raised", "c2")


class TestBatch:
    def test_loops_inside_loops_come_back_to_the_outer_record(self):
        batch = Batch([Record({"id": "a"}), Record({"id": "b"})])
        seen = []

        for _ in batch:
            list(batch)
            seen.append(here.record)

        assert seen == ["a", "b"]
        assert here.record == ""

    def test_a_slice_is_a_batch_and_an_index_a_record(self):
        batch = Batch([Record({"id": "a"}), Record({"id": "b"})])

        assert isinstance(batch[:1], Batch)
        assert (batch[1].id, here.record) == ("b", "b")
        here.note("")

    def test_what_a_script_put_in_does_no_harm(self):
        batch = Batch([Record({"id": "a"})])
        batch.append({"id": "plain"})

        assert len(list(batch)) == 2


class TestPage:
    def test_holds_any_id(self):
        place = Whereabouts()
        place.page = bytearray(PAGE_BYTES)

        place.note("é" * LONGEST_ID)

        assert read_page(bytes(place.page)) == "é" * (LONGEST_ID // 2)

    def test_nonsense_is_text(self):
        assert read_page(b"\xff" * PAGE_BYTES) == "�" * LONGEST_ID


class TestLookout:
    def test_forgets_what_the_last_runner_left(self):
        with closing(Lookout()) as lookout:
            lookout._page[:5] = b"\0\3c17"
            before = lookout.record()

            lookout.clear()

            assert (before, lookout.record()) == ("c17", "")
            lookout.give_away()

    def test_nobody_can_make_the_page_shorter(self):
        with closing(Lookout()) as lookout:
            with pytest.raises(PermissionError):
                os.ftruncate(lookout.page_fd, 0)
            lookout.give_away()
