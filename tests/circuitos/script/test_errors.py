"""Errors carry stable codes, over the wire too."""

from __future__ import annotations

import pickle

import pytest

from circuitos import CalloutError, CircuitError, JudgmentBlocked, LimitExceeded, RecordError
from circuitos.script.errors import from_wire


class TestFromWire:
    @pytest.mark.parametrize(
        ("kind", "cls"),
        [
            ("callout", CalloutError),
            ("record", RecordError),
            ("judgment", JudgmentBlocked),
            ("error", CircuitError),
            ("something new", CircuitError),
        ],
    )
    def test_makes_the_class_of_the_kind(self, kind, cls):
        error = from_wire(
            {"code": "a.b", "detail": "No.", "kind": kind, "data": {"status": 503, "detail": "x"}}
        )

        assert type(error) is cls
        assert (error.code, error.detail, str(error)) == ("a.b", "No.", "No.")
        assert error.data == {"status": 503}

    def test_makes_limits_that_except_exception_does_not_catch(self):
        error = from_wire(
            {"kind": "limit", "detail": "", "data": {"limit": "api_calls", "used": 51, "max": 50}}
        )

        assert isinstance(error, LimitExceeded)
        assert not isinstance(error, Exception)
        assert (error.limit, error.used, error.max) == ("api_calls", 51, 50)
        assert error.detail == "The limit api_calls is 50; this execution came to 51."

    def test_survives_an_empty_error(self):
        assert from_wire({}).code == "script.error"


class TestErrors:
    def test_a_callout_error_has_a_status_when_there_was_an_answer(self):
        assert CalloutError("No.", status=502).status == 502
        assert CalloutError("No answer.").status is None

    def test_a_limit_can_be_pickled(self):
        again = pickle.loads(pickle.dumps(LimitExceeded("api_calls", 51, 50)))

        assert again.data == {"limit": "api_calls", "used": 51, "max": 50}
