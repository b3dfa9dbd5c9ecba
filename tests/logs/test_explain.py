"""The sentence on top: what happened, where, what was committed."""

from __future__ import annotations

from datetime import date

import pytest

from logs.document import trace_document
from logs.models import Trace
from tests.rows import make_execution

AT = date(2026, 3, 2)
pytestmark = pytest.mark.django_db


def sentence(tenant, *, trace=None, **fields):
    execution = make_execution(tenant, **fields)
    empty = {"spans": [], "entries": [], "usage": {}, "effects": [], "judgments": [], "outcomes": {}}
    shown = Trace(**{**empty, "expires_on": AT, **(trace or {})})
    return trace_document(execution, trace=shown)["sentence"]


LIMIT = {
    "code": "governor.limit-exceeded",
    "type": "LimitExceeded",
    "limit": "api_calls",
    "used": 51,
    "max": 50,
}


class TestSentence:
    @pytest.mark.parametrize(
        ("fields", "trace", "said"),
        [
            ({"usage": {}}, {}, "All 3 records succeeded in 412 ms."),
            (
                {"usage": {"api_calls": [1, 50], "records_written": [3, 10_000]}, "wall_ms": 2310},
                {},
                "All 3 records succeeded in 2.31 s, with 1 API call and 3 record writes.",
            ),
            (
                {"status": "failed", "limit_name": "api_calls"},
                {"error": {**LIMIT, "at": "chatty.py:31"}},
                "Stopped at a limit: API calls 51 of 50 at chatty.py:31. Nothing was committed.",
            ),
            (
                {"status": "failed", "limit_name": "api_calls"},
                {"error": {**LIMIT, "at": "chatty.py:31", "record": "c17"}},
                "Stopped at a limit: API calls 51 of 50 at chatty.py:31, record c17. Nothing was committed.",
            ),
            (
                {"status": "failed", "limit_name": "wall_ms"},
                {"error": {"limit": "wall_ms", "used": 30_004, "max": 30_000}},
                "Stopped at a limit: Time 30 s of 30 s. Nothing was committed.",
            ),
            (
                {"status": "failed", "error_code": "triggers.script-error"},
                {"error": {"type": "KeyError", "detail": "'visits'", "at": "a.py:9"}},
                "KeyError: 'visits' at a.py:9. Nothing was committed.",
            ),
            (
                {
                    "status": "failed",
                    "error_code": "triggers.lease-lost",
                    "error_detail": "The lease was lost.",
                },
                {},
                "triggers.lease-lost: The lease was lost. Nothing was committed.",
            ),
            (
                {"status": "bisected"},
                {"error": {"detail": "boom"}},
                "Split in two to find the record that fails; the halves tell the outcome. The cause: boom.",
            ),
            ({"status": "running", "attempts": 2}, {}, "Running now over 3 records, attempt 2."),
            ({"status": "queued"}, {}, "Waiting for its turn with 3 records."),
            ({"status": "cancelled"}, {}, "Cancelled before it ran; 3 records untouched."),
            (
                {"mode": "dry", "usage": {}},
                {},
                "All 3 records succeeded in 412 ms. A dry run: nothing was changed or sent.",
            ),
            (
                {"with_errors": True, "usage": {}},
                {"entries": [{"level": "error", "message": "3 leads do not validate."}]},
                "All 3 records succeeded in 412 ms."
                " The script logged an error and went on: 3 leads do not validate.",
            ),
        ],
    )
    def test_says_what_a_person_needs_first(self, acme, fields, trace, said):
        assert sentence(acme, trace=trace, **fields) == said

    def test_counts_what_was_quarantined_with_the_commonest_reason(self, acme):
        outcomes = {
            "a": ["ok", ""],
            "b": ["quarantined", "email: missing"],
            "c": ["quarantined", "email: missing"],
        }

        said = sentence(
            acme, records=[{"id": key} for key in outcomes], ok=1, usage={}, trace={"outcomes": outcomes}
        )

        assert said == "1 of 3 records succeeded in 412 ms; 2 quarantined (email: missing)."

    def test_names_the_field_that_did_not_fit(self, acme):
        misfit = [{"field": "total", "reason": "not a number"}]
        outcomes = {"a": ["ok", ""], "b": ["quarantined", "It does not fit.", misfit], "c": ["ok", ""]}

        records = [{"id": key} for key in outcomes]
        said = sentence(acme, records=records, status="partial", ok=2, failed=1, trace={"outcomes": outcomes})

        assert said == (
            "1 of 3 records does not fit and was set aside (total: not a number); the other 2 are committed."
        )

    def test_names_the_task_it_made(self, acme):
        task = {"op": "task.create", "state": "done", "args": {"title": "URGENT: Hot lead scored 90/100"}}

        said = sentence(acme, usage={}, trace={"effects": [task, task]})

        assert said == (
            "All 3 records succeeded in 412 ms. Task: URGENT: Hot lead scored 90/100, and 1 more."
        )
