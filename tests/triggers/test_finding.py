"""What the console's search finds, and that its palette finds it too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.rows import make_event, make_execution
from triggers.models import Dedup

pytestmark = pytest.mark.django_db
LIST = "/admin/triggers/execution/"


def dedup(connection, key, event):
    at = datetime.now(UTC)
    return Dedup.objects.create(
        connection_id=connection.pk,
        key=key,
        event_code=event.code,
        seen_at=at,
        expires_at=at + timedelta(days=7),
    )


@pytest.fixture
def wanted(acme, globex, acme_ghl):
    """A failed execution of acme's, beside one of globex's that differs in all that is searched."""
    event = make_event(acme, record_id="lead-9")
    dedup(acme_ghl, "wh-7f3a", event)
    # Another event of the same record, which another execution ran over.
    other = make_event(acme, record_id="lead-9")
    make_execution(acme, trigger="Other.one", records=[{"id": "lead-9"}], event_ids=[other.pk])
    make_execution(
        globex,
        trigger="Other.two",
        status="failed",
        error_code="script.raised",
        error_type="ValueError",
        error_detail="no such field: email",
    )
    return make_execution(
        acme,
        trigger="Wanted.one",
        status="failed",
        error_code="script.raised",
        error_type="KeyError",
        error_detail="'visits_last-week'",
        records=[{"id": "lead-9", "email": "ada@example.test", "phone": "3035550142"}],
        event_ids=[event.pk],
        event_codes=[event.code],
    )


class TestFinding:
    @pytest.mark.parametrize(
        "said",
        [
            "ada@example.test",
            "+1 303-555-0142",
            "wh-7f3a",
            "KeyError: 'visits_last-week'",
            "keyerror visits",
            "visits_la",
            "the id",
            "the end of the id",
            "the event's id",
        ],
    )
    def test_finds_it_and_no_other(self, console, wanted, said):
        query = {
            "the id": str(wanted.code),
            "the end of the id": str(wanted.code)[-12:].upper(),
            "the event's id": str(wanted.event_codes[0]),
        }.get(said, said)

        shown = console.get(LIST, {"q": query}).content.decode()

        assert "Wanted.one" in shown
        assert "Other." not in shown

    @pytest.mark.parametrize(
        "query",
        [
            "01a20efe-af43-716f-9db4-edda6e987c6a",
            "0" * 12,
            "nobody@example.test",
            "wh-none",
            "' & | ! ( :*",
            "<->",
        ],
    )
    def test_finds_nothing_and_never_breaks(self, console, wanted, query):
        answer = console.get(LIST, {"q": query})

        assert answer.status_code == 200
        assert "Wanted.one" not in answer.content.decode()

    @pytest.mark.parametrize("query", ["wh-7f3a", "KeyError", "lead-9"])
    def test_the_palette_finds_it(self, console, wanted, query):
        found = console.get("/admin/search/", {"s": query, "extended": "1"}).content.decode()

        assert f"{LIST}{wanted.code}/change/" in found

    @pytest.mark.parametrize(
        ("query", "title"),
        [("glob", "Globex"), ("refused del", "Refused deliveries"), ("score_new", "score_new_leads")],
    )
    def test_the_palette_finds_tenants_pages_and_triggers(self, console, globex, query, title):
        found = console.get("/admin/search/", {"s": query, "extended": "1"}).content.decode()

        assert title in found

    def test_the_palette_shows_no_executions_to_those_who_may_not_see_them(self, viewer, wanted):
        found = viewer.get("/admin/search/", {"s": "KeyError", "extended": "1"}).content.decode()

        assert str(wanted.code) not in found
