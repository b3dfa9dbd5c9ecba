"""What the pages of usage show of a tenant: its meters, and the lanes that wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from governor.allowances import UNLIMITED, quantity
from governor.choices import Period
from logs.vocabulary import AMBER_FROM, RED_FROM

if TYPE_CHECKING:
    from datetime import datetime

MOST_WAITING = 1_000  # events counted in one lane


@dataclass(frozen=True, slots=True)
class Meter:
    """One quota of a tenant: used, held by what runs now, allowed."""

    name: str
    label: str
    period: str
    used: int
    held: int
    allowed: int
    resets_at: datetime
    exhausted_at: datetime | None = None
    expected: int = 0

    @property
    def share(self) -> float:
        return self.used / self.allowed if self.allowed else float(self.used > 0)

    @property
    def percent(self) -> int:
        return min(100, round(self.share * 100))

    @property
    def held_percent(self) -> int:
        return min(100 - self.percent, round(self.held * 100 / self.allowed)) if self.allowed else 0

    @property
    def tone(self) -> str:
        return "bad" if self.share >= RED_FROM else "warn" if self.share >= AMBER_FROM else "good"

    @property
    def is_unlimited(self) -> bool:
        return self.allowed >= UNLIMITED

    @property
    def used_text(self) -> str:
        return f"{self.used:,}"

    @property
    def held_text(self) -> str:
        return f"{self.held:,}" if self.held else ""

    @property
    def allowed_text(self) -> str:
        return quantity(self.name, self.allowed)

    @property
    def will_run_out(self) -> bool:
        """Before the quota starts anew, and it has not yet."""
        return self.exhausted_at is not None and self.used < self.allowed


@dataclass(frozen=True, slots=True)
class ParkedLane:
    """A lane that waits, with the events in it; ``is_cut``: there are more."""

    lane_id: int
    object: str
    kind: str
    reason: str
    until: datetime | None
    events: int
    since: datetime | None

    @property
    def is_cut(self) -> bool:
        return self.events >= MOST_WAITING


@dataclass(slots=True)
class TenantUsage:
    """A tenant's row of the page."""

    pk: int
    code: str
    slug: str
    name: str
    timezone: str
    tier: str
    share: float
    meters: list[Meter]
    lanes: list[ParkedLane] = field(default_factory=list)

    @property
    def tone(self) -> str:
        return "bad" if self.share >= RED_FROM else "warn" if self.share >= AMBER_FROM else "good"

    @property
    def percent(self) -> int:
        return round(self.share * 100)

    @property
    def day(self) -> list[Meter]:
        return [meter for meter in self.meters if meter.period == Period.DAY]

    @property
    def month(self) -> list[Meter]:
        return [meter for meter in self.meters if meter.period == Period.MONTH]

    @property
    def nearest(self) -> Meter:
        return max(self.meters, key=lambda meter: meter.share)

    @property
    def waiting(self) -> str:
        events = sum(lane.events for lane in self.lanes)
        return f"{events:,}{'+' if any(lane.is_cut for lane in self.lanes) else ''}"

    @property
    def since(self) -> datetime | None:
        return min((lane.since for lane in self.lanes if lane.since), default=None)

    @property
    def until(self) -> datetime | None:
        return max((lane.until for lane in self.lanes if lane.until), default=None)

    @property
    def is_waiting_for_quota(self) -> bool:
        return any(lane.reason == "quota" for lane in self.lanes)
