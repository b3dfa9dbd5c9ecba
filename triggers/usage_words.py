"""How the portal says times, spans and what a quota's meter shows. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from governor.calendar import zone
from governor.choices import Period
from governor.quotas import WORDS
from triggers.quota_report import CLOSE, FULL

if TYPE_CHECKING:
    from datetime import datetime

    from triggers.parked_estimate import Estimate
    from triggers.quota_report import Meter, Parked

MINUTE = timedelta(minutes=1)
STANDINGS = {"good": "", "close": "▲ Close to the quota", "full": "✕ Used up"}
_WHOSE = {Period.DAY: "the day's", Period.MONTH: "the month's"}


def tone(percent: int) -> str:
    """``good``, ``close`` from 80 %, ``full`` from 100 %."""
    return "full" if percent >= FULL else "close" if percent >= CLOSE else "good"


def moment(when: datetime, timezone: str, *, at: datetime) -> str:
    """``16:40`` today, ``Thu 26 Nov, 00:10`` on another day, in the tenant's time."""
    local, today = when.astimezone(zone(timezone)), at.astimezone(zone(timezone))
    if local.date() == today.date():
        return f"{local:%H:%M}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local:%a %-d %b}{year}, {local:%H:%M}"


def span(length: timedelta) -> str:
    """``5 h 12 min``, ``6 days``."""
    minutes = max(0, int(length.total_seconds() // 60))
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{rest} min"] if rest or not hours else []
    return " ".join(parts)


def outlook(meter: Meter, period: Period, *, timezone: str, at: datetime) -> str:
    """Where the meter is going, in a sentence; "" when nothing can be said."""
    what = WORDS[meter.resource]
    if not meter.is_unlimited and meter.used >= meter.allowed:
        if meter.resource == "executions":
            return "New events wait in order; none is lost."
        return "Executions that need more of it wait in order; none is lost."
    if meter.forecast is None or meter.is_unlimited:
        return ""
    if meter.forecast.exhausted_at is not None:
        when = meter.forecast.exhausted_at
        if period == Period.DAY:
            said = f"at {moment(when, timezone, at=at)}"
        else:
            said = f"on {when.astimezone(zone(timezone)):%a %-d %b}"
        return f"At this pace {_WHOSE[period]} {what} are used up {said}."
    if not meter.used:
        return ""
    return f"At this pace {meter.forecast.expected:,} by the end of the {Period(period).label.lower()}."


def waiting(parked: Parked, *, timezone: str, at: datetime) -> str:
    """Since when events wait, why, and when they run."""
    begin = f"Since {moment(parked.since, timezone, at=at)}: {parked.reason}"
    if parked.until is None or parked.until <= at:
        return f"{begin} They run within a minute, in order."
    begins = moment(parked.until, timezone, at=at)
    return f"{begin} They run in order from {begins}, or at once after an upgrade."


def drained(found: Estimate, *, a_day: str, timezone: str, at: datetime) -> str:
    """When all that waits will have run."""
    if not found.executions:
        return ""
    count = "1 execution" if found.executions == 1 else f"{found.executions:,} executions"
    if found.at_best < found.executions:
        count = f"{found.at_best:,} to {found.executions:,} executions"
    if found.done_at is None:
        return f"That is {count}, more than this quota lets run within a year."
    # To the next whole minute, for nothing runs in no time.
    done = moment(found.done_at.replace(second=0, microsecond=0) + MINUTE, timezone, at=at)
    return f"That is {count}. With {a_day} a day all have run by {done}, if nothing else comes."
