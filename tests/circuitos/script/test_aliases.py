"""camelCase is accepted for every public name and keyword."""

from __future__ import annotations

import pytest

from circuitos import CircuitDB, CircuitMonitor, VirtualLPR
from circuitos.script.aliases import camel, camel_case, camel_keywords, snake


class TestNames:
    @pytest.mark.parametrize(
        ("one", "other"), [("new_records", "newRecords"), ("is_insert", "isInsert"), ("size", "size")]
    )
    def test_go_both_ways(self, one, other):
        assert camel(one) == other
        assert snake(other) == one

    def test_public_methods_have_both_spellings(self):
        assert CircuitDB.batchEnrich is not None
        assert CircuitDB.createTask is not None
        assert CircuitMonitor.alertOnError is not None
        assert CircuitMonitor.trackPerformance is not None
        assert VirtualLPR.scoreLeads is not None


class TestKeywords:
    def test_are_taken_in_both_spellings(self):
        @camel_keywords
        def paint(wall_colour, *, is_dry=False):
            return wall_colour, is_dry

        assert paint(wallColour="red", isDry=True) == paint("red", is_dry=True) == ("red", True)

    def test_unknown_ones_are_refused(self):
        @camel_keywords
        def paint(wall_colour):
            return wall_colour

        with pytest.raises(TypeError, match="wallSize"):
            paint(wallSize=3)


class TestAttributes:
    def test_set_on_an_instance_have_both_spellings(self):
        @camel_case
        class Wall:
            def __init__(self):
                self.paint_colour = "red"

        assert Wall().paintColour == "red"
        with pytest.raises(AttributeError, match="paint_size"):
            _ = Wall().paintSize
