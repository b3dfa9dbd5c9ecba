"""Frames are cut exactly, and nothing on the wire is believed."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.jail.wire import MAX_FRAME, Done, Frames, Log, Req, WireError, pack, read_message, unpack

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


class TestFrames:
    @given(messages=st.lists(PLAIN, max_size=5), cut=st.integers(1, 40))
    def test_any_cutting_gives_the_same_messages(self, messages, cut):
        stream = b"".join(pack(message) for message in messages)
        frames = Frames()

        found = []
        for start in range(0, len(stream), cut):
            found += [unpack(frame) for frame in frames.feed(stream[start : start + cut])]

        assert found == messages
        assert not frames.is_partial

    def test_an_impossible_length_is_refused_before_it_is_awaited(self):
        with pytest.raises(WireError):
            Frames().feed((MAX_FRAME + 1).to_bytes(4, "big"))

    def test_a_message_too_large_cannot_be_packed(self):
        with pytest.raises(WireError):
            pack({"x": b"x" * MAX_FRAME})

    @pytest.mark.parametrize("value", [{"x": object()}, {"x": 2**70}, {"x": "\ud800"}])
    def test_what_has_no_form_cannot_be_packed(self, value):
        with pytest.raises(WireError):
            pack(value)


class TestMessages:
    @given(garbage=st.binary(max_size=200))
    def test_garbage_is_a_wire_error_or_a_message(self, garbage):
        try:
            message = read_message(garbage)
        except WireError:
            return
        assert isinstance(message, Req | Log | Done)

    @given(value=PLAIN)
    def test_other_values_are_no_messages(self, value):
        with pytest.raises(WireError):
            read_message(pack(value)[4:])

    def test_deep_nesting_is_refused(self):
        with pytest.raises(WireError):
            read_message(b"\x82\xa1t\xa3req\xa4args" + b"\x91" * 100_000 + b"\xc0")

    def test_a_crowd_of_empty_lists_is_refused_before_it_is_opened(self):
        crowd = {"t": "req", "id": 1, "op": "records.update", "args": {"rows": [[]] * 1_000_000}}

        with pytest.raises(WireError, match="lists"):
            read_message(pack(crowd)[4:])

    def test_large_requests_of_any_value_are_opened(self):
        row = {"a": 1.5, "b": -500, "c": 2**40, "d": "é" * 40, "e": None, "f": [True, b"x" * 70], "g": 7}
        args = {"text": "я" * 500_000, "body": os.urandom(1_000_000), "rows": [row] * 40_000}

        message = read_message(pack({"t": "req", "id": 1, "op": "http", "args": args})[4:])

        assert isinstance(message, Req)
        assert message.args == args

    def test_a_log_line_is_not_opened_and_may_hold_anything(self):
        crowd = {"t": "log", "level": "info", "message": "m", "data": [[]] * 1_000_000}

        assert isinstance(read_message(pack(crowd)[4:]), Log)

    def test_random_bytes_never_raise_anything_else(self):
        for _ in range(300):
            with pytest.raises(WireError):
                read_message(b"\xc1" + os.urandom(40))
