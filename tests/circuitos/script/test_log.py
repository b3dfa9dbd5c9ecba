"""CircuitLog takes anything, never raises, and works anywhere."""

from __future__ import annotations

import sys

import pytest
from pydantic import BaseModel, ValidationError

from circuitos import CircuitLog, CircuitTrigger, trigger
from circuitos.script.testing import run


def lines_of(body, **more):
    class Made(CircuitTrigger):
        @trigger("Contact", ["afterInsert"])
        def handle(self, context):
            body(context)

    return run(Made.handle, [{"id": "c1"}], **more).check().logs


class TestCircuitLog:
    def test_has_four_levels(self):
        def body(context):
            CircuitLog.debug("a")
            CircuitLog.info("b")
            CircuitLog.warning("c")
            CircuitLog.warn("c")
            CircuitLog.error("d")

        assert [line.level for line in lines_of(body)] == ["debug", "info", "warning", "warning", "error"]

    def test_joins_anything_and_keywords(self):
        def body(context):
            CircuitLog.info("one", {"a": 1}, b=2)
            CircuitLog.info("two", [1], b=2)
            CircuitLog.info("three", b=2)
            CircuitLog.info("four", context.new_records)

        assert [line.data for line in lines_of(body)] == [
            {"a": 1, "b": 2},
            {"value": [1], "b": 2},
            {"b": 2},
            [lines_of(lambda context: CircuitLog.info("x", dict(context.new_record)))[0].data],
        ]

    def test_stores_pydantic_errors_with_the_exceptions_in_them(self):
        class Schema(BaseModel):
            age: int

        def body(context):
            try:
                Schema(age="x")
            except ValidationError as error:
                CircuitLog.error("wrong", error.errors())
                CircuitLog.error("wrong", error)

        first, second = lines_of(body)

        assert first.data[0]["loc"] == ["age"]
        assert second.data.startswith("ValidationError: ")

    @pytest.mark.parametrize(
        "anything", [object(), lambda: 1, float("nan"), b"x", {1: {2: {3}}}, Exception("no"), 2**99]
    )
    def test_takes_anything(self, anything):
        assert len(lines_of(lambda context: CircuitLog.info(anything, anything))) == 1

    def test_says_where_it_was_called(self):
        (line,) = lines_of(lambda context: CircuitLog.info("here"))

        assert line.line.startswith("tests/circuitos/script/test_log.py:")

    def test_past_the_limit_one_line_says_so(self):
        def body(context):
            for n in range(10):
                CircuitLog.info(str(n))

        lines = lines_of(body, limits={"log_lines": 3})

        assert [line.message for line in lines] == [
            "0",
            "1",
            "2",
            "More than 3 log lines; the rest is left out.",
        ]

    def test_outside_an_execution_it_writes_to_stderr(self, capsys):
        CircuitLog.error("lost", lead=1)

        assert capsys.readouterr().err == "error lost {'lead': 1}\n"

    def test_never_raises(self, monkeypatch):
        class Closed:
            def write(self, text):
                raise ValueError("closed")

        monkeypatch.setattr(sys, "stderr", Closed())

        assert repr(CircuitLog.error("lost")) == "None"
