"""The console's main flow in a real browser: find an execution, read its trace, replay it."""

from __future__ import annotations

import pytest

from tenants.scope import every_tenant
from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_event, make_execution
from triggers.models import Execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCHEMES = ["dark", "light"]
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])


@pytest.fixture
def failed(acme):
    """A run stopped by a limit, ready to replay."""
    events = [make_event(acme, record_id=f"lead-{n}", status="failed") for n in range(60)]
    records = [{"id": event.record_id, "email": f"{event.record_id}@example.test"} for event in events]
    return make_execution(
        acme,
        records=records,
        status="failed",
        ok=0,
        failed=60,
        limit_name="api_calls",
        error_code="governor.limit-exceeded",
        event_ids=[event.pk for event in events],
        event_codes=[event.code for event in events],
        usage={"api_calls": [51, 50], "cpu_ms": [8_400, 10_000]},
        trace={
            "error": {
                "type": "LimitExceeded",
                "limit": "api_calls",
                "used": 51,
                "max": 50,
                "at": "chatty.py:31",
            },
            "spans": [{"name": "jail", "at_ms": 0, "ms": 400, "ok": False}]
            + [{"name": "http", "kind": "callout", "at_ms": n * 8, "ms": 7, "parent": 0} for n in range(50)],
            "outcomes": {record["id"]: ["failed", "API calls", None] for record in records},
            "entries": [{"level": "error", "message": "refused", "at": "2026-03-02T12:00:00.120+00:00"}],
        },
    )


class TestConsole:
    @SIZES
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_find_read_replay(self, console, failed, scheme, size):
        page = console(scheme, size)

        page.fill("#find", "lead-7@example.test")
        page.click("button:text('Find')")
        page.wait_for_url("**/execution/?q=*")
        assert fits(page)
        page.click("#result_list .data-row a >> nth=0")
        page.wait_for_url("**/change/*")
        assert page.inner_text(".co-sentence") == (
            "Stopped at a limit: API calls 51 of 50 at chatty.py:31. Nothing was committed."
        )
        assert "stopped it" in page.inner_text("#limits")
        assert "close" in page.inner_text("#limits")
        assert page.locator("#timing .co-span:visible").count() == 24
        page.click("#timing summary")
        assert page.locator("#timing .co-span:visible").count() == 51
        assert fits(page)
        page.click("button:text('Replay')")
        page.wait_for_selector("text=Replay queued")

        with every_tenant():
            started = Execution.objects.get(replay_of=failed)
        assert str(started.code) in page.url
        assert "A replay of" in page.inner_text("#related")
        page.click("#related a")
        page.wait_for_url(f"**/{failed.code}/change/")
        assert "Replayed as" in page.inner_text("#related")

    def test_the_docs_of_the_api_open_offline(self, open_page, live_server):
        page = open_page("dark", PHONE)

        page.goto(f"{live_server.url}/api/docs/")

        page.wait_for_selector("text=Rotate the signing secret")
        assert fits(page)

    def test_an_event_leads_to_what_ran(self, console, live_server, failed):
        page = console()

        page.goto(f"{live_server.url}/admin/triggers/event/{failed.event_codes[0]}/change/")

        assert "a***@e***.test" in page.inner_text("#body")
        page.click("#executions a")
        page.wait_for_url(f"**/{failed.code}/change/")

    def test_the_palette_finds_an_execution(self, console, live_server, failed):
        page = console()

        page.keyboard.press("Control+k")
        page.keyboard.type(str(failed.code))

        page.wait_for_selector(f'a[href*="{failed.code}"]')
