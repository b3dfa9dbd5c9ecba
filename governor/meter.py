"""Counts what one execution uses, where its script cannot reach; the first limit exceeded stays exceeded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governor.limits import LIMITS, complete

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CODE = "governor.limit-exceeded"
# Counted before each is sent: one that its limit refuses is not sent, and not counted.
SENT = frozenset({"api_calls"})
WARN_FROM = 0.8  # of a limit: the trace carries a warning


@dataclass(frozen=True, slots=True)
class Breach:
    """Which limit was exceeded, by how much, and where in the script, and at which record."""

    limit: str
    used: float
    max: float
    at: str = ""
    record: str = ""

    @property
    def detail(self) -> str:
        allowed = f"The limit {self.limit} is {self.max:,.10g} {LIMITS[self.limit].unit}"
        if self.used <= self.max:
            return f"{allowed}; this execution needed more."
        return f"{allowed}; this execution came to {self.used:,.6g}."

    def for_wire(self) -> dict[str, Any]:
        """As an answer tells it to the script."""
        data = {"limit": self.limit, "used": self.used, "max": self.max}
        return {"code": CODE, "detail": self.detail, "kind": "limit", "data": data}


class Meter:
    """The counters of one execution."""

    def __init__(self, limits: Mapping[str, int], *, depth: int = 0) -> None:
        self.max = complete(limits)
        self.used: dict[str, float] = dict.fromkeys(self.max, 0)
        self.used["depth"] = depth
        self.breach: Breach | None = None
        self.record = ""  # the one the script is at, as far as is known
        self._changed: set[str] = set()

    def count(self, name: str, amount: float = 1, *, at: str = "") -> bool:
        """Add to a counter. False once any limit is exceeded, this one or an earlier one."""
        self.used[name] += amount
        self._changed.add(name)
        if self.used[name] > self.max[name]:
            self.exceed(name, self.used[name], at=at)
            if name in SENT:
                self.used[name] -= amount
        return self.breach is None

    def note(self, name: str) -> None:
        """Count what is dropped, not refused, beyond its limit."""
        self.used[name] += 1
        self._changed.add(name)

    def measured(self, name: str, amount: float, *, at: str = "") -> bool:
        """Set a gauge (time, memory). False once any limit is exceeded."""
        self.used[name] = max(self.used[name], amount)
        if amount > self.max[name]:
            self.exceed(name, amount, at=at)
        return self.breach is None

    def exceed(self, name: str, used: float, *, at: str = "") -> None:
        """Mark a limit exceeded, unless one was before: the first is the reason."""
        self.used[name] = max(self.used[name], used)
        if self.breach is None:
            self.breach = Breach(name, used, self.max[name], at, self.record)

    def left(self, name: str) -> float:
        return max(0, self.max[name] - self.used[name])

    def changes(self) -> dict[str, list[float]]:
        """The counters that moved since the last call, as used/max pairs."""
        changed = {name: [self.used[name], self.max[name]] for name in self._changed}
        self._changed.clear()
        return changed

    def pairs(self) -> dict[str, list[float]]:
        """All counters, as used/max pairs."""
        return {name: [_tidy(self.used[name]), self.max[name]] for name in self.max}


def warnings(usage: Mapping[str, Sequence[float]], *, known: Collection[str] = ()) -> list[dict[str, Any]]:
    """Log entries for limits that are nearly used up, so that the next batch does not surprise anyone.

    ``known`` are limits of which the trace speaks anyway.
    """
    said = []
    for name, limit in LIMITS.items():
        used, allowed = usage.get(name, (0, 0))
        if name not in known and allowed and used >= allowed * WARN_FROM:
            message = f"{limit.label}: {used:,.10g} of {allowed:,.10g} {limit.unit}, {used / allowed:.0%}."
            said.append({"level": "warning", "message": message, "source": "governor"})
    return said


def _tidy(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 1)
