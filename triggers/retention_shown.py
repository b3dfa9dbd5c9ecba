"""How long each kind of data is kept, from the constants that delete it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from governor.retention import LEDGER_DAYS
from logs.partitions import EVENT_DAYS
from logs.traces import TRACE_DAYS
from triggers import delivery_refused, delivery_retention

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True)
class Kept:
    """One kind of data: what it is, and for how long it stays."""

    what: str
    how_long: str
    note: str


def retention() -> list[Kept]:
    """The kinds, those that hold most about people first."""
    return [
        Kept("Records", "Until erased", "The latest state of each contact, deal, message and score."),
        Kept("Events", f"{EVENT_DAYS} days", "What your CRM sent, sealed."),
        Kept(
            "Traces", f"{TRACE_DAYS} days", "What each execution did: masked, without addresses and numbers."
        ),
        Kept(
            "Refused deliveries",
            _said(delivery_refused.KEPT),
            "Sealed, so that a wrong secret can be mended.",
        ),
        Kept("Counts of refused ones", _said(delivery_retention.COUNTS_KEPT), "Figures only."),
        Kept("Usage and notices", f"{LEDGER_DAYS} days", "Figures only."),
        Kept(
            "Executions and callouts' answers",
            "Until erased",
            "What ran and how it ended; answers are sealed.",
        ),
    ]


def _said(length: timedelta) -> str:
    hours = int(length.total_seconds() // 3600)
    return f"{hours} hours" if hours <= 48 else f"{hours // 24} days"
