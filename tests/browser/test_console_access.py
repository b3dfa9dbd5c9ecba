"""The console's pages can be read and worked by everybody: labels, contrast and names, by axe."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "",
    "triggers/execution/",
    "triggers/event/",
    "triggers/replay/",
    "tail/",
    "triggers/lane/",
    "triggers/triggerconfig/",
    "triggers/deadlettergroup/",
    "triggers/outboxwrite/",
    "triggers/refuseddelivery/",
    "governor/override/",
    "governor/override/add/",
    "governor/usage/",
    "governor/parking/",
    "governor/upgraderequest/",
    "tenants/tenant/",
    "tenants/tenant/add/",
    "tenants/connection/",
    "tenants/tier/",
    "tenants/apikey/",
    "tenants/auditevent/",
    "auth/user/",
)


def faults(page):
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]})
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


@pytest.fixture
def filled(acme, globex, acme_ghl):
    for tenant in (acme, globex):
        make_execution(tenant)


@pytest.mark.parametrize(("scheme", "size"), [("dark", WIDE), ("light", PHONE)], ids=["dark", "light"])
def test_each_page_fits_and_is_accessible(console, live_server, filled, scheme, size):
    page = console(scheme, size)
    found = {}
    for address in PAGES:
        page.goto(f"{live_server.url}/admin/{address}")
        page.wait_for_selector("#content", state="visible")
        said = faults(page)
        if not fits(page):
            said.append("it is wider than the screen")
        if said:
            found[address] = said

    assert found == {}
