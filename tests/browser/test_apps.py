"""What apps brought, in a real browser: an unknown account, an agency's locations, and a lost connection."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tenants.connections import needs_reconnecting
from tests.browser.chromium import PHONE, fits
from tests.crm_servers.oauth import COMPANY, OAuth
from tests.factories import make_connection
from triggers import oauth_install
from triggers.models import AppRefusal, UnclaimedAccount
from triggers.oauth_providers import Granted

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def keep(page, name):
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"apps-{name}.png", full_page=True)


def test_pages_of_apps_fit(console, live_server, settings, acme, globex):
    account = UnclaimedAccount.objects.create(
        crm="gohighlevel", account_id="ve9EPM428h8vShlRW1KT", first_at=AT, last_at=AT
    )
    uris = ["https://hooks.example/hooks/app/hubspot/"]
    AppRefusal.objects.create(crm="hubspot", refused_at=AT, detail="It does not match.", uris=uris, count=3)
    lost = make_connection(acme, "hubspot", name="North")
    needs_reconnecting(lost, "The app was uninstalled in HubSpot.", AT)
    with HTTPServer(host="127.0.0.1") as server:
        double = OAuth(server)
        settings.GOHIGHLEVEL_API_URL = double.url
        whose = {"companyId": COMPANY, "userType": "Company"}
        granted = Granted(double.issue(**whose), None, None, (), company_id=COMPANY, is_company=True)
        agency = oauth_install.accept_agency(
            crm="gohighlevel", granted=granted, tenant=None, actor="operator", at=AT
        )
        page = console("light", PHONE)
        for name, path in (
            ("list", "/admin/triggers/unclaimedaccount/"),
            ("unknown", f"/admin/triggers/unclaimedaccount/{account.code}/change/"),
            ("agency", f"/admin/triggers/agency/{agency.code}/change/"),
            ("lost", f"/t/acme/connections/{lost.code}/"),
        ):
            assert page.goto(live_server.url + path).status == 200
            keep(page, name)
            assert fits(page), name
