"""Moments as people write them: a time, a day, "yesterday", "2 hours ago", read where the reader is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.utils.dateparse import parse_date, parse_datetime

if TYPE_CHECKING:
    from datetime import tzinfo

LONGEST = 60
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(
    r"(\d{1,5})\s*(m|min|mins|minutes?|h|hours?|d|days?|w|weeks?)(?:\s+ago)?", re.IGNORECASE | re.ASCII
)
_CLOCK = re.compile(
    r"(?:(today|yesterday)\s*(?:at\s*)?)?(?:([01]?\d|2[0-3]):([0-5]\d))?", re.IGNORECASE | re.ASCII
)


def read(text: str, *, at: datetime, zone: tzinfo, is_end: bool = False) -> datetime:
    """The moment (UTC) that ``text`` names for somebody in ``zone``. Raises ``ValueError``.

    A day alone is its beginning or, as the end of a range, its end. Without an offset the time is the
    reader's own.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise ValueError("it is empty or too long")
    try:
        return _read(text, at=at, zone=zone, is_end=is_end).astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError(
            f"{text!r} is no time; write 2026-03-02 09:30, 09:30, yesterday or 2 hours ago"
        ) from None


def _read(text: str, *, at: datetime, zone: tzinfo, is_end: bool) -> datetime:
    if text.lower() == "now":
        return at
    if ago := _AGO.fullmatch(text):
        return at - timedelta(**{_UNITS[ago[2][0].lower()]: int(ago[1])})
    clock = _CLOCK.fullmatch(text)
    if clock:
        day = at.astimezone(zone).date() - timedelta(days=(clock[1] or "").lower() == "yesterday")
        if clock[2]:
            return datetime.combine(day, time(int(clock[2]), int(clock[3])), tzinfo=zone)
        return datetime.combine(day + timedelta(days=is_end), time.min, tzinfo=zone)
    if whole := parse_date(text):
        return datetime.combine(whole + timedelta(days=is_end), time.min, tzinfo=zone)
    found = parse_datetime(text)
    if found is None:
        raise ValueError
    return found if found.tzinfo else found.replace(tzinfo=zone)
