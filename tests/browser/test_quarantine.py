"""The quarantine and the mending of a mapping, in a real browser."""

from __future__ import annotations

import pytest

from tests.browser.chromium import PHONE, WIDE
from tests.browser.test_flow import look
from tests.triggers.test_mapping import misfit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("looks", [("light", WIDE), ("dark", PHONE)], ids=["wide", "phone"])
def test_a_problem_is_mended_and_its_events_run_again(console, live_server, acme_ghl, looks):
    for _ in range(2):
        misfit(acme_ghl)
    page = console(*looks)

    page.goto(f"{live_server.url}/admin/triggers/event/quarantine/")
    look(page, "quarantine")
    page.click("#problems a")
    page.click("text=Mend the mapping")
    page.select_option("#verb", "convert")
    page.fill("#to", "list")
    page.click("text=Preview")
    page.wait_for_selector("#preview >> text=fits")
    look(page, "mapping")
    page.click("text=Put this rule in force")
    page.click("text=Run all 2 again")
    page.wait_for_selector("text=2 events run again")

    acme_ghl.refresh_from_db()
    assert len(acme_ghl.mapping) == 1
