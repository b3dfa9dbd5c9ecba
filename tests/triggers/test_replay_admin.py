"""Bulk replays in the console: from the list's filter over the preview to the progress page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.triggers.engine import Runs, drain, poisoned_by, spec, supervisor
from triggers import bulk_feed, bulk_replay
from triggers.models import Execution, Replay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("replayable")]
LIST = "/admin/triggers/execution/"
NEW = "/admin/triggers/replay/new/"
FAILED = {"matching": "status=failed"}


def text(answer):
    return answer.content.decode()


def token_of(answer):
    return re.search(r'name="token" value="([^"]+)"', text(answer))[1]


def begin(console, **extra):
    """The replay that starts from the preview of all failures."""
    token = token_of(console.get(NEW, FAILED))
    console.post(NEW, {**FAILED, "token": token, **extra})
    with every_tenant():
        return Replay.objects.get()


class TestList:
    def test_leads_to_all_that_its_filter_finds(self, console, failures):
        shown = text(console.get(f"{LIST}?status=failed"))

        assert f"{NEW}?matching={quote('status=failed')}" in shown
        assert "Replay all matching" not in text(console.get(LIST))

    def test_leads_to_what_was_ticked(self, console, failures):
        with every_tenant():
            chosen = Execution.objects.get(record_ids=["g0"])

        answer = console.post(
            LIST, {"action": "replay_selected", "_selected_action": [chosen.pk]}, follow=True
        )

        assert "This runs 1 execution again, over 1 event." in text(answer)
        assert "Selected by hand" in text(answer)


class TestPreview:
    def test_tells_what_would_run_and_starts_nothing(self, console, failures):
        shown = text(console.get(NEW, FAILED))

        assert "This runs 3 executions again, over 3 events, of 2 tenants." in shown
        assert "Acme" in shown
        assert "Globex" in shown
        with every_tenant():
            assert not Replay.objects.exists()

    def test_follows_the_lists_filter_by_tenant(self, console, failures, globex):
        shown = text(console.get(NEW, {"matching": f"status=failed&tenant__id__exact={globex.pk}"}))

        assert "This runs 1 execution again" in shown
        assert "Acme" not in shown

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"matching": "p=2"},
            {"matching": "nonsense__lookup=1"},
            {"matching": "status=failed", "mode": "wild"},
            {"matching": "status=failed", "release": "v9"},
        ],
    )
    def test_what_cannot_be_leads_back_with_a_sentence(self, console, failures, query):
        answer = console.get(NEW, query, follow=True)

        assert answer.redirect_chain[0][0].startswith(LIST)
        assert answer.status_code == 200

    def test_nothing_selected_has_nothing_to_start(self, console, failures):
        shown = text(console.get(NEW, {"ids": "nonsense"}))

        assert "Nothing that matches can be replayed." in shown
        assert 'name="token"' not in shown

    def test_costs_a_fixed_number_of_queries(self, console, failures):
        with counted("console.replay.new"):
            console.get(NEW, FAILED)


class TestStart:
    def test_runs_and_shows_what_became_of_each(self, console, failures):
        made = begin(console)

        at = datetime.now(UTC)
        bulk_feed.feed(at=at)
        drain(supervisor(Runs(poisoned_by("a1")), spec(batch_size=1)))
        bulk_feed.feed(at=at)
        page = f"/admin/triggers/replay/{made.code}/change/"
        shown = text(console.get(page))

        assert "Done: 2 of 3 executions succeeded." in shown
        assert shown.count("was failed, now succeeded") == 2
        assert "still failed" in shown
        assert "every 2s" not in shown
        assert shown.count("still failed") == 1
        assert text(console.get(f"{page}?status=failed")).count("was failed, now succeeded") == 0
        assert "3 executions, live" in text(console.get("/admin/triggers/replay/"))
        with every_tenant():
            item = made.items.select_related("original", "made").first()
        for execution in (item.original, item.made):
            assert str(made.code) in text(console.get(f"{LIST}{execution.code}/change/"))

    def test_a_selection_that_changed_is_previewed_again(self, console, failures):
        token = token_of(console.get(NEW, FAILED))
        with every_tenant():
            Execution.objects.filter(record_ids=["a0"]).update(status="succeeded")

        answer = console.post(NEW, {**FAILED, "token": token})

        assert "has changed since the preview" in text(answer)
        assert "This runs 2 executions again" in text(answer)
        with every_tenant():
            assert not Replay.objects.exists()

    def test_asks_again_who_it_is(self, console, failures):
        token = token_of(console.get(NEW, FAILED))
        session = console.session
        session["proved_at"] = 0
        session.save()

        answer = console.post(NEW, {**FAILED, "token": token})

        assert answer.status_code == 302
        assert quote(f"{NEW}?matching=", safe="") in answer.url
        with every_tenant():
            assert not Replay.objects.exists()

    @pytest.mark.parametrize("typed", ["", "2", "three"])
    def test_of_many_has_to_be_typed(self, console, failures, monkeypatch, typed):
        monkeypatch.setattr(bulk_replay, "CONFIRM_OVER", 2)
        monkeypatch.setattr("triggers.replay_page.CONFIRM_OVER", 2)
        preview = console.get(NEW, FAILED)

        refused = console.post(NEW, {**FAILED, "token": token_of(preview), "confirm": typed})

        assert "Type <b>3</b> to confirm" in text(preview)
        assert "confirm by writing 3" in text(refused)
        with every_tenant():
            assert not Replay.objects.exists()
        assert begin(console, confirm="3").total == 3


class TestProgress:
    def test_looks_again_while_it_runs_and_can_be_cancelled(self, console, failures):
        made = begin(console)
        page = f"/admin/triggers/replay/{made.code}/"

        assert "every 2s" in text(console.get(f"{page}change/"))
        assert text(console.get(f"{page}progress/")).strip().startswith("<div")
        assert console.get(f"{page}cancel/").status_code == 405
        answer = console.post(f"{page}cancel/", follow=True)

        assert "Cancelled: 3 of 3 executions never started." in text(answer)
        assert "has ended already" in text(console.post(f"{page}cancel/", follow=True))

    def test_costs_a_fixed_number_of_queries(self, console, failures):
        made = begin(console)
        bulk_feed.feed(at=datetime.now(UTC))

        with counted("console.replay.progress"):
            console.get(f"/admin/triggers/replay/{made.code}/change/")
        with counted("console.replay.list"):
            console.get("/admin/triggers/replay/")

    def test_of_none_is_404(self, console):
        code = "01a20f02-9d41-7513-9cc0-fe8f240798d1"

        assert console.get(f"/admin/triggers/replay/{code}/change/").status_code == 404
        assert console.post(f"/admin/triggers/replay/{code}/cancel/").status_code == 404


class TestAccess:
    def test_who_may_not_replay_neither_previews_nor_starts_nor_cancels(self, client, failures, viewer):
        with every_tenant():
            made = bulk_replay.start(
                Execution.objects.filter(status="failed"), filter={}, actor="operator", at=datetime.now(UTC)
            )

        assert client.get(NEW, FAILED).status_code == 403
        assert client.post(NEW, FAILED).status_code == 403
        assert client.post(f"/admin/triggers/replay/{made.code}/cancel/").status_code == 403
        assert client.get(f"/admin/triggers/replay/{made.code}/change/").status_code == 403

    def test_nobody_adds_edits_or_deletes(self, console, failures):
        made = begin(console)

        assert console.get("/admin/triggers/replay/add/").status_code == 403
        assert console.post(f"/admin/triggers/replay/{made.code}/delete/").status_code == 403
