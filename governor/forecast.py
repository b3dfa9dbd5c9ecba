"""Forecast: when a quota will be used up at the pace of the last hours. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from governor.allowances import UNLIMITED

PACE_OVER = timedelta(hours=3)  # a day's pace is what was used in this long, or since it began
MONTH_PACE_OVER = timedelta(days=7)  # a month's


@dataclass(frozen=True, slots=True)
class Forecast:
    """What usage comes to when the period ends, and when the quota is used up (None: it will not be)."""

    expected: int
    exhausted_at: datetime | None


def forecast(
    *,
    used: int,
    lately: int,
    allowed: int,
    starts_at: datetime,
    ends_at: datetime,
    at: datetime,
    over: timedelta = PACE_OVER,
) -> Forecast:
    """``lately`` is what was used within ``over`` before ``at``, and not before ``starts_at``.

    A straight line: usage goes on as it went lately. Right for steady traffic; a quiet night
    makes it too low in the morning, which the thresholds then tell.
    """
    elapsed = max(min(over, at - starts_at), timedelta(minutes=1))
    pace = max(0, lately) / elapsed.total_seconds()
    left_seconds = max(0.0, (ends_at - at).total_seconds())
    expected = used + round(pace * left_seconds)
    if allowed >= UNLIMITED:
        return Forecast(expected, None)
    if used >= allowed:
        return Forecast(max(expected, used), at)
    if pace <= 0:
        return Forecast(used, None)
    seconds = (allowed - used) / pace
    return Forecast(expected, at + timedelta(seconds=seconds) if seconds <= left_seconds else None)
