"""Find the failures, replay all that match, and watch them succeed, in a real browser."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import PHONE, WIDE, fits
from tests.conftest import WORLD
from tests.triggers.engine import Runs, drain, poisoned_by, put, scoring, spec, supervisor
from triggers import bulk_feed, bulk_replay, registry, replay_page
from triggers.registry import Registry

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LEADS = 55
ACME = WORLD["acme"][0]
# unfold's own frame: its sidebar and filters are not ours to mend here.
OURS = ".co-page"


def keep(page, name, scheme):
    """A picture for whoever wants to look: PICTURES names the folder."""
    if folder := os.environ.get("PICTURES"):
        size = page.viewport_size["width"]
        page.screenshot(path=Path(folder) / f"{name}-{scheme}-{size}.png", full_page=True)


def is_accessible(page):
    found = Axe().run(page, context=OURS, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def failures(acme, globex, monkeypatch):
    """Many of acme's leads failed, and one of globex. Gives the runs."""
    known = Registry([spec(batch_size=1)], content="0123456789abcdef")
    monkeypatch.setattr(registry._Held, "registry", known)
    # Fewer than the hundred it takes in earnest: this is about the page.
    for module in (bulk_replay, replay_page):
        monkeypatch.setattr(module, "CONFIRM_OVER", 50)
    names = [f"lead-{n}" for n in range(LEADS)]
    with_quota(acme)
    for name in names:
        put(acme, name)
    put(globex, "other")
    runs = Runs(poisoned_by(*names, "other"))
    drain(supervisor(runs, spec(batch_size=1)))
    runs.answer = scoring
    return runs


def with_quota(tenant):
    from governor import overrides

    overrides.put(
        name="executions_per_day", value=5_000, tenant=tenant, reason="A test of many.", actor="eve",
        at=datetime.now(UTC),
    )  # fmt: skip


def work(runs):
    """What the workers do, to the end."""
    worker = supervisor(runs, spec(batch_size=1))
    while True:
        drain(worker)
        if not bulk_feed.feed(at=datetime.now(UTC)):
            return


class TestReplayAllMatching:
    @pytest.mark.parametrize(
        ("scheme", "size"), [("dark", WIDE), ("light", PHONE)], ids=["dark-wide", "light-phone"]
    )
    def test_from_the_filter_to_the_last_one_done(self, console, live_server, failures, scheme, size):
        page = console(scheme, size)

        page.goto(f"{live_server.url}/admin/triggers/execution/?status=failed&tenant__id__exact={ACME}")
        keep(page, "replay-list", scheme)
        page.click("text=Replay all matching")
        page.wait_for_selector("#preview")
        assert f"This runs {LEADS} executions again" in page.inner_text("#preview")
        assert "5,000" in page.inner_text("#quota")  # left today
        assert fits(page)
        is_accessible(page)
        keep(page, "replay-preview", scheme)
        page.click("#start button")  # not confirmed: the browser asks for it
        assert page.url.startswith(f"{live_server.url}/admin/triggers/replay/new/")
        page.fill("[name=confirm]", str(LEADS))
        page.click("#start button")
        page.wait_for_selector("#progress")
        assert f"0 of {LEADS} executions done." in page.inner_text("#progress")
        assert fits(page)
        is_accessible(page)
        keep(page, "replay-begun", scheme)
        work(failures)
        page.wait_for_selector("text=all succeeded")  # it looked again by itself
        assert page.locator("text=was failed, now succeeded").count() == 50
        assert fits(page)
        is_accessible(page)
        keep(page, "replay-done", scheme)
        page.click("text=Next page")
        page.wait_for_selector("text=First page")
        page.locator("#items td:nth-child(5) a").first.click()
        page.wait_for_selector("text=Part of the bulk replay")
        assert fits(page)
        keep(page, "replay-of-one", scheme)
