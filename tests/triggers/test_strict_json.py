"""Strict JSON: what two readers could read differently is refused, with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.triggers.hostile import REFUSED, TAKEN
from triggers import strict_json
from triggers.strict_json import Malformed


class TestParse:
    @pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
    def test_refuses(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            strict_json.parse(body)

    @pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
    def test_takes(self, body: bytes) -> None:
        assert strict_json.parse(body) == json.loads(body)

    @pytest.mark.parametrize(
        ("body", "where"),
        [
            (b'{"a":1,"b":}', "byte 11"),
            (b'{"a":"\xff"}', "byte 6"),
            (b'{"name":1,"name":2}', "'name'"),
            (b"[" * 21 + b"]" * 21, "byte 20"),
            (b'{"a":"x\\u0000"}', "position 1"),
            (b'{"a":"\\ud83d\\ude00","b":"\\ud800"}', r"half a surrogate pair \(byte 25\)"),
            (b'{"a":"b', "within 7 bytes"),
        ],
        ids=["grammar", "encoding", "twin", "depth", "nul", "surrogate", "cut"],
    )
    def test_says_where(self, body: bytes, where: str) -> None:
        with pytest.raises(Malformed, match=where):
            strict_json.parse(body)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"a" :1,"a":1}',
            b'{"a"\n:1,"a"\t:1}',
            b'{"x":{"a":1,"a":1}}',
            b'[{"ok":1},{"a":1,"b":2,"a":3}]',
            b'{"\\u0061":1,"a":2}',
            b'{"a\\":":1,"a\\":":2}',
        ],
    )
    def test_finds_a_twin_however_it_is_written(self, body: bytes) -> None:
        with pytest.raises(Malformed, match="twice"):
            strict_json.parse(body)

    def test_text_that_looks_like_a_key_is_no_twin(self) -> None:
        body = rb'{"a":"he said \"b\": yes, \"b\": no","c":"d : e"}'

        assert strict_json.parse(body)["c"] == "d : e"

    def test_an_escaped_backslash_before_u0000_is_no_nul(self) -> None:
        assert strict_json.parse(rb'{"a":"\\u0000"}') == {"a": r"\u0000"}

    def test_a_hundred_events_may_hold_more_values_than_one(self) -> None:
        events = [{"a": list(range(50))} for _ in range(100)]

        assert strict_json.parse(json.dumps(events).encode()) == events

    def test_one_event_may_hold_two_thousand_values(self) -> None:
        assert strict_json.parse(json.dumps(list(range(2000))).encode())
        with pytest.raises(Malformed, match="2000"):
            strict_json.parse(json.dumps({"a": list(range(2001))}).encode())

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            lambda inner: (
                st.lists(inner, max_size=5)
                | st.dictionaries(
                    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
                    inner,
                    max_size=5,
                )
            ),
            max_leaves=20,
        ),
        st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
        st.booleans(),
    )
    def test_reads_whatever_a_plain_writer_writes(
        self, document: object, separators: tuple[str, str], is_ascii: bool
    ) -> None:
        body = json.dumps(document, separators=separators, ensure_ascii=is_ascii).encode()

        assert strict_json.parse(body) == json.loads(body)


class TestElements:
    def test_gives_the_exact_bytes_of_each_element(self) -> None:
        body = b' [ {"a": 1.50} ,\n{"b":"\\u00e9"}, 3 ] '

        assert strict_json.elements(body) == [b'{"a": 1.50}', b'{"b":"\\u00e9"}', b"3"]
