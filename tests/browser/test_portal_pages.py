"""The portal in a real browser: a tenant connects, rotates a secret, sends a test event and sees it run."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tenants.tokens import issue
from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_execution
from tests.triggers import engine
from triggers import delivery_connections, group_commit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCORED = {"level": "info", "message": "scored", "data": {"leads": 3, "hot": 1}, "at": "", "line": 1}
MATTERS = {"critical", "serious", "moderate"}


@pytest.fixture(autouse=True)
def _group_commit_ends(transactional_db):
    delivery_connections.forget()
    yield
    for thread in threading.enumerate():
        if thread.name in {"lots", "refused"}:
            thread.join()
    group_commit.stop()


@pytest.fixture
def portal(open_page, live_server, owner, globex, client):
    """``portal(path, scheme, size, …)``: a page of acme's portal, entered by its owner."""

    def enter(path="", scheme="dark", size=WIDE, **options):
        page = open_page(scheme, size, **options)
        client.force_login(owner)
        cookie = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page.goto(f"{live_server.url}/t/acme/{path}")
        return page

    return enter


def keep(page, name):
    """For a look at what was tested: ``SCREENSHOTS`` names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def faults(page):
    """What axe-core finds."""
    found = Axe().run(page).response["violations"]
    return [
        f"{page.url} {each['id']}: {each['nodes'][0]['html'][:120]}"
        for each in found
        if each["impact"] in MATTERS
    ]


class TestConnections:
    def test_connects_rotates_and_sees_a_test_event_run(self, portal, acme):
        page = portal("connections/")
        page.click("a:text('Connect Standard Webhooks')")
        page.fill("#id_name", "Web shop")
        page.click("main button:text('Connect')")
        first = page.input_value("#secret")
        assert first.startswith("whsec_")
        keep(page, "connection-new-secret")

        page.click("button:text('Rotate the secret')")
        page.wait_for_selector("text=The old one still verifies until")
        assert page.input_value("#secret") != first
        assert "Waiting for the first event" in page.inner_text("#arrived")

        page.click("button:text('Send a test event')")
        page.wait_for_selector("#arrived >> text=Received at")
        assert "Contact insert" in page.inner_text("#arrived")
        keep(page, "connection-waiting")
        engine.drain(engine.supervisor(engine.Runs(engine.scoring)))
        page.wait_for_selector("#arrived .pill.good")
        page.click("#arrived a:text('Score')")
        page.wait_for_selector("h1:text('1 contact done')")
        assert "Test: not counted" in page.inner_text("main")

    def test_needs_no_javascript(self, portal, acme_standard):
        page = portal(f"connections/{acme_standard.code}/", java_script_enabled=False)
        assert "Waiting for the first event" in page.inner_text("#arrived")

        page.click("button:text('Send a test event')")
        page.wait_for_selector("#arrived >> text=Received at")
        page.click("button:text('Pause')")
        page.wait_for_selector("text=is switched off")
        assert page.locator("button:text('Copy'):visible").count() == 0


class TestData:
    @pytest.mark.parametrize(("scheme", "size"), [("dark", WIDE), ("light", PHONE)])
    def test_finds_copies_and_erases_a_contact(self, portal, acme, scheme, size):
        make_execution(acme, records=[{"id": "lead-7", "email": "ada@example.test"}])
        page = portal("data/", scheme, size)

        page.fill("#id_contact", "lead-7")
        page.click("button:text('Show what is held')")
        page.wait_for_selector("h1:text('lead-7')")
        assert fits(page)
        assert faults(page) == []
        keep(page, f"data-contact-{size['width']}")
        with page.expect_download() as download:
            page.click("button:text('Download a copy')")
        assert download.value.suggested_filename.startswith("acme-contact-")

        page.fill("#id_confirmation", "lead-7")
        page.click("button:text('Erase for good')")
        page.wait_for_selector("text=The contact was erased")
        assert "executions and their traces 1" in page.inner_text("section:has(#receipts)")
        assert fits(page)
        assert faults(page) == []
        keep(page, f"data-receipt-{size['width']}")


class TestLook:
    @pytest.mark.parametrize(("scheme", "size"), [("dark", WIDE), ("light", PHONE)])
    def test_every_page_fits_and_is_accessible(self, portal, acme, acme_hubspot, scheme, size):
        done = make_execution(acme, trace={"entries": [SCORED]})
        make_execution(acme, status="failed", ok=0, failed=3, error_code="script.callout-failed")
        engine.put(acme)
        issue(tenant=acme, user=None, name="Reports")
        page = portal("", scheme, size)
        said = []
        for name, path in {
            "home": "",
            "activity": "activity/",
            "execution": f"activity/{done.code}/",
            "connections": "connections/",
            "connect": "connections/new/hubspot/",
            "connection": f"connections/{acme_hubspot.code}/",
            "usage": "usage/",
            "agents": "agents/",
            "alerts": "alerts/",
            "data": "data/",
            "keys": "keys/",
        }.items():
            page.goto(page.url.partition("/t/acme/")[0] + f"/t/acme/{path}")
            assert fits(page), name
            page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
            said += faults(page)
            keep(page, f"{name}-{scheme}-{size['width']}")
        if size == PHONE:
            page.click("summary:text('Menu')")
            assert page.locator("nav a:visible").count() > 3
            said += faults(page)
            keep(page, "menu")

        assert said == []
