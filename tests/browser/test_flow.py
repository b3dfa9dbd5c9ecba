"""Pausing a trigger and resuming it, dead letters, and what is held, in a real browser."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_execution
from tests.triggers import engine
from tests.triggers.test_dead_letters import fail
from tests.triggers.test_held import hold, refuse
from triggers import config, dead_letters
from triggers.models import DeadLetterGroup

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCORE = "ContactTrigger.score_new_leads"


def look(page, name):
    """It fits, is accessible, and leaves a picture for whoever wants one: PICTURES names the folder."""
    from axe_playwright_python.sync_playwright import Axe

    assert fits(page)
    if folder := os.environ.get("PICTURES"):
        size = page.viewport_size["width"]
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        page.screenshot(path=Path(folder) / f"{name}-{scheme}-{size}.png", full_page=True)
    # Of our own part of the page; the frame is unfold's.
    found = Axe().run(page, context=".co-page", options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found.response["violations"]] == []


@pytest.fixture
def world(acme, globex, acme_standard, monkeypatch):
    monkeypatch.setattr(config, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(config, "FRESH_WHILE_PAUSED", 0.0)
    at = datetime.now(UTC)
    for minutes in (3, 70, 200):
        make_execution(acme, at=at - timedelta(minutes=minutes), wall_ms=900)
    fail(globex, at=at - timedelta(minutes=5))
    fail(acme, at=at - timedelta(hours=3))
    dead_letters.sweep_all()


@pytest.mark.usefixtures("world")
class TestPauseAndResume:
    @pytest.mark.parametrize("looks", [("dark", WIDE), ("light", PHONE)], ids=["wide", "phone"])
    def test_events_wait_and_then_run(self, console, live_server, acme, looks):
        runs = engine.Runs()
        worker = engine.supervisor(runs, engine.spec(SCORE))
        page = console(*looks)
        page.goto(f"{live_server.url}/admin/triggers/triggerconfig/")
        look(page, "triggers")
        page.click(f"[data-trigger='{SCORE}'] a.tg-name")
        page.wait_for_selector("#pause")
        assert not page.is_visible("[name=until]")
        page.fill("#pause [name=tenant]", "acme")
        page.check("#pause [name=ends][value=open]")
        page.fill("#pause [name=reason]", "The CRM is being migrated.")
        page.click("#do-pause")
        page.wait_for_selector("#resume")
        engine.put(acme, "lead-1")
        engine.drain(worker)
        page.reload()

        assert "1 event waits; about 1 s after resuming." in page.inner_text("#state")
        assert "The CRM is being migrated." in page.inner_text("#state")
        look(page, "trigger")
        page.click("#resume")
        page.wait_for_selector("text=1 event that waited runs now, in order.")
        worker.listen(engine.lane(acme).pk)
        engine.drain(worker)

        assert runs.batches == [["lead-1"]]
        assert engine.statuses(acme)["lead-1"] == ["succeeded"]


@pytest.mark.usefixtures("world")
class TestOtherPages:
    @pytest.mark.parametrize("looks", [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"])
    def test_dead_letters_held_and_refused(self, console, live_server, acme_standard, looks):
        hold(acme_standard.tenant, "provider-down", kind="Task")
        hold(acme_standard.tenant, "quota", kind="Note")
        refused = refuse(acme_standard, 1)
        group = DeadLetterGroup.objects.get()
        page = console(*looks)

        page.goto(f"{live_server.url}/admin/triggers/deadlettergroup/")
        look(page, "dead-letters")
        page.click("a.tg-name")
        page.wait_for_selector("#decide")
        look(page, "dead-letter")
        page.fill("#note", "Mended with release 12.")
        page.click("button[value=resolve]")
        page.wait_for_selector("text=If it fails again, it opens again")
        page.goto(f"{live_server.url}/admin/governor/parking/")
        look(page, "parked")
        page.goto(f"{live_server.url}/admin/triggers/refuseddelivery/{refused.code}/change/")
        look(page, "refused")

        group.refresh_from_db()
        assert group.status == "resolved"
