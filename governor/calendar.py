"""A tenant's own days and months: quotas reset at midnight where the tenant is."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """The time zone, or UTC where the name is unknown here."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def day_of(at: datetime, timezone: str) -> date:
    """The tenant's calendar day at a moment."""
    return at.astimezone(zone(timezone)).date()


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def starts_at(day: date, timezone: str) -> datetime:
    """The moment (UTC) at which the tenant's day begins.

    Where the clocks jump over midnight, the day begins with the jump; where they pass midnight twice, the
    first time counts. So a day has 23, 24 or 25 hours.
    """
    return datetime.combine(day, time.min, tzinfo=zone(timezone)).astimezone(UTC)


def next_day(day: date) -> date:
    return day + timedelta(days=1)


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
