"""A browser for the tests of this folder; without Chromium they are skipped, and say so."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def chromium_process() -> Iterator[Any]:
    if chromium.executable() is None:
        pytest.skip("No Chromium: install Debian's chromium, or name one in CHROMIUM.")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Playwright keeps a loop running in this thread, so it ends with the module: other tests start their
        # own. The queries of these tests are sound all the same.
        before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        process = chromium.launch(playwright)
        yield process
        process.close()
        if before is None:
            del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def open_page(chromium_process: Any) -> Iterator[Callable[..., Any]]:
    """``open_page(scheme, size, …)``: a fresh page; at the end nothing may have complained."""
    opened: list[tuple[Any, list[str]]] = []

    def page(scheme: str = "dark", size: dict[str, int] | None = None, **options: Any) -> Any:
        context = chromium_process.new_context(color_scheme=scheme, viewport=size or chromium.WIDE, **options)
        fresh = context.new_page()
        fresh.set_default_timeout(15_000)
        opened.append((context, chromium.complaints(fresh)))
        return fresh

    yield page
    said = [complaint for _, found in opened for complaint in found]
    for context, _ in opened:
        context.close()
    assert said == []


@pytest.fixture
def console(open_page: Callable[..., Any], live_server: Any, operator: Any) -> Callable[..., Any]:
    """``console(scheme, size)``: a page of a signed-in operator."""

    def enter(scheme: str = "dark", size: dict[str, int] = chromium.WIDE) -> Any:
        page = open_page(scheme, size)
        page.goto(f"{live_server.url}/admin/login/")
        page.fill("#id_username", operator.username)
        page.fill("#id_password", "operator-password")
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/")
        return page

    return enter
