"""Takes the docs' pictures from a running `up`: ``python -m tests.browser.take_screenshots [NAME …]``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser import chromium

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
HOME = Path(os.environ.get("CIRCUITOS_HOME") or ROOT / ".circuitos")


# Stops the demo's chatty script later: the preview tells what it would have done.
LIMIT = "/admin/governor/override/add/?name=api_calls&value=80&tenant=demo"


def _preview(page: Any) -> None:
    page.fill("[name=reason]", "Their campaign doubles the leads this week.")
    page.check("[name=ends][value=week]")
    page.click("button[name=preview]")
    page.wait_for_selector("#preview")


def _try(page: Any) -> None:
    page.click(".rows a >> nth=0")
    page.click("button:text('Send a test event')")
    page.wait_for_selector("#arrived .pill:text('Test')")
    page.wait_for_selector("#arrived .pill.good")


# Picture, the page behind it (a number: of the story), and how it is looked at.
PICTURES = (
    ("trace", 1, "dark", chromium.WIDE),
    ("trace-partial", 2, "dark", chromium.WIDE),
    ("trace-limit", 3, "dark", chromium.WIDE),
    ("trace-limit-light", 3, "light", chromium.WIDE),
    ("trace-limit-phone", 3, "dark", chromium.PHONE),
    ("overview", "/admin/", "dark", chromium.WIDE),
    ("overview-light", "/admin/", "light", chromium.WIDE),
    ("executions", "/admin/triggers/execution/", "dark", chromium.WIDE),
    ("executions-phone", "/admin/triggers/execution/", "light", chromium.PHONE),
    ("usage", "/admin/governor/usage/", "dark", chromium.WIDE),
    ("limits", LIMIT, "dark", chromium.WIDE),
    ("portal-home", "", "dark", chromium.WIDE),
    ("portal-activity", "activity/", "light", chromium.WIDE),
    ("portal-connection", "connections/", "dark", chromium.WIDE),
    ("portal-usage", "usage/", "dark", chromium.WIDE),
    ("tail", "/admin/tail/", "dark", chromium.WIDE),
    ("triggers", "/admin/triggers/triggerconfig/", "dark", chromium.WIDE),
    ("dead-letters", "/admin/triggers/deadlettergroup/", "dark", chromium.WIDE),
    ("replay", "/admin/triggers/replay/new/?matching=status%3Dfailed", "dark", chromium.WIDE),
)
# What is done on a page before its picture is taken.
DEEDS = {"limits": _preview, "portal-connection": _try}


def enter(page: Any, demo: dict[str, Any], where: str) -> str:
    """Sign in to the console, or for an address without a slash before it to the demo's portal."""
    base, tenant = demo["base_url"], demo["tenants"][0]
    is_console = where.startswith("/")
    root = f"{base}/admin/" if is_console else f"{base}/t/{tenant['slug']}/"
    person = demo["admin"] if is_console else tenant["portal"]
    page.goto(root + ("login/" if is_console else "sign-in/"))
    page.fill("#id_username", person["username"])
    page.fill("#id_password", person["password"])
    page.click("button[type=submit]")
    page.wait_for_url(root)
    return base + where if is_console else root + where


def main(*wanted: str) -> int:
    """Take those named, or all."""
    demo = json.loads((HOME / "demo.json").read_text())
    story = json.loads((HOME / "story.json").read_text())
    IMAGES.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        for name, where, scheme, size in PICTURES:
            if wanted and name not in wanted:
                continue
            context = browser.new_context(color_scheme=scheme, viewport=size)
            page = context.new_page()
            complaints = chromium.complaints(page)
            page.goto(enter(page, demo, story[where - 1]["page"] if isinstance(where, int) else where))
            if name in DEEDS:
                DEEDS[name](page)
            page.wait_for_load_state("networkidle")
            page.screenshot(path=IMAGES / f"{name}.png")
            faults += complaints
            context.close()
        browser.close()
    for fault in faults:
        sys.stderr.write(fault + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
