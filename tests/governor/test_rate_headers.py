"""What hosts say about their limits, in each of the ways they say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from governor.rate_headers import LONGEST_HOLD, hold_seconds

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
SOON = AT + timedelta(seconds=40)


class TestHold:
    @pytest.mark.parametrize(
        ("status", "headers", "seconds"),
        [
            (429, {"retry-after": "7"}, 7),
            (503, {"retry-after": "7.5"}, 7.5),
            (429, {"retry-after": format_datetime(SOON, usegmt=True)}, 40),
            (429, {"retry-after": format_datetime(AT - timedelta(days=1), usegmt=True)}, 0),
            (429, {"retry-after": "86400"}, LONGEST_HOLD),
            (429, {"retry-after": "soon"}, None),
            (429, {"retry-after": "-1"}, None),
            (429, {"retry-after": "Mon, 99 Foo 2026"}, None),
            (429, {"retry-after": "٧"}, None),
            (429, {}, None),
            (429, {"x-ratelimit-reset": "20"}, 20),
            (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"}, 20),
            (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{SOON.timestamp():.0f}"}, 40),
            (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{SOON.timestamp() * 1000:.0f}"}, 40),
            (200, {"x-ratelimit-remaining": "0", "x-ratelimit-interval-milliseconds": "10000"}, 10),
            (200, {"ratelimit-remaining": "0", "ratelimit-reset": "3"}, 3),
            (200, {"ratelimit": '"default";r=0;t=30'}, 30),
            (200, {"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
            (200, {"ratelimit": '"default";r=3;t=30'}, None),
            (200, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": "20"}, None),
            (200, {"x-ratelimit-remaining": "0"}, None),
            (200, {"retry-after": "7"}, None),
            (500, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"}, None),
            (503, {}, None),
            (200, {}, None),
        ],
    )
    def test_is_as_long_as_the_host_says_and_bounded(self, status, headers, seconds):
        held = hold_seconds(status, headers, at=AT)

        assert held == (None if seconds is None else pytest.approx(seconds, abs=0.01))
