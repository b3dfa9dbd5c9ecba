"""Counters: the first limit exceeded is the reason, and stays it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circuitos.script.budget import DEFAULTS
from governor.limits import LIMITS, complete
from governor.logbook import Logbook
from governor.meter import Meter


class TestLimits:
    def test_the_sdk_knows_the_same_limits(self):
        assert {name: limit.default for name, limit in LIMITS.items()} == DEFAULTS

    def test_overrides_stand_over_the_defaults(self):
        assert complete({"api_calls": 5, "unknown": 1}) == {**DEFAULTS, "api_calls": 5}


class TestMeter:
    def test_the_last_allowed_one_is_allowed(self):
        meter = Meter({"api_calls": 2})

        assert [meter.count("api_calls", at=f"x.py:{n}") for n in (1, 2, 3)] == [True, True, False]
        assert meter.breach is not None
        assert (meter.breach.limit, meter.breach.used, meter.breach.max, meter.breach.at) == (
            "api_calls",
            3,
            2,
            "x.py:3",
        )

    def test_a_refused_request_is_not_counted(self):
        meter = Meter({"api_calls": 2})

        for calls in (1, 5, 1, 1):
            meter.count("api_calls", calls)

        assert meter.pairs()["api_calls"] == [2, 2]
        assert meter.breach is not None
        assert (meter.breach.used, meter.left("api_calls")) == (6, 0)

    def test_the_first_breach_stays_the_reason(self):
        meter = Meter({"api_calls": 0, "records_read": 0})
        meter.count("api_calls")

        assert not meter.count("records_read", 5)
        assert meter.breach.limit == "api_calls"

    def test_changes_are_told_once(self):
        meter = Meter({})
        meter.count("api_calls")

        assert meter.changes() == {"api_calls": [1, 50]}
        assert meter.changes() == {}

    def test_the_sentence_has_figures_and_unit(self):
        meter = Meter({})
        meter.exceed("memory_mb", 139.04)

        assert meter.breach.detail == "The limit memory_mb is 128 MiB; this execution came to 139.04."

    def test_a_refused_allocation_is_told_without_a_figure_it_never_reached(self):
        meter = Meter({})
        meter.exceed("memory_mb", 128)

        assert meter.breach.detail == "The limit memory_mb is 128 MiB; this execution needed more."


class TestLogbook:
    @given(most=st.integers(0, 30), written=st.integers(0, 80))
    def test_nothing_is_lost_uncounted(self, most, written):
        book = Logbook(most)
        for number in range(written):
            book.add({"level": "info", "message": str(number)}, 10)

        entries = book.entries()
        kept = [entry for entry in entries if "dropped" not in entry]
        assert len(kept) + book.dropped == written
        assert len(kept) == min(most, written)
        if most > 1 and written:
            assert (kept[0]["message"], kept[-1]["message"]) == ("0", str(written - 1))

    def test_a_megabyte_is_the_most(self):
        book = Logbook(1000)
        for number in range(100):
            book.add({"level": "info", "message": str(number)}, 50_000)

        assert len(book.entries()) <= 22
        assert book.dropped >= 79

    @pytest.mark.parametrize(("level", "has_errors"), [("error", True), ("warning", False)])
    def test_errors_are_remembered(self, level, has_errors):
        book = Logbook(0)
        book.add({"level": level, "message": "x"}, 1)

        assert book.has_errors is has_errors
