"""What the console does in a browser: keys, times in the reader's zone, and the live tail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def focus(page):
    return page.evaluate("document.activeElement.id || document.activeElement.name")


class TestComforts:
    def test_keys_and_times(self, open_page, live_server, operator, acme):
        make_execution(acme, at=datetime.now(UTC) - timedelta(minutes=3))
        page = open_page("dark", WIDE, timezone_id="Asia/Kolkata")
        page.goto(f"{live_server.url}/admin/login/")
        page.fill("#id_username", operator.username)
        page.fill("#id_password", "operator-password")
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/")

        time = page.locator("#newest time").first
        assert time.inner_text() == "3 min ago"
        assert "GMT+5:30" in time.get_attribute("title")
        assert "UTC" in time.get_attribute("title")
        page.keyboard.press("z")
        assert "ago" not in time.inner_text()

        page.keyboard.press("/")
        assert focus(page) == "find"
        page.keyboard.type("?")
        assert page.locator("#co-keys").count() == 0
        page.locator("#find").blur()
        page.keyboard.press("?")
        assert page.locator("#co-keys").is_visible()
        assert "Asia/" in page.inner_text("#co-keys")
        page.keyboard.press("Escape")
        assert not page.locator("#co-keys").is_visible()
        page.keyboard.press("g")
        page.keyboard.press("l")
        page.wait_for_url("**/admin/tail/")

    @pytest.mark.parametrize("looks", [("dark", WIDE), ("light", PHONE)], ids=["wide", "phone"])
    def test_the_tail_moves_and_pauses(self, console, live_server, acme, globex, looks):
        make_execution(acme, trigger="First.one")
        page = console(*looks)

        page.goto(f"{live_server.url}/admin/tail/")
        page.wait_for_selector("#tail-state[data-state=live]")
        assert fits(page)
        make_execution(
            globex, trigger="Second.one", trace={"entries": [{"level": "error", "message": "no answer"}]}
        )
        page.wait_for_selector(".tail-row:has-text('Second.one')")
        assert "no answer" in page.inner_text(".tail-row >> nth=0")
        assert page.locator(".tail-row").count() == 2

        page.click("#tail-pause")
        assert page.inner_text("#tail-state") == "Paused"
        make_execution(acme, trigger="Third.one")
        page.wait_for_timeout(2_300)
        assert page.locator(".tail-row").count() == 2
        page.click("#tail-pause")
        page.wait_for_selector(".tail-row:has-text('Third.one')")
        assert fits(page)

    def test_the_tail_is_a_page_without_scripts(self, console, live_server, acme):
        make_execution(acme, trigger="First.one")
        page = console()
        state = page.context.storage_state()

        plain = page.context.browser.new_context(java_script_enabled=False, storage_state=state).new_page()
        plain.goto(f"{live_server.url}/admin/tail/")

        assert "First.one" in plain.text_content("#tail-rows")
        assert "reload it" in plain.text_content("#tail-state")
        plain.context.close()
