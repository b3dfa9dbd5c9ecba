"""How long a host asks us to leave it alone, read from its answer's headers."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_HOLD = 900.0  # seconds; a host that asks for more is asked again after so long
_EPOCH = 1_000_000_000  # a reset above it is a moment, not a number of seconds
_DRAFT = re.compile(r"\b(r|t|remaining|reset)\s*=\s*([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)


def hold_seconds(status: int, headers: Mapping[str, str], *, at: datetime) -> float | None:
    """Seconds until the host wants another request; None when it did not say so.

    Read are Retry-After, the IETF draft's RateLimit and RateLimit-Remaining with -Reset, and X-RateLimit-
    Remaining with -Reset or HighLevel's -Interval-Milliseconds. Names are lower-case.
    """
    if status in {429, 503} and "retry-after" in headers:
        asked = _moment_or_seconds(headers["retry-after"], at)
        if asked is not None:
            return _bounded(asked)
    if status >= 500:
        return None
    left, reset = _window(headers, at)
    if left is not None and left <= 0 and reset is not None:
        return _bounded(reset)
    if status == 429:
        return None if reset is None else _bounded(reset)
    return None


def _window(headers: Mapping[str, str], at: datetime) -> tuple[float | None, float | None]:
    """What is left of the present window, and the seconds until the next one."""
    drafted = {name.lower(): float(value) for name, value in _DRAFT.findall(headers.get("ratelimit", ""))}
    if drafted:
        return drafted.get("r", drafted.get("remaining")), drafted.get("t", drafted.get("reset"))
    for prefix in ("ratelimit-", "x-ratelimit-"):
        left = _number(headers.get(f"{prefix}remaining", ""))
        if left is None and f"{prefix}reset" not in headers:
            continue
        reset = _moment_or_seconds(headers.get(f"{prefix}reset", ""), at)
        if reset is None:
            interval = _number(headers.get(f"{prefix}interval-milliseconds", ""))
            reset = None if interval is None else interval / 1000
        return left, reset
    return None, None


def _moment_or_seconds(text: str, at: datetime) -> float | None:
    number = _number(text)
    if number is not None:
        if number < _EPOCH:
            return number
        return number / (1000 if number > _EPOCH * 100 else 1) - at.timestamp()
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at).total_seconds()


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*[0-9]{1,15}(?:\.[0-9]{1,9})?\s*", text, re.ASCII) else None


def _bounded(seconds: float) -> float:
    return max(0.0, min(LONGEST_HOLD, seconds)) if math.isfinite(seconds) else LONGEST_HOLD
