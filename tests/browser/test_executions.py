"""A failure understood in two minutes: found by its text, read down to its span, taken along as a test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import PHONE, WIDE, fits
from tests.rows import make_event, make_execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SCREENSHOTS = os.environ.get("EXECUTION_SCREENSHOTS")
LIST = "/admin/triggers/execution/"


@pytest.fixture
def failed(acme, globex):
    """A script that raised on one lead of three, after a call."""
    events = [make_event(acme, record_id=f"lead-{n}", body=_body(n)) for n in range(3)]
    make_execution(globex)
    return make_execution(
        acme,
        records=[{"id": event.record_id} for event in events],
        status="failed",
        ok=0,
        failed=3,
        error_code="script.raised",
        error_type="KeyError",
        error_detail="'visits'",
        event_ids=[event.pk for event in events],
        event_codes=[event.code for event in events],
        usage={"api_calls": [41, 50], "cpu_ms": [8_400, 10_000], "wall_ms": [900, 30_000]},
        trace={
            "error": {
                "code": "script.raised",
                "type": "KeyError",
                "detail": "'visits'",
                "at": "leads.py:31",
                "traceback": "Traceback (most recent call last):\n  leads.py:31\nKeyError: 'visits'",
            },
            "spans": [
                {"name": "jail", "kind": "jail", "at_ms": 0, "ms": 400, "ok": False},
                *(
                    {"name": "http", "kind": "callout", "at_ms": n * 9, "ms": 7, "parent": 0, "ok": n != 20}
                    for n in range(40)
                ),
            ],
            "effects": [
                {
                    "op": "http",
                    "args": {
                        "method": "POST",
                        "url": f"https://people.test/{n}",
                        "headers": {"Authorization": "Bearer {{secret:CRM_KEY}}"},
                        "json": {"email": "ada@example.test"},
                    },
                    "answer": None,
                    "state": "failed",
                    "error": {"code": "governor.timeout", "detail": "It did not answer in time."},
                    "ms": 7,
                    "line": "leads.py:28",
                }
                for n in range(6)
            ],
            "outcomes": {event.record_id: ["failed", "KeyError", None] for event in events},
            "entries": [
                {"level": "info", "message": "looking up", "at": "2026-03-02T12:00:00.120+00:00"},
                {"level": "error", "message": "refused", "at": "2026-03-02T12:00:00.320+00:00"},
            ],
            "judgments": [
                {"level": "egress", "rule": "listed-hosts", "verdict": "passed", "place": "leads.py:28"}
            ],
        },
    )


def _body(number):
    return json.dumps(
        {
            "type": "ContactCreate",
            "id": f"lead-{number}",
            "firstName": "Ada",
            "email": f"ada{number}@corp.test",
        }
    ).encode()


def shot(page, name):
    if SCREENSHOTS:
        page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"), full_page=True)


def accessible(page, within):
    """No violation inside what is ours; what unfold brings is not ours to mend here."""
    found = Axe().run(page, context=within, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()


class TestAFailure:
    @pytest.mark.parametrize(
        ("scheme", "size"), [("dark", WIDE), ("light", PHONE)], ids=["dark-wide", "light-phone"]
    )
    def test_is_found_by_its_text_read_and_taken_along(self, console, live_server, failed, scheme, size):
        page = console(scheme, size)
        page.goto(f"{live_server.url}{LIST}?q=KeyError+visits&when=24h")
        assert page.locator("#result_list .data-row").count() == 1
        page.click("text=Save this view")
        page.fill("#view-name", "Visits")
        accessible(page, ".co-views")
        shot(page, f"list-{scheme}")
        page.click(".co-save button")
        assert page.inner_text(".co-chip.co-on") == "Visits"
        assert fits(page)
        shot(page, f"saved-{scheme}")

        page.click("#result_list .data-row a >> nth=0")
        page.wait_for_url("**/change/*")
        assert page.inner_text(".co-sentence").startswith("KeyError: 'visits' at leads.py:31.")
        assert page.inner_text(".co-todo").startswith("What to do Mend the script at that line")
        accessible(page, ".co-page")
        shot(page, f"page-{scheme}")

        # Its span lies in a part that is folded away.
        page.click("text=Jump to the span")
        page.wait_for_selector("#span-21:target", state="visible")
        page.click("#effects summary >> nth=0")
        assert page.locator("#effects .co-copy >> nth=0").is_visible()
        page.click("#records summary >> nth=0")
        page.click("#events summary >> nth=0")
        assert "a***@c***.test" in page.inner_text("#events")
        page.select_option("#log-level", "error")
        page.click("#log button")
        page.wait_for_url("**level=error**")
        assert "looking up" not in page.inner_text("#log .co-log")
        page.click("#effects summary >> nth=0")
        page.click("#records summary >> nth=0")
        accessible(page, ".co-page")
        assert fits(page)
        shot(page, f"open-{scheme}")

        with page.expect_download() as trace:
            page.click("text=Download JSON")
        assert json.loads(Path(trace.value.path()).read_text())["id"] == str(failed.code)
        with page.expect_download() as test:
            page.click("button:text('Make a test')")
        text = Path(test.value.path()).read_text()
        compile(text, "made.py", "exec")
        assert "result.error.type == 'KeyError'" in text
        assert "corp.test" in text
        assert "ada1" not in text

    def test_its_id_is_copied(self, console, live_server, failed):
        page = console()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{live_server.url}{LIST}{failed.code}/change/")

        page.click("text=Copy id")

        page.wait_for_selector("text=Copied")
        assert page.evaluate("navigator.clipboard.readText()") == str(failed.code)
