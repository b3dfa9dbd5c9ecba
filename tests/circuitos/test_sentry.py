"""Reports of errors and log lines show no person and no secret."""

from __future__ import annotations

import io
import logging
import subprocess

import pytest
import sentry_sdk
from sentry_sdk.transport import Transport

from circuitos import sentry
from circuitos.log_lines import MaskedFormatter

KEY = "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


class _Kept(Transport):
    def __init__(self, options=None):
        super().__init__(options)
        self.sent: list[str] = []

    def capture_envelope(self, envelope):
        self.sent.append(envelope.serialize().decode())


@pytest.fixture
def reports():
    kept = _Kept()
    sentry.start("https://public@sentry.test/1", environment="test", transport=kept)
    yield kept.sent
    sentry_sdk.get_global_scope().set_client(None)


class TestReport:
    def test_shows_no_person_no_secret_and_no_local_variable(self, reports):
        password = "hunter2-in-a-variable"
        sentry_sdk.add_breadcrumb(message="wrote to ada.lovelace@example.com")
        try:
            raise ValueError(
                f"+1 512 555 0144 refused sk-live_abcdef0123456789 at /hooks/{KEY}/ {len(password)}"
            )
        except ValueError as error:
            sentry_sdk.capture_exception(error)

        (said,) = reports
        assert "ValueError" in said
        assert "test_sentry.py" in said
        for hidden in ("ada.lovelace", "555 0144", "abcdef0123456789", KEY, "hunter2"):
            assert hidden not in said

    def test_a_child_process_is_given_what_it_was_given_and_no_more(self, reports):
        given = {"LANG": "C.UTF-8"}

        told = subprocess.run(["/usr/bin/env"], env=given, capture_output=True, text=True, check=True)

        assert told.stdout.split() == ["LANG=C.UTF-8"]

    def test_carries_neither_body_nor_cookies(self):
        request = {
            "url": "https://x.test/",
            "data": {"name": "Ada"},
            "cookies": "s=1",
            "headers": {"Cookie": "s=1"},
        }

        assert sentry.scrub({"request": request}, {})["request"] == {
            "url": "https://x.test/",
            "headers": {"Cookie": "***"},
        }


class TestLine:
    def test_is_masked_with_its_traceback(self):
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        handler.setFormatter(MaskedFormatter("%(message)s"))
        logger = logging.getLogger("tests.masked")
        logger.addHandler(handler)

        try:
            raise ValueError("ada.lovelace@example.com")
        except ValueError:
            logger.exception("A delivery to /hooks/%s/ failed", KEY)

        said = out.getvalue()
        assert "a***@e***.com" in said
        assert "/hooks/AbCd***/" in said
        assert KEY not in said
