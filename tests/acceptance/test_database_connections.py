"""Web, worker and beat together hold fifteen database connections at most, whatever comes in."""

from __future__ import annotations

import http.cookiejar
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING

import psycopg2
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
MOST = 15
EACH = 12  # requests of a thread
# Everybody's, and that of the sampler not.
COUNT = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database() AND pid <> pg_backend_pid()
"""
PAGES = ("triggers/execution/", "triggers/event/", "triggers/lane/", "tenants/tenant/", "")
CALLS = ("executions/", "events/?object=Contact", "executions/?q=nobody@example.test", "connections/")


class Load:
    """Threads that ask at once, and what they were answered."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._threads: list[threading.Thread] = []
        self._begin = threading.Event()

    def add(self, kind: str, ask: Callable[[int], int]) -> None:
        def work() -> None:
            self._begin.wait()
            for number in range(EACH):
                self.answers[kind, ask(number)] += 1

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()

    def run(self, watch: Callable[[], None]) -> None:
        """Let all begin, and ``watch`` again and again until all have ended."""
        self._begin.set()
        while any(thread.is_alive() for thread in self._threads):
            watch()


class TestConnections:
    def test_stay_within_fifteen(self, installation: Installation):
        load = Load()
        for thread in range(20):
            load.add("webhook", webhooks(installation, thread))
        for thread in range(10):
            load.add("api", lambda number, at=thread: installation.rest(CALLS[(at + number) % len(CALLS)])[0])
        browser = signed_in(installation)
        for thread in range(10):
            load.add("admin", pages(installation, browser, thread))
        watcher = psycopg2.connect(installation.servers.database_url)
        watcher.autocommit = True
        seen: list[int] = []

        def watch() -> None:
            with watcher.cursor() as cursor:
                cursor.execute(COUNT)
                seen.append(cursor.fetchone()[0])

        load.run(watch)
        installation.wait(lambda: not watch() and not installation.statuses().get("queued"), "all has run")
        watcher.close()

        assert dict(load.answers) == {
            ("webhook", 202): 20 * EACH,
            ("api", 200): 10 * EACH,
            ("admin", 200): 10 * EACH,
        }
        assert len(seen) > 20
        # More than worker and web hold at rest: there was something to count.
        assert 4 <= max(seen) <= MOST


def webhooks(installation: Installation, thread: int) -> Callable[[int], int]:
    def ask(number: int) -> int:
        (body,) = installation.contacts([f"crowd-{thread}-{number}"])
        (answer,) = installation.send([body], concurrency=1).answers
        return answer.status

    return ask


def pages(
    installation: Installation, browser: urllib.request.OpenerDirector, thread: int
) -> Callable[[int], int]:
    def ask(number: int) -> int:
        address = installation.demo["admin"]["url"] + PAGES[(thread + number) % len(PAGES)]
        try:
            with browser.open(address, timeout=30) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    return ask


def signed_in(installation: Installation) -> urllib.request.OpenerDirector:
    """A browser in which the operator has signed in."""
    admin = installation.demo["admin"]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"{admin['url']}login/") as page:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
    assert found
    form = {
        "csrfmiddlewaretoken": found[1],
        "username": admin["username"],
        "password": admin["password"],
        "next": "/admin/",
    }
    with browser.open(f"{admin['url']}login/", data=urllib.parse.urlencode(form).encode()) as page:
        assert "/login/" not in page.url
    return browser
