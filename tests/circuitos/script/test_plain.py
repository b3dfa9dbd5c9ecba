"""Plain data: strict for what is stored, lenient for logs."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

import numpy as np
import pytest
from pydantic import BaseModel

from circuitos import Record, RecordError
from circuitos.script.plain import LOG_CHARACTERS, LOG_ITEMS, lenient, strict


class Colour(Enum):
    RED = "red"


class Lead(BaseModel):
    name: str
    since: date


@dataclasses.dataclass
class Point:
    x: float


class TestStrict:
    @pytest.mark.parametrize(
        ("value", "plain"),
        [
            (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
            (date(2026, 1, 2), "2026-01-02"),
            (timedelta(minutes=2), 120.0),
            (Decimal("1.10"), "1.10"),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (Colour.RED, "red"),
            ({"b", "a"}, ["a", "b"]),
            ((1, 2), [1, 2]),
            (Lead(name="Ann", since=date(2026, 1, 2)), {"name": "Ann", "since": "2026-01-02"}),
            (Point(1.5), {"x": 1.5}),
            (np.float32(0.5), 0.5),
            (np.int64(7), 7),
            (np.array([1, 2]), [1, 2]),
            (Record({"id": "1"}), {"id": "1"}),
            ({1: "a"}, {"1": "a"}),
        ],
    )
    def test_makes_plain_data(self, value, plain):
        made = strict(value)

        assert made == plain
        assert type(made) is type(plain)

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ({"score": float("nan")}, "row.score is nan"),
            ({"score": float("inf")}, "row.score is inf"),
            ({"name": "a\0b"}, "row.name holds a NUL"),
            ({"name": "\ud800"}, "row.name holds a lone surrogate"),
            ({"n": 2**64}, "row.n is a whole number of more than 64 bits"),
            ({"what": object()}, "row.what is a object"),
            ({"what": b"raw"}, "row.what is a bytes"),
            ({"what": Lead}, "row.what is a ModelMetaclass"),
            ({"tags": ["ok", object()]}, r"row.tags\[1\] is a object"),
        ],
    )
    def test_refuses_what_cannot_be_stored_and_says_where(self, value, said):
        with pytest.raises(RecordError, match=said):
            strict(value, "row")

    def test_refuses_what_is_too_deep(self):
        value: list = []
        for _ in range(30):
            value = [value]

        with pytest.raises(RecordError, match="nested"):
            strict(value)


class TestLenient:
    def test_takes_anything(self):
        class Rude:
            def __repr__(self):
                raise ValueError("no")

        assert lenient(Rude()) == "<Rude: ValueError while writing it down>"
        assert lenient(ValueError("no")) == "ValueError: no"
        assert lenient(float("nan")) == "nan"
        assert lenient(2**70) == str(2**70)
        assert lenient(b"12345") == "<5 bytes>"
        assert lenient("a\0\ud800") == "a\\0?"
        assert lenient({1: {2: Colour.RED}}) == {"1": {"2": "red"}}

    def test_bounds_what_it_takes(self):
        assert len(lenient("x" * 1_000_000)) < LOG_CHARACTERS + 50
        assert len(lenient(list(range(10_000)))) == LOG_ITEMS + 1
        assert len(lenient({n: n for n in range(10_000)})) == LOG_ITEMS + 1

    def test_ends_on_circles(self):
        circle: list = []
        circle.append(circle)

        assert "[" in str(lenient(circle))
