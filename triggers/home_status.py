"""The overview's first sentence: is all well, and if not, what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from logs.vocabulary import plural
from triggers.figures import P95_GOAL_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.figures import Latency, Overview

FAILING_FROM = 0.05  # a trigger's error rate that alerts
_PARTS = {
    "postgres": "PostgreSQL does not take writes",
    "redis": "Valkey does not answer",
    "worker": "no worker gives a sign of life",
    "beat": "the beat gives no sign of life",
    "jail": "the jail is not whole",
}


@dataclass(frozen=True)
class Standing:
    """One sentence, its tone, and the triggers that fail."""

    sentence: str
    tone: str
    symbol: str
    failing: tuple[str, ...]


def standing(*, hour: Overview, latency: Latency, parked: int, parts: Mapping[str, str]) -> Standing:
    """What an operator must know first: parts that are down, then triggers that fail, then what waits."""
    failing = tuple(sorted(name for name, seen in hour.by_trigger.items() if seen.error_rate > FAILING_FROM))
    down = [said for part, said in _PARTS.items() if parts.get(part, "ok") == "degraded"]
    if down:
        is_one = len(down) == 1
        text = down[0] if is_one else ", ".join(down[:-1]) + f" and {down[-1]}"
        return Standing(f"{text[0].upper()}{text[1:]}.", "bad", "✕", failing)
    if failing:
        verb = "fails" if len(failing) == 1 else "fail"
        text = f"{plural(len(failing), 'trigger')} {verb}: {', '.join(failing[:3])}."
        return Standing(text, "bad", "✕", failing)
    if latency.p95 is not None and latency.p95 > P95_GOAL_MS:
        return Standing("Executions are slower than the goal.", "warn", "▲", failing)
    if parked:
        return Standing(f"All runs well; {plural(parked, 'lane')} held.", "wait", "‖", failing)
    return Standing("All well.", "good", "✓", failing)
