"""The chart of a tenant's days: bars for an SVG image, whose text alternative is a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from governor.allowances import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from triggers.usage_report import Sums

SLOT, BAR, HEIGHT = 10, 7, 100  # of the drawing
NEAR = 2  # the quota's line is drawn while it is at most so many times the highest bar


@dataclass(frozen=True, slots=True)
class Bar:
    """One day."""

    label: str
    slot: int
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """The drawing. ``line``: where the quota lies; None when it is out of sight."""

    bars: tuple[Bar, ...]
    width: int
    first: str
    line: float | None
    sentence: str


def chart(days: Mapping[date, Sums], *, allowed: int) -> Chart:
    """Executions by day."""
    highest = max((sums.executions for sums in days.values()), default=0)
    in_sight = allowed < UNLIMITED and 0 < allowed <= NEAR * max(1, highest)
    scale = max(highest, allowed if in_sight else 1)
    bars = []
    for place, (on, sums) in enumerate(days.items()):
        height = round(sums.executions / scale * HEIGHT, 2)
        slot = place * SLOT
        label = f"{on:%a %-d %b}: {sums.executions:,}"
        bars.append(Bar(label, slot, slot + (SLOT - BAR) // 2, round(HEIGHT - height, 2), height))
    total = sum(sums.executions for sums in days.values())
    return Chart(
        bars=tuple(bars),
        width=max(1, len(bars)) * SLOT,
        first=f"{next(iter(days)):%-d %b}" if days else "",
        line=round(HEIGHT - allowed / scale * HEIGHT, 2) if in_sight else None,
        sentence=f"{total:,} executions in {len(bars)} days, at most {highest:,} a day.",
    )
