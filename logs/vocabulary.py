"""One vocabulary of statuses, levels and limits for the console, the command line and the API's readers.

A tone is a colour with a meaning; it never stands alone: each word has a symbol and a label too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from governor import limits
from governor.meter import WARN_FROM

AMBER_FROM = WARN_FROM
RED_FROM = 1.0


@dataclass(frozen=True)
class Word:
    """How a status is said: its label, a symbol, a tone, and what it means."""

    label: str
    symbol: str
    tone: str  # good, warn, bad, busy, wait, quiet
    meaning: str = ""


WORDS = {
    "queued": Word("Queued", "○", "wait", "stored, waiting for a worker"),
    "running": Word("Running", "▸", "busy", "a worker has it"),
    "parked": Word("Parked", "‖", "wait", "held until the reason ends, then run in order"),
    "succeeded": Word("Succeeded", "✓", "good", "committed"),
    "with-errors": Word(
        "With errors", "✓", "warn", "succeeded and committed, but the script logged an error"
    ),
    "partial": Word("Partial", "◐", "warn", "some records failed, the others are committed"),
    "failed": Word("Failed", "✕", "bad", "nothing was committed"),
    "bisected": Word("Bisected", "⋔", "quiet", "split in two; the halves tell the outcome"),
    "cancelled": Word("Cancelled", "⊘", "quiet", "stopped before it ran"),
    "waiting": Word("Waiting", "○", "wait", "its turn has not come"),
    "not-started": Word("Not started", "–", "quiet", "it cannot be replayed"),
    "quarantined": Word("Quarantined", "▲", "warn", "kept, but it does not fit"),
    "skipped": Word("Skipped", "–", "quiet", "nothing had to run"),
    "ok": Word("OK", "✓", "good"),
    "pending": Word("Pending", "○", "wait", "to be sent to the CRM"),
    "not-sent": Word(
        "Not sent", "–", "quiet", "the connection has no credentials; the mirror holds the change"
    ),
    "sent": Word("Sent", "✓", "good", "the CRM confirmed it"),
    "done": Word("Done", "✓", "good"),
    "planned": Word("Planned", "○", "quiet", "recorded, not made"),
    "reused": Word("Reused", "↺", "quiet", "answered from the journal of an earlier attempt"),
    "refused": Word("Refused", "✕", "bad"),
    "down": Word("Down", "✕", "bad"),
    "in-doubt": Word("In doubt", "▲", "warn", "sent, but no answer was seen"),
    "in-force": Word("In force", "✓", "good"),
    "lapsed": Word("Lapsed", "–", "quiet", "its time was over"),
    "ended": Word("Ended", "–", "quiet", "by hand, or by a newer one"),
    "open": Word("Open", "○", "wait", "an operator has to decide"),
    "failing": Word("Open", "✕", "bad", "somebody has to look"),
    "regression": Word("Came back", "✕", "bad", "it failed again after it was resolved"),
    "ignored": Word("Ignored", "–", "quiet", "known and borne; it goes on being counted"),
    "resolved": Word("Resolved", "✓", "good", "mended; the next failure opens it again"),
    "approved": Word("Approved", "✓", "good"),
    "declined": Word("Declined", "✕", "quiet"),
    "active": Word("Active", "✓", "good"),
    "paused": Word("Paused", "‖", "wait"),
    "closed": Word("Closed", "–", "quiet"),
    "idle": Word("Idle", "–", "quiet"),
    "debug": Word("Debug", "·", "quiet"),
    "info": Word("Info", "i", "busy"),
    "warning": Word("Warning", "▲", "warn"),
    "error": Word("Error", "✕", "bad"),
}

STYLES = {"good": "green", "warn": "yellow", "bad": "red", "busy": "cyan", "wait": "blue", "quiet": "dim"}
ROUTINE_LEVELS = frozenset({"debug", "info"})

# name -> (label, unit that is said beside a figure); the order is the order of display.
_SAID_UNITS = {"ms": "ms", "MiB": "MB"}
LIMITS = {limit.name: (limit.label, _SAID_UNITS.get(limit.unit, "")) for limit in limits.LIMITS.values()}


def word(status: str) -> Word:
    """How ``status`` is said; an unknown one is said as it is."""
    return WORDS.get(status) or Word(status.replace("-", " ").capitalize() or "Unknown", "·", "quiet")


def status_of(execution: Any) -> str:
    """An execution's status as it is shown: one that caught its own errors is told apart."""
    return (
        "with-errors" if execution.status == "succeeded" and execution.with_errors else str(execution.status)
    )


def meters(usage: dict[str, Any]) -> list[dict[str, Any]]:
    """Limit usage as rows: used, allowed, share and tone, in the order people look for them."""
    rows = []
    for name in [*LIMITS, *(name for name in usage if name not in LIMITS)]:
        pair = usage.get(name)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            continue
        used, allowed = pair
        if not isinstance(used, int | float) or not isinstance(allowed, int | float):
            continue
        share = used / allowed if allowed else float(bool(used))
        label, unit = LIMITS.get(name, (name.replace("_", " ").capitalize(), ""))
        rows.append(
            {
                "name": name,
                "label": label,
                "used": used,
                "max": allowed,
                "share": round(share, 4),
                "percent": min(round(share * 100), 100),
                "tone": "bad" if share >= RED_FROM else "warn" if share >= AMBER_FROM else "good",
                "used_text": quantity(used, unit),
                "max_text": quantity(allowed, unit),
            }
        )
    return rows


def fold(rows: list[Any], *, most: int) -> tuple[list[Any], int, list[Any]]:
    """Head, how many between are left out, tail: so that fifty calls in a row do not bury what followed."""
    if len(rows) <= most:
        return rows, 0, []
    tail = max(most // 3, 1)
    head = most - tail
    return rows[:head], len(rows) - head - tail, rows[-tail:]


def quantity(number: float, unit: str = "") -> str:
    """A number as people read it: ``30 s``, ``412 ms``, ``128 MB``, ``10,000``."""
    if unit == "ms":
        return duration(number)
    text = f"{number:,.0f}" if float(number).is_integer() or number >= 100 else f"{number:,.1f}"
    return f"{text} {unit}".rstrip()


def duration(milliseconds: float | None) -> str:
    """A length of time with the unit that suits it."""
    if milliseconds is None:
        return "–"
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms".replace(".0 ms", " ms")
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, noun: str) -> str:
    """``1 record``, ``2 records``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
