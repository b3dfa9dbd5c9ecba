"""Signing in with a second factor, in a browser: set up, code, and being asked again."""

from __future__ import annotations

import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.browser import chromium

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("valkey")]


def code_of(secret: str, *, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


class TestSecondFactor:
    def test_is_set_up_and_asked_for(self, console, open_page, live_server, operator, tmp_path):
        page = console("dark")
        page.goto(f"{live_server.url}/admin/second-factor/")
        secret = page.locator("code").first.inner_text().replace(" ", "")
        page.screenshot(path=tmp_path / "set-up.png")
        page.fill("#code", code_of(secret))
        page.click("text=Set up >> nth=-1")
        codes = page.locator("pre").inner_text().split()
        page.screenshot(path=tmp_path / "codes.png")
        assert len(codes) == 10

        narrow = open_page("light", chromium.PHONE)
        narrow.goto(f"{live_server.url}/admin/login/")
        narrow.fill("#id_username", operator.username)
        narrow.fill("#id_password", "operator-password")
        narrow.click("button[type=submit]")
        narrow.wait_for_selector("#code")
        narrow.screenshot(path=tmp_path / "code.png")
        narrow.fill("#code", codes[0])
        narrow.click("text=Go on")
        narrow.wait_for_url("**/admin/")
        narrow.goto(f"{live_server.url}/admin/confirm/?next=/admin/tenants/tier/&again=1")
        narrow.screenshot(path=tmp_path / "confirm.png")
        narrow.fill("#proof", codes[1])
        narrow.click("text=Confirm >> nth=-1")
        narrow.wait_for_url("**/admin/tenants/tier/")
        assert "press the button again" in narrow.content()
