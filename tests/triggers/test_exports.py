"""Lists as files: what is on the list, harmless in a spreadsheet, bounded, and noted."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tenants import exports
from tenants.models import AuditEvent
from tests.rows import make_event, make_execution
from triggers.admin import ExecutionAdmin

pytestmark = pytest.mark.django_db
EXECUTIONS = "/admin/triggers/execution/export/"


def text_of(answer):
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def lines_of(answer):
    return list(csv.DictReader(io.StringIO(text_of(answer))))


class TestCsv:
    def test_has_the_rows_the_filters_leave(self, console, acme, globex):
        make_execution(acme, trigger="A.one")
        make_execution(acme, trigger="A.two")
        make_execution(globex, trigger="A.one")

        shown = lines_of(console.get(f"{EXECUTIONS}csv/?trigger=A.one&tenant__id__exact={acme.pk}"))

        assert [(row["tenant"], row["trigger"]) for row in shown] == [("acme", "A.one")]

    @pytest.mark.parametrize("head", ["=", "+", "-", "@", "\t", "\r"])
    def test_computes_nothing(self, console, acme, head):
        make_execution(acme, trigger=f"{head}cmd|' /C calc'!A0")

        (row,) = lines_of(console.get(f"{EXECUTIONS}csv/"))

        assert row["trigger"].startswith(f"'{head}")

    def test_shows_no_person(self, console, acme):
        make_execution(acme, status="failed", error_code="script.raised", error_detail="no ada@example.test")

        (row,) = lines_of(console.get(f"{EXECUTIONS}csv/"))

        assert "ada@example" not in row["error_detail"]
        assert row["error_detail"].startswith("no a***@")

    def test_says_when_it_was_cut(self, console, acme, monkeypatch):
        for _ in range(4):
            make_execution(acme)
        monkeypatch.setattr(exports, "BATCH", 2)
        monkeypatch.setattr(ExecutionAdmin, "most_exported", 3)

        shown = text_of(console.get(f"{EXECUTIONS}csv/")).splitlines()

        assert len(shown) == 1 + 3 + 1
        assert "cut after 3 rows" in shown[-1]


class TestJson:
    def test_is_one_document(self, console, acme, globex, monkeypatch):
        monkeypatch.setattr(exports, "BATCH", 2)
        codes = [str(make_execution(tenant).code) for tenant in (acme, globex, acme)]

        told = json.loads(text_of(console.get(f"{EXECUTIONS}json/?p=2&o=1")))

        assert [row["id"] for row in told["results"]] == codes[::-1]
        assert told["results"][0]["usage"]["api_calls"] == [3, 50]
        assert told["is_cut"] is False

    def test_events_and_the_audit_log_too(self, console, acme, globex):
        make_event(acme, record_id="lead-1")
        make_event(globex, record_id="lead-2")

        events = json.loads(text_of(console.get("/admin/triggers/event/export/json/?record=lead-1")))
        audit = json.loads(text_of(console.get("/admin/tenants/auditevent/export/json/")))

        assert [row["record_id"] for row in events["results"]] == ["lead-1"]
        assert "body" not in events["results"][0]
        assert "exported" in [row["verb"] for row in audit["results"]]


class TestWho:
    def test_is_noted_with_its_filter(self, console, acme):
        text_of(console.get(f"{EXECUTIONS}csv/?q=ada@example.test"))

        noted = AuditEvent.objects.get(verb="exported")
        assert noted.target == "executions"
        assert noted.data["form"] == "csv"
        assert "ada@example" not in str(noted.data)

    def test_needs_the_right_to_look(self, viewer, acme):
        make_execution(acme)

        assert viewer.get(f"{EXECUTIONS}csv/").status_code == 403
        assert not AuditEvent.objects.filter(verb="exported").exists()

    def test_another_form_is_not_found(self, console):
        assert console.get(f"{EXECUTIONS}xlsx/").status_code == 404

    def test_the_list_links_to_it_as_it_is_filtered(self, console, acme):
        make_execution(acme, trigger="A.one")

        page = console.get("/admin/triggers/execution/?trigger=A.one&p=1").content.decode()

        assert "/export/csv/?trigger=A.one" in page
