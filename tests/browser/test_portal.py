"""The portal's usage page in a real browser: a tenant sees where it stands, and asks for a larger plan."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from governor.calendar import day_of
from governor.models import UpgradeRequest
from governor.quotas import Hold, Quota, Refusal, Spent
from governor.usage import charge
from tenants.ids import new_code
from tenants.models import Tenant
from tenants.scope import every_tenant
from tests.browser.chromium import PHONE, WIDE
from tests.rows import make_event, make_execution
from triggers import parking
from triggers.models import Lane

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
SCHEMES = pytest.mark.parametrize("scheme", ["dark", "light"])
TRIGGERS = [
    "ContactTrigger.score_new_leads",
    "ContactTrigger.rescore_on_intent_change",
    "OpportunityTrigger.learn",
]


def spend(tenant, spent, *, trigger, at, quota):
    with connection.cursor() as cursor:
        charge(
            cursor,
            tenant_id=tenant.pk,
            on=day_of(at, tenant.timezone),
            hold=Hold(),
            spent=spent,
            quota=quota,
            execution=new_code(),
            trigger=trigger,
            at=at,
        )


@pytest.fixture
def busy(acme, globex):
    """A month of acme, its quota of today used up, and 37 events that wait."""
    Tenant.objects.filter(pk=acme.pk).update(timezone="America/Denver")
    acme.timezone = "America/Denver"
    now = datetime.now(UTC)
    quota = Quota(executions_per_day=100, api_calls_per_day=1_000)
    for days in range(29, 0, -1):
        for n, trigger in enumerate(TRIGGERS):
            at = now - timedelta(days=days)
            amount = (days * 37 + n * 11) % 31 // (n + 1)
            spend(
                acme,
                Spent(amount, amount * 6, amount * 90, amount * 300),
                trigger=trigger,
                at=at,
                quota=Quota(),
            )
    for n, trigger in enumerate(TRIGGERS):
        spend(
            acme,
            Spent([60, 30, 10][n], [520, 200, 117][n], 4_000, 9_000),
            trigger=trigger,
            at=now,
            quota=quota,
        )
    make_execution(acme, at=now)
    until = now + timedelta(hours=5)
    with every_tenant():
        lane = Lane.objects.create(tenant=acme, object="Contact", parked_reason="quota", parked_until=until)
    for n in range(37):
        make_event(acme, lane=lane, received_at=now - timedelta(minutes=37 - n))
    with connection.cursor() as cursor:
        parking.begin(
            cursor,
            tenant_id=acme.pk,
            refusal=Refusal("executions", "d", 100, 100),
            at=now - timedelta(minutes=37),
            until=until,
        )
    return acme


@pytest.fixture
def portal(open_page, live_server, owner):
    """``portal(scheme, size, …)``: the usage page, entered by acme's owner."""

    def enter(scheme="dark", size=WIDE, **options):
        page = open_page(scheme, size, **options)
        page.goto(f"{live_server.url}/t/acme/sign-in/")
        page.fill("#id_username", owner.username)
        page.fill("#id_password", "owner-password")
        page.click("button[type=submit]")
        page.wait_for_url("**/t/acme/")
        if size == PHONE:
            page.click("summary:text('Menu')")
        page.click("nav a:has-text('Usage'):visible")
        page.wait_for_url("**/usage/")
        return page

    return enter


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def keep(page, name):
    """For a look at what was tested: ``SCREENSHOTS`` names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


class TestUsage:
    @SIZES
    @SCHEMES
    def test_sees_the_quota_and_asks_for_more(self, portal, busy, scheme, size):
        page = portal(scheme, size)
        assert "37 events wait" in page.inner_text("#waits")
        assert "100 of 100" in page.inner_text("section[aria-labelledby=period-1]")
        assert "✕ Used up" in page.inner_text("section[aria-labelledby=period-1]")
        assert fits(page)
        keep(page, f"usage-{scheme}-{size['width']}")

        page.click("button:text('Ask for Paid')")
        page.wait_for_selector(".asked")

        assert "Waiting for an answer" in page.inner_text(".asked")
        assert page.locator("button:text('Ask for Paid')").count() == 0
        with every_tenant():
            assert UpgradeRequest.objects.get().tenant == busy
        for number in range(page.locator("main summary").count()):
            page.locator("main summary").nth(number).click()
        assert page.locator("section[aria-labelledby=days] tbody tr").count() == 30
        assert fits(page)
        keep(page, f"usage-open-{scheme}-{size['width']}")

    def test_needs_no_javascript(self, portal, busy):
        page = portal(java_script_enabled=False)

        page.click("button:text('Ask for Paid')")
        page.wait_for_selector(".asked")

        page.click("main summary >> nth=0")
        assert page.locator(".waits tbody tr:visible").count() == 11

    @SIZES
    def test_the_home_shows_a_meter_that_leads_here(self, portal, live_server, busy, size):
        page = portal("light", size)
        page.goto(f"{live_server.url}/t/acme/")

        assert "100 of 100" in page.inner_text(".tiles")
        assert fits(page)
        keep(page, f"home-light-{size['width']}")
        page.click(".tiles a:has-text('Executions today')")
        page.wait_for_url("**/usage/")

    @SIZES
    def test_a_tenant_of_which_nothing_ran_sees_a_whole_page(self, portal, acme, globex, size):
        page = portal("dark", size)

        assert "Nothing has run this month" in page.inner_text("main")
        assert fits(page)
        keep(page, f"usage-empty-{size['width']}")
