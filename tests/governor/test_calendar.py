"""Days are the tenant's own: they begin at its midnight, whatever its clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.calendar import day_of, month_of, next_day, next_month, starts_at
from governor.choices import Period
from governor.tenant_governor import resets_at

ZONES = [
    "UTC",
    "America/Chicago",
    "America/Havana",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Cairo",
    "Nowhere/X",
]


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        [
            ("America/Chicago", date(2026, 3, 8), 23),
            ("America/Chicago", date(2026, 11, 1), 25),
            ("America/Chicago", date(2026, 5, 4), 24),
            ("America/Havana", date(2025, 3, 9), 23),  # the clocks jump over midnight
            ("Africa/Cairo", date(2024, 4, 26), 23),
            ("America/Havana", date(2025, 11, 2), 25),
        ],
    )
    def test_have_as_many_hours_as_the_clocks_give_them(self, zone, day, hours):
        assert starts_at(next_day(day), zone) - starts_at(day, zone) == timedelta(hours=hours)

    @given(
        at=st.integers(946_684_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
        zone=st.sampled_from(ZONES),
    )
    def test_every_moment_lies_within_its_day_and_before_its_reset(self, at, zone):
        day = day_of(at, zone)

        assert starts_at(day, zone) <= at < starts_at(next_day(day), zone)
        assert at < resets_at(Period.DAY, at, zone) <= resets_at(Period.MONTH, at, zone)

    def test_a_day_that_a_country_left_out_has_no_length(self):
        # Samoa went from 29 to 31 December 2011.
        assert starts_at(date(2011, 12, 30), "Pacific/Apia") == starts_at(date(2011, 12, 31), "Pacific/Apia")

    def test_months(self):
        assert month_of(date(2026, 2, 17)) == date(2026, 2, 1)
        assert next_month(date(2026, 12, 31)) == date(2027, 1, 1)
        assert resets_at(Period.MONTH, datetime(2026, 1, 31, 12, tzinfo=UTC), "UTC") == datetime(
            2026, 2, 1, tzinfo=UTC
        )
