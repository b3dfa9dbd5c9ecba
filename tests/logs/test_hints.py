"""What to do: a sentence for every code that the engine, the governor or the SDK can raise."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from governor.limits import LIMITS
from logs.curl import as_curl, is_shortened
from logs.hints import HINTS, OF_LIMITS, UNKNOWN, hint

ROOT = Path(__file__).resolve().parent.parent.parent
# Where the codes of executions and records come from.
FOLDERS = ("circuitos/script", "governor/jail", "tenants/records", "triggers/crm", "triggers/schemas")
# Of the governor what an execution goes through; the others speak to people.
GOVERNOR = (
    *("ai", "ai_answer", "ai_wire", "broker", "callouts", "changes", "door", "egress", "enrichment"),
    *("host_watch", "meter", "on_limit", "ops", "questions", "quotas", "targets", "trips", "verdict"),
    "judgment/authority",
)
MODULES = ("bisect", "launch", "members", "outage", "registry", "runner")
SOURCES = [
    *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")),
    ROOT / "tenants/secrets.py",
    *(ROOT / f"governor/{name}.py" for name in GOVERNOR),
    *(ROOT / f"triggers/{name}.py" for name in MODULES),
]
_CODE = re.compile(r"(?:governor|triggers|script|records|tenants|judgment)\.[a-z]+(?:-[a-z]+)*")
# Names of requests, modules and tables of the same form; and what people, not executions, are told.
NO_ERRORS = {
    "governor.broker",
    "records.delete",
    "records.get",
    "records.insert",
    "records.query",
    "records.update",
    "records.upsert",
    "tenants.records",
    # Of connections: pages say them with what to do.
    "triggers.access-revoked",
    "triggers.crm-unauthorised",
    "triggers.crm-unavailable",
    "triggers.no-definitions",
    "triggers.not-renewed",
    "triggers.read-refused",
}


def codes():
    for path in SOURCES:
        if "testing" in path.parts or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
                yield node.value


def document(**fields):
    return {
        "error": None,
        "limit_name": "",
        "error_code": "",
        "with_errors": False,
        "status": "failed",
        **fields,
    }


class TestHints:
    def test_there_is_one_for_every_code(self):
        found = set(codes())
        assert len(found) > 60

        assert sorted(found - set(HINTS) - NO_ERRORS) == []

    def test_there_is_none_for_a_code_that_is_gone(self):
        assert sorted(set(HINTS) - set(codes())) == []

    def test_there_is_one_for_every_limit(self):
        assert set(OF_LIMITS) == set(LIMITS)

    @pytest.mark.parametrize("sentence", [*HINTS.values(), *OF_LIMITS.values()])
    def test_are_sentences(self, sentence):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert 20 < len(sentence) < 240

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"error_code": "script.raised"}, HINTS["script.raised"]),
            ({"error_code": "governor.limit-exceeded", "limit_name": "api_calls"}, OF_LIMITS["api_calls"]),
            ({"error": {"code": "governor.timeout"}}, HINTS["governor.timeout"]),
            ({"error_code": "mine.own"}, UNKNOWN),
            ({"status": "succeeded"}, ""),
            ({"status": "queued"}, ""),
            (
                {"status": "succeeded", "with_errors": True},
                "Read the log's errors: the script caught them and went on.",
            ),
        ],
    )
    def test_fit_the_end(self, fields, said):
        assert hint(document(**fields)) == said


class TestCurl:
    def test_repeats_the_request_and_keeps_the_secrets_name(self):
        command = as_curl(
            {
                "method": "post",
                "url": "https://api.test/a b",
                "params": {"page": 2},
                "headers": {"Authorization": "Bearer {{secret:CRM_KEY}}"},
                "json": {"it": "isn't"},
            }
        )

        assert command.startswith("curl -sS -X POST 'https://api.test/a b?page=2'")
        assert "-H 'Authorization: Bearer {{secret:CRM_KEY}}'" in command
        assert "-H 'content-type: application/json'" in command
        assert """--data-raw '{"it": "isn'"'"'t"}'""" in command

    def test_is_nothing_for_what_is_no_request(self):
        assert as_curl({"object": "Contact"}) == ""

    @pytest.mark.parametrize(
        ("args", "expected"),
        [
            ({"json": {"rows": [1, 2, 3, "… 9 more"]}}, True),
            ({"body": "<2,000 bytes>"}, True),
            ({"json": {"text": "long…"}}, True),
            ({"json": {"text": "short"}}, False),
        ],
    )
    def test_says_when_the_trace_shortened_it(self, args, expected):
        assert is_shortened(args) is expected
