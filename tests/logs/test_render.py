"""A trace on a terminal: legible, complete where it matters, harmless with hostile text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from governor.recorder import short_args
from logs.document import trace_document
from logs.render import line_of, render_trace
from logs.summary import summary
from logs.vocabulary import duration, fold, meters, quantity, word
from tenants.scope import every_tenant
from tests.rows import make_execution
from triggers import history

pytestmark = pytest.mark.django_db


def printed(tenant, *, is_full=False, width=110, trace=None, **fields):
    execution = make_execution(tenant, trace=trace, **fields)
    with every_tenant():
        document = history.document_of(execution)
    out = io.StringIO()
    render_trace(document, Console(file=out, width=width, highlight=False), is_full=is_full)
    return out.getvalue()


class TestRenderTrace:
    def test_shows_cause_timings_limits_and_log(self, acme):
        text = printed(
            acme,
            trace={
                "spans": [
                    {"name": "claim", "kind": "phase", "at_ms": 0, "ms": 8},
                    {"name": "jail", "kind": "jail", "at_ms": 8, "ms": 390},
                    {"name": "http", "kind": "callout", "at_ms": 20, "ms": 120, "parent": 1},
                ],
                "entries": [{"level": "warning", "message": "slow", "data": {"ms": 120}}],
                "effects": [{"op": "http", "args": {"method": "GET", "url": "https://x.test/"}, "ms": 120}],
                "usage": {"api_calls": [50, 50], "memory_mb": [104, 128], "cpu_ms": [10, 10_000]},
            },
        )

        limits = ("50 / 50", "✕ reached", "▲ close")
        for part in ("All 3 records succeeded", "  http", *limits, "▲ Warning", "GET x.test/"):
            assert part in text, part

    def test_folds_long_runs_unless_all_is_wanted(self, acme):
        trace = {"spans": [{"name": f"call {n}", "kind": "callout", "at_ms": n, "ms": 1} for n in range(60)]}

        short, full = printed(acme, trace=trace), printed(acme, trace=trace, is_full=True)

        assert "45 more like these" in short
        assert "call 30" not in short
        assert "call 59" in short
        assert "call 30" in full

    def test_hostile_text_is_shown_as_text(self, acme):
        text = printed(
            acme,
            trigger="[red]Evil[/red]",
            trace={
                "entries": [{"level": "info", "message": "[/bold] [link=x]"}],
                "outcomes": {"[b]": ["failed", "[/]", None]},
                "spans": [{"name": "[/]"}],
                "error": {"type": "[/]", "detail": "[x]", "traceback": "[/y]"},
            },
        )

        assert "[red]Evil[/red]" in text
        assert "[/bold] [link=x]" in text

    def test_an_unfinished_execution_has_a_page_too(self, acme):
        assert "Waiting for its turn" in printed(
            acme, status="queued", started_at=None, finished_at=None, wall_ms=None, usage={}
        )

    def test_a_line_for_each_in_logs(self, acme):
        row = history.row_of(make_execution(acme, status="failed", error_code="triggers.script-error"))

        assert "✕ Failed" in line_of(row).plain
        assert row["id"] in line_of(row).plain


class TestVocabulary:
    def test_tones_turn_amber_at_80_and_red_at_100_percent(self):
        tones = {
            row["used"]: row["tone"] for used in (39, 40, 50, 51) for row in meters({"api_calls": [used, 50]})
        }

        assert tones == {39: "good", 40: "warn", 50: "bad", 51: "bad"}

    def test_odd_usage_is_passed_over(self):
        assert meters({"api_calls": [1], "x": None, "y": ["a", "b"], "zero": [0, 0]})[0]["name"] == "zero"

    def test_lengths_and_amounts_as_people_read_them(self):
        assert [duration(ms) for ms in (None, 0.8, 5, 412, 1310, 30_000, 125_000, 7_300_000)] == [
            "–", "0.8 ms", "5 ms", "412 ms", "1.31 s", "30 s", "2 min 5 s", "2 h 1 min",
        ]  # fmt: skip
        assert quantity(10_000) == "10,000"
        assert quantity(12.5, "MB") == "12.5 MB"

    def test_fold_keeps_head_and_tail(self):
        assert fold(list(range(10)), most=10) == (list(range(10)), 0, [])
        assert fold(list(range(10)), most=6) == ([0, 1, 2, 3], 4, [8, 9])

    def test_an_unknown_status_is_said_as_it_is(self):
        assert word("held-up").label == "Held up"

    def test_summary_counts_the_rows_that_the_trace_left_out(self):
        args = short_args({"object": "Contact", "rows": [{"id": str(number)} for number in range(1200)]})

        assert summary(args) == "object=Contact · rows=1,200 items"

    def test_summary_puts_the_call_first(self):
        assert summary({"b": 1, "url": "https://x.test", "method": "POST"}) == "POST x.test · b=1"


class TestDocument:
    def test_failed_records_come_first_and_relatives_are_told(self, acme):
        first = make_execution(acme)
        replayed = make_execution(acme, replay_of=first)
        half = make_execution(acme, parent=first)

        document = trace_document(first, trace=None, relatives=[replayed, half])

        assert [row["id"] for row in document["replays"]] == [str(replayed.code)]
        assert [row["id"] for row in document["halves"]] == [str(half.code)]
        assert trace_document(replayed, trace=None, relatives=[first])["replay_of"] == str(first.code)

    def test_the_limit_that_stopped_it_stands_first_and_red(self, acme):
        execution = make_execution(
            acme,
            status="failed",
            limit_name="cpu_ms",
            usage={"api_calls": [1, 50], "cpu_ms": [9_990, 10_000]},
        )

        first = trace_document(execution, trace=None)["meters"][0]

        assert (first["name"], first["tone"], first["is_cause"]) == ("cpu_ms", "bad", True)
