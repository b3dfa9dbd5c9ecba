"""What a trace keeps of a script's requests: enough to read, and never so much that the worker suffers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from governor.recorder import short_answer, short_args

LONG = "x" * 1_000_000


class TestShort:
    @pytest.mark.parametrize(
        "value",
        [
            LONG,
            {"a": LONG},
            [{"a": LONG}] * 3,
            {"a": {"b": [LONG, {"c": LONG}]}},
            {f"field{n}": LONG for n in range(1_000)},
            {LONG: 1},
            [[[[[[[[[[LONG]]]]]]]]]],
        ],
    )
    def test_whatever_a_script_sends_a_few_kilobytes_are_kept(self, value: Any):
        assert len(msgspec.json.encode(short_args({"json": value}))) < 40_000
        assert len(msgspec.json.encode(short_answer({"c1": value}))) < 40_000

    def test_what_is_short_stays_as_it_is(self):
        rows = [{"id": "c1", "tags": ["a", "b"], "custom_fields": {"visits": 3}}]

        assert short_args({"object": "Contact", "rows": rows}) == {"object": "Contact", "rows": rows}
