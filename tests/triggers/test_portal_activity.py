"""The portal's activity: a tenant's own executions in plain words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client

from tenants.records import store
from tenants.records.store import Change
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers import portal_words
from triggers.models import Execution

pytestmark = pytest.mark.django_db
SCORED = {"level": "info", "message": "scored", "data": {"leads": 3, "hot": 1}, "at": "", "line": 1}


@pytest.fixture
def visit(acme, globex):
    """``visit(person, path)``: a page of acme's portal."""
    clients = {}

    def page(person, path="/activity/", status=200):
        if person.pk not in clients:
            clients[person.pk] = Client(HTTP_HOST="acme.localhost")
            clients[person.pk].force_login(person)
        answer = clients[person.pk].get(path)
        assert answer.status_code == status
        return answer.content.decode()

    return page


class TestList:
    def test_says_in_plain_words_what_was_done(self, visit, acme, globex, member):
        make_execution(acme, trace={"entries": [SCORED]})
        make_execution(globex, trigger="T.secret_of_globex")

        page = visit(member)

        assert "Scored 3 leads: 1 hot." in page
        assert "globex" not in page

    def test_marks_dry_runs_replays_and_tests(self, visit, acme, owner):
        make_execution(acme, mode="dry", trace={"entries": [SCORED]})
        event = make_event(acme, origin="test")
        make_execution(acme, event_ids=[event.pk])
        first = make_execution(acme)
        make_execution(acme, replay_of=first)

        page = visit(owner)

        assert "Would score 3 leads" in page
        assert page.count(">Dry run<") == page.count(">Test<") == page.count(">Run again<") == 1

    def test_filters_by_result_day_and_record(self, visit, acme, globex, owner):
        failed = make_execution(acme, status="failed", ok=0, failed=3, error_code="script.raised")
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        make_execution(globex, at=at)
        old = make_execution(acme, at=at, code=UUID(int=(int(at.timestamp() * 1000) << 80) + 7))
        person = make_execution(acme, records=[{"id": "c-1", "email": "Ada@Example.test", "phone": ""}])

        def codes(query):
            page = visit(owner, f"/activity/?{query}")
            return {each.code for each in (failed, old, person) if str(each.code) in page}

        assert codes("status=failed") == {failed.code}
        assert codes("day=2026-03-02") == {old.code}
        assert codes("q=ada@example.test") == codes("q=c-1") == {person.code}
        assert codes("q=nobody@example.test") == set()
        assert "Nothing found" in visit(owner, "/activity/?q=nobody@example.test")

    @pytest.mark.parametrize(
        "query",
        ["before=x", f"after={10**20}", "day=2026-99-99", "status=odd", "q=%20", "day=0001-01-01"],
    )
    def test_takes_what_it_cannot_read_for_nothing(self, visit, acme, owner, query):
        make_execution(acme, trace={"entries": [SCORED]})

        assert "Activity" in visit(owner, f"/activity/?{query}")

    def test_pages_both_ways(self, visit, acme, owner):
        made = [make_execution(acme) for _ in range(30)]

        first = visit(owner)
        assert str(made[-1].code) in first
        assert str(made[4].code) not in first
        second = visit(owner, f"/activity/?before={made[5].pk}")
        assert str(made[4].code) in second
        back = visit(owner, f"/activity/?after={made[4].pk}")
        assert str(made[5].code) in back
        assert str(made[-1].code) in back

    def test_is_empty_at_first(self, visit, owner):
        assert "Nothing has run yet" in visit(owner)

    @pytest.mark.parametrize("rows", [3, 25])
    def test_costs_the_same_however_many_rows(self, visit, acme, owner, rows):
        for _ in range(rows):
            make_execution(acme, event_ids=[make_event(acme).pk], trace={"entries": [SCORED]})
        visit(owner)

        with counted("portal.activity"):
            visit(owner)


class TestOne:
    def test_tells_score_and_reasons(self, visit, acme, owner):
        at = datetime.now(UTC)
        execution = make_execution(acme, records=[{"id": "lead-1"}], now=at, trace={"entries": [SCORED]})
        score = {
            "lpr_score": 82.5,
            "lpr_hot": True,
            "lpr_scored_at": at.isoformat(),
            "lpr_attribution": [
                {"label": "visited the site", "points": 8, "source": "x", "value": 9},
                {"label": "intent is full", "points": -3},
                {"label": "called", "points": 12},
            ],
        }
        with connection.cursor() as cursor:
            changes = [Change("Contact", "insert", "lead-1", score)]
            store.apply_changes(
                cursor, schema=acme.schema_name, changes=changes, at=at, source_of={"Contact": "gohighlevel"}
            )

        page = visit(owner, f"/activity/{execution.code}/")

        assert "82.5/100" in page
        assert "+12 called, +8 visited the site" in page
        assert ">Hot<" in page

    def test_of_a_failure_says_what_happens_next_and_no_internals(self, visit, acme, owner):
        execution = make_execution(
            acme,
            status="failed",
            ok=0,
            failed=3,
            attempts=5,
            error_code="script.raised",
            error_detail="KeyError: 'zip' in /srv/scripts/contact.py",
            trace={"error": {"code": "script.raised", "traceback": "Traceback…", "detail": "KeyError"}},
        )

        page = visit(owner, f"/activity/{execution.code}/")

        assert "Nothing was changed for 3 contacts" in page
        assert "It was tried 5 times." in page
        assert "KeyError" not in page
        assert "Traceback" not in page

    def test_of_a_retry_says_when(self, visit, acme, owner):
        execution = make_execution(
            acme,
            status="queued",
            finished_at=None,
            attempts=1,
            error_code="script.callout-failed",
            next_attempt_at=datetime.now(UTC) + timedelta(minutes=5),
        )

        page = visit(owner, f"/activity/{execution.code}/")

        assert "Could not reach a service it needs; it will be tried again." in page
        assert "It is tried again at" in page

    def test_of_other_tenants_is_not_found(self, visit, globex, owner, stranger):
        other = make_execution(globex)

        visit(owner, f"/activity/{other.code}/", status=404)
        visit(owner, "/activity/not-an-id/", status=404)
        visit(stranger, "/activity/", status=404)


class TestWords:
    def said(self, **fields):
        defaults = {"trigger": "T.do_it", "object": "Contact", "size": 2, "ok": 2, "status": "succeeded"}
        return portal_words.line_of(Execution(**{**defaults, **fields}))

    def test_name_triggers_and_records_as_people_do(self):
        assert self.said() == "Do it: 2 contacts done."
        assert self.said(object="Opportunity", size=3) == "Do it: 3 opportunities done."
        assert self.said(ok=0, skipped=2) == "Do it: looked at 2 contacts, nothing to do."

    def test_tell_a_limit_and_whose_fault_it_is(self):
        failed = {"status": "failed", "ok": 0, "failed": 2}
        assert self.said(**failed, limit_name="api_calls").startswith("Stopped at a limit (API calls).")
        told = self.said(**failed, error_code="lpr.bad-settings", error_detail="lpr.points.x is none.")
        assert told.startswith("The scoring settings cannot be used: lpr.points.x is none.")
        assert self.said(**failed, error_code="script.raised", error_detail="boom").startswith(
            "The agent's script failed."
        )
