"""The filters of the executions list, saved views, and moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils.timezone import now

from tenants.models import AuditEvent
from tests.rows import make_execution
from triggers import moments
from triggers.models import SavedView

LIST = "/admin/triggers/execution/"
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DENVER = ZoneInfo("America/Denver")


@pytest.fixture
def rows(acme, globex):
    """One execution of each kind; the name of its trigger says which."""
    return {
        name: make_execution(tenant, trigger=f"Kind.{name}", **fields)
        for name, tenant, fields in [
            ("plain", acme, {}),
            ("failed", acme, {"status": "failed", "error_code": "script.raised"}),
            (
                "limit",
                globex,
                {"status": "failed", "error_code": "governor.limit-exceeded", "limit_name": "api_calls"},
            ),
            ("partial", globex, {"status": "partial", "release": "r2"}),
            ("errors", acme, {"with_errors": True}),
            ("dry", globex, {"mode": "dry", "records": [{"id": "lead-9"}]}),
            ("old", acme, {"at": now() - timedelta(hours=3)}),
        ]
    }


def kinds(answer):
    shown = answer.content.decode()
    return {
        name
        for name in ("plain", "failed", "limit", "partial", "errors", "dry", "old")
        if f"Kind.{name}</span>" in shown
    }


@pytest.mark.django_db
class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"status": "failed"}, {"failed", "limit"}),
            ({"status": ["failed", "partial"]}, {"failed", "limit", "partial"}),
            ({"status": "failed,partial"}, {"failed", "limit", "partial"}),
            ({"status__exact": "partial"}, {"partial"}),
            ({"status": "no such status"}, set()),
            ({"error": "script.raised"}, {"failed"}),
            ({"limit": "api_calls"}, {"limit"}),
            ({"with_errors__exact": "1"}, {"errors"}),
            ({"mode__exact": "dry"}, {"dry"}),
            ({"release": "r2"}, {"partial"}),
            ({"record": "lead-9"}, {"dry"}),
            ({"trigger": "Kind.old"}, {"old"}),
            ({"when": "1h"}, {"plain", "failed", "limit", "partial", "errors", "dry"}),
            ({"when": "24h", "trigger": "Kind.old"}, {"old"}),
            ({"from": "2 hours ago", "status": "failed"}, {"failed", "limit"}),
            ({"from": "1990-01-01", "to": "1990-01-02"}, set()),
            ({"from": "1990-01-01", "zone": "No/Where", "status": "partial"}, {"partial"}),
        ],
    )
    def test_narrow(self, console, rows, query, found):
        assert kinds(console.get(LIST, query)) == found

    def test_by_tenant(self, console, rows, globex):
        assert kinds(console.get(LIST, {"tenant__id__exact": globex.pk})) == {"limit", "partial", "dry"}

    def test_times_are_those_of_the_readers_zone(self, console, acme):
        make_execution(acme, trigger="Kind.plain")
        there = now().astimezone(ZoneInfo("Asia/Tokyo"))
        later = {"from": f"{there + timedelta(minutes=5):%Y-%m-%d %H:%M}", "zone": "Asia/Tokyo"}
        before = {"from": f"{there - timedelta(minutes=5):%Y-%m-%d %H:%M}", "zone": "Asia/Tokyo"}

        assert kinds(console.get(LIST, later)) == set()
        assert kinds(console.get(LIST, before)) == {"plain"}

    @pytest.mark.parametrize("query", [{"when": "soon"}, {"from": "the day before"}, {"to": "9999-12-31T25"}])
    def test_a_time_that_is_none_is_told_and_finds_nothing(self, console, rows, query):
        answer = console.get(LIST, query)

        assert answer.status_code == 200
        assert kinds(answer) == set()
        assert "Time: " in answer.content.decode()


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "is_end", "said"),
        [
            ("2026-03-02 09:30", False, "2026-03-02T16:30"),
            ("2026-03-02T09:30:00Z", False, "2026-03-02T09:30"),
            ("09:30", False, "2026-03-02T16:30"),
            ("today", False, "2026-03-02T07:00"),
            ("today", True, "2026-03-03T07:00"),
            ("yesterday", False, "2026-03-01T07:00"),
            ("yesterday at 18:05", False, "2026-03-02T01:05"),
            ("2026-02-01", True, "2026-02-02T07:00"),
            ("2 hours ago", False, "2026-03-02T10:00"),
            ("15m", False, "2026-03-02T11:45"),
            ("now", True, "2026-03-02T12:00"),
        ],
    )
    def test_are_read_where_the_reader_is(self, text, is_end, said):
        read = moments.read(text, at=AT, zone=DENVER, is_end=is_end)

        assert read.isoformat().startswith(said)
        assert read.utcoffset() == timedelta()

    @pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-02-30", "x" * 61, "9999-12-31"])
    def test_refuse_what_is_no_time(self, text):
        with pytest.raises(ValueError, match=r"time|empty"):
            moments.read(text, at=AT, zone=DENVER, is_end=True)


def save(client, **fields):
    return client.post(f"{LIST}views/save/", {"name": "Mine", "query": "status=failed", **fields})


@pytest.mark.django_db
class TestSavedViews:
    def test_are_kept_shown_and_deleted_with_a_word(self, console, rows):
        answer = save(console, query="?status=failed&p=3&trigger=")

        assert answer.headers["Location"] == f"{LIST}?status=failed"
        shown = console.get(answer.headers["Location"])
        assert "is saved; only you see it" in shown.content.decode()
        assert kinds(shown) == {"failed", "limit"}
        view = SavedView.objects.get()
        console.post(f"{LIST}views/{view.code}/delete/")
        assert not SavedView.objects.exists()
        assert list(AuditEvent.objects.order_by("id").values_list("verb", flat=True)) == [
            "view.saved",
            "view.deleted",
        ]

    def test_only_shared_ones_are_seen_by_others_who_cannot_delete_them(self, console, django_user_model):
        save(console, name="Private one")
        save(console, name="Shared one", shared="1", query="status=partial")
        second = Client()
        second.force_login(django_user_model.objects.create_superuser("second", password="x"))

        shown = second.get(LIST).content.decode()

        assert "Shared one" in shown
        assert "Private one" not in shown
        view = SavedView.objects.get(name="Shared one")
        answer = second.post(f"{LIST}views/{view.code}/delete/", follow=True)
        assert "There is no such view of yours." in answer.content.decode()
        assert SavedView.objects.filter(name="Shared one").exists()

    @pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x" * 61}, {"query": ""}, {"query": "p=2"}])
    def test_refuse_what_says_nothing(self, console, fields):
        answer = console.post(
            f"{LIST}views/save/", {"name": "Mine", "query": "status=failed", **fields}, follow=True
        )

        assert answer.status_code == 200
        assert not SavedView.objects.exists()

    def test_a_name_is_one_view(self, console):
        save(console)
        save(console, query="status=partial")

        assert SavedView.objects.get().query == "status=partial"

    def test_want_a_post_and_the_right_to_see_the_list(self, console, viewer):
        assert save(viewer).status_code == 403
        assert viewer.get(f"{LIST}views/save/").status_code == 403
