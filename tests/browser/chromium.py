"""The browser of the suite: Debian's Chromium, quiet and offline."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


def executable() -> str | None:
    """Where Chromium is, or None."""
    named = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    return named if Path(named).exists() else None


def launch(playwright: Any) -> Any:
    """A browser process."""
    return playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)


def complaints(page: Any) -> list[str]:
    """A list that fills with what the page's console, scripts and requests complain of."""
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("response", lambda got: found.append(f"{got.status} {got.url}") if got.status >= 400 else None)
    return found


def fits(page: Any) -> bool:
    """Whether nothing stands out to the right of the page."""
    page.wait_for_load_state()
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))
