"""Raising a limit, and letting what waits run, in a real browser: without a complaint, at every size."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils.timezone import now

from governor import overrides
from governor.calendar import day_of, month_of
from governor.models import Override, Parking, UpgradeRequest, Usage
from tenants.scope import every_tenant
from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_event, make_execution
from triggers.models import Lane

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCORE = "ContactTrigger.score_new_leads"
LOOKS = pytest.mark.parametrize(
    ("scheme", "size"),
    [("dark", WIDE), ("light", WIDE), ("dark", PHONE), ("light", PHONE)],
    ids=["dark-wide", "light-wide", "dark-phone", "light-phone"],
)


def keep(page, name):
    """A picture for whoever wants to look: PICTURES names the folder."""
    if folder := os.environ.get("PICTURES"):
        size = page.viewport_size["width"]
        scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
        page.screenshot(path=Path(folder) / f"{name}-{scheme}-{size}.png", full_page=True)


@pytest.fixture
def world(acme, globex):
    """acme was stopped at a limit and used its day up; globex is close to its quota and asks for more."""
    at = now()
    for _ in range(3):
        make_execution(
            acme, usage={"api_calls": [51, 50]}, status="failed", limit_name="api_calls", ok=0, failed=3
        )
    make_execution(globex, usage={"api_calls": [45, 50], "cpu_ms": [8_400, 9_000]})
    with every_tenant():
        for tenant, used in (
            (acme, {"executions": 100, "api_calls": 640}),
            (globex, {"executions": 8_600, "api_calls": 31_000, "held_executions": 40, "held_calls": 2_000}),
        ):
            on = day_of(at, tenant.timezone)
            Usage.objects.create(tenant=tenant, period="d", starts_on=on, **used)
            Usage.objects.create(tenant=tenant, period="m", starts_on=month_of(on), **used)
        lane = Lane.objects.create(
            tenant=acme, object="Contact", parked_reason="quota", parked_until=at + timedelta(hours=4)
        )
        Parking.objects.create(
            tenant=acme,
            reason="100 of today's 100 executions are used.",
            since=at,
            until=at + timedelta(hours=4),
        )
        asked = UpgradeRequest.objects.create(
            tenant=acme, tier_id="paid", requested_by="owner", requested_at=at, note="We grow fast."
        )
    for _ in range(12):
        make_event(acme, lane=lane)
    overrides.put(
        name="cpu_ms", value=9_000, tenant=globex, reason="A slow afternoon on the shared machine.",
        actor="eve", at=at, until=at + timedelta(days=3),
    )  # fmt: skip
    overrides.put(
        name="weight", value=3, tier=globex.tier, reason="Paid tenants go first.", actor="eve", at=at
    )
    return asked


class TestRaiseALimit:
    @LOOKS
    def test_preview_set_and_read_why(self, console, live_server, world, scheme, size):
        page = console(scheme, size)

        page.goto(f"{live_server.url}/admin/governor/override/")
        assert fits(page)
        keep(page, "overrides")
        page.click("text=Set a limit or quota")
        page.wait_for_url("**/add/")
        assert not page.is_visible("[name=tier]")
        page.check("[name=scope][value=tenant-trigger]")
        page.select_option("[name=name]", "api_calls")
        page.fill("[name=value]", "80")
        page.fill("[name=tenant]", "acme")
        page.fill("[name=trigger]", SCORE)
        page.check("[name=ends][value=week]")
        page.fill("[name=reason]", "A campaign doubles their leads this week.")
        assert fits(page)
        keep(page, "form")
        page.click("button:text('Preview')")
        page.wait_for_selector("#preview")
        assert "none of 3 executions" in page.inner_text("#preview")
        assert "at most 3 would have had room" in page.inner_text("#preview")
        assert "raised to 80" in page.inner_text("#preview")
        assert fits(page)
        keep(page, "preview")
        page.click("button[name=set]")
        page.wait_for_url("**/effective/**")
        assert "80 requests" in page.inner_text("#api_calls")
        assert "by operator until" in page.inner_text("#api_calls")
        page.click("#api_calls summary")
        assert "A campaign doubles" in page.inner_text("#api_calls .co-steps")
        assert fits(page)
        keep(page, "effective")

        assert Override.objects.get(name="api_calls").value == 80

    def test_what_hurts_is_ticked_first(self, console, live_server, world):
        page = console()

        page.goto(f"{live_server.url}/admin/governor/override/add/?name=api_calls&value=40&tenant=globex")
        page.fill("[name=reason]", "They disturb the others.")
        page.click("button:text('Preview')")
        page.wait_for_selector("#sure")
        assert "would have stopped 1 execution of 1 tenant" in page.inner_text("#preview")
        page.click("button[name=set]")
        page.wait_for_selector("text=Tick this first")
        keep(page, "tick")
        page.check("#sure")
        page.click("button[name=set]")
        page.wait_for_url("**/effective/**")

        assert Override.objects.get(name="api_calls").value == 40

    def test_and_ended_again(self, console, live_server, world):
        page = console()

        page.goto(f"{live_server.url}/admin/governor/override/")
        page.click("a.co-verb:text('End') >> nth=0")
        page.wait_for_url("**/end/")
        keep(page, "end")
        page.click("button:text('End it')")
        page.wait_for_selector("text=what stood below it holds again")

        assert Override.objects.filter(ended_by="operator").count() == 1


class TestUsage:
    @LOOKS
    def test_who_is_near_and_what_waits(self, console, live_server, world, scheme, size):
        page = console(scheme, size)

        assert "Acme" in page.inner_text("#near")
        keep(page, "overview")
        page.click("text=Usage of all tenants")
        page.wait_for_url("**/governor/usage/")
        assert fits(page)
        keep(page, "usage")
        page.click("[data-tenant=acme] .co-usage-head a >> nth=0")
        page.wait_for_url("**/usage/*-*/")
        assert "12 events wait for the quota" in page.inner_text(".co-sentence")
        assert fits(page)
        keep(page, "usage-tenant")
        page.click("text=Let what waits run now")
        page.wait_for_url("**/release/")
        page.fill("[name=reason]", "A gift.")
        assert fits(page)
        keep(page, "release")
        page.click("button:text('Let it run now')")
        page.wait_for_selector("text=1 lane of Acme runs now.")

        with every_tenant():
            assert not Lane.objects.exclude(parked_reason="").exists()

    @LOOKS
    def test_one_click_approves(self, console, live_server, world, scheme, size):
        page = console(scheme, size)

        page.goto(f"{live_server.url}/admin/governor/parking/")
        assert fits(page)
        keep(page, "parked")
        page.goto(f"{live_server.url}/admin/governor/upgraderequest/{world.code}/change/")
        assert fits(page)
        keep(page, "upgrade")
        page.goto(f"{live_server.url}/admin/governor/upgraderequest/")
        assert fits(page)
        keep(page, "upgrades")
        page.click("button:text('Approve')")
        page.wait_for_selector("text=Acme has the Paid plan. 1 lane of it runs now.")

        world.refresh_from_db()
        assert world.status == "approved"
