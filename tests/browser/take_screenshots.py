"""Takes the docs' pictures from a running `up`: ``python -m tests.browser.take_screenshots``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import chromium

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
HOME = Path(os.environ.get("CIRCUITOS_HOME") or ROOT / ".circuitos")


def main() -> int:
    demo = json.loads((HOME / "demo.json").read_text())
    pages = {"overview": "/admin/", "executions": "/admin/triggers/execution/", **story()}
    IMAGES.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        for scheme, size, suffix in (
            ("dark", chromium.WIDE, ""),
            ("light", chromium.WIDE, "-light"),
            ("dark", chromium.PHONE, "-phone"),
        ):
            context = browser.new_context(color_scheme=scheme, viewport=size)
            page = context.new_page()
            complaints = chromium.complaints(page)
            page.goto(demo["base_url"] + "/admin/login/")
            page.fill("#id_username", demo["admin"]["username"])
            page.fill("#id_password", demo["admin"]["password"])
            page.click("button[type=submit]")
            page.wait_for_url("**/admin/")
            for name, path in pages.items():
                page.goto(demo["base_url"] + path)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=IMAGES / f"{name}{suffix}.png")
            faults += complaints
            context.close()
        browser.close()
    for fault in faults:
        sys.stderr.write(fault + "\n")
    return 1 if faults else 0


def story() -> dict[str, str]:
    """The traces of the demo's steps, by number."""
    steps = json.loads((HOME / "story.json").read_text())
    return {f"trace-{number}": step["page"] for number, step in enumerate(steps, 1) if step["execution"]}


if __name__ == "__main__":
    sys.exit(main())
