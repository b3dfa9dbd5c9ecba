"""The forecast is total and monotone: more use never looks better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.allowances import UNLIMITED
from governor.forecast import PACE_OVER, forecast

BEGINS, ENDS = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)
amounts = st.integers(0, 10**9)
moments = st.integers(-90_000, 180_000).map(lambda seconds: BEGINS + timedelta(seconds=seconds))
spans = st.integers(0, 4_000_000).map(lambda seconds: timedelta(seconds=seconds))


def at(used, lately, allowed, *, now=datetime(2026, 5, 4, 12, tzinfo=UTC), over=PACE_OVER):
    return forecast(
        used=used, lately=lately, allowed=allowed, starts_at=BEGINS, ends_at=ENDS, at=now, over=over
    )


class TestForecast:
    @pytest.mark.parametrize(
        ("used", "lately", "allowed", "expected", "hour"),
        [
            (50, 30, 100, 170, 17),
            (50, 0, 100, 50, None),
            (50, 9, 100, 86, None),
            (100, 9, 100, 136, 12),
            (120, 0, 100, 120, 12),
            (50, 30, UNLIMITED, 170, None),
            (0, 0, 0, 0, 12),
        ],
    )
    def test_goes_on_as_it_went(self, used, lately, allowed, expected, hour):
        found = at(used, lately, allowed)

        assert found.expected == expected
        assert found.exhausted_at == (BEGINS + timedelta(hours=hour) if hour else None)

    def test_takes_the_pace_of_the_time_it_is_told(self):
        assert at(50, 30, 100, over=timedelta(hours=12)).exhausted_at is None

    @given(amounts, amounts, amounts, moments, spans)
    def test_is_total(self, used, lately, allowed, now, over):
        found = at(used, lately, allowed, now=now, over=over)

        assert found.expected >= used
        if found.exhausted_at is not None:
            assert now <= found.exhausted_at <= max(now, ENDS)

    @given(amounts, amounts, amounts, moments, amounts)
    def test_more_use_is_never_later(self, used, lately, allowed, now, more):
        before, after = at(used, lately, allowed, now=now), at(used + more, lately, allowed, now=now)

        assert _never(before) >= _never(after)
        assert after.expected >= before.expected

    @given(amounts, amounts, amounts, moments, amounts)
    def test_a_faster_pace_is_never_later(self, used, lately, allowed, now, more):
        before, after = at(used, lately, allowed, now=now), at(used, lately + more, allowed, now=now)

        assert _never(before) >= _never(after)
        assert after.expected >= before.expected

    @given(amounts, amounts, amounts, moments, amounts)
    def test_a_larger_quota_is_never_sooner(self, used, lately, allowed, now, more):
        before, after = at(used, lately, allowed, now=now), at(used, lately, allowed + more, now=now)

        assert _never(before) <= _never(after)


def _never(found):
    return found.exhausted_at or datetime(9999, 1, 1, tzinfo=UTC)
