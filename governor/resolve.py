"""Which value of a limit or quota holds, and why: platform, tier, tenant, trigger, each over the one before.

Pure: no database, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governor.allowances import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

PLATFORM, TIER, TENANT, TRIGGER, SCRIPT, QUOTA = "platform", "tier", "tenant", "trigger", "script", "quota"
# The later of two levels rules.
LEVELS = (PLATFORM, TIER, TENANT, TRIGGER)
_RANK = {level: rank for rank, level in enumerate(LEVELS)}


@dataclass(frozen=True, slots=True)
class Step:
    """One level's word on a value. ``of`` names the tier, tenant or trigger."""

    level: str
    value: int
    of: str = ""
    actor: str = ""
    reason: str = ""
    until: datetime | None = None
    # Which of two overrides of one scope is newer; a trigger's for one tenant comes after that for all.
    rank: tuple[int, int] = (0, 0)

    def as_dict(self) -> dict[str, Any]:
        """For the API."""
        return {
            "level": self.level,
            "value": self.value,
            "of": self.of,
            "by": self.actor,
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
        }


@dataclass(frozen=True, slots=True)
class Effective:
    """A value in force, with every step that led to it."""

    name: str
    value: int
    steps: tuple[Step, ...]

    @property
    def source(self) -> str:
        """The level that set the value."""
        return self.steps[-1].level

    @property
    def sentence(self) -> str:
        """``50 from the platform, raised to 80 for tenant acme by operator until 3 May 2026: a sale.``"""
        first, *others = self.steps
        told = [_first(first)]
        before = first.value
        for step in others:
            told.append(_next(step, before))
            before = step.value
        return ", ".join(told) + "."


def resolve(name: str, *, default: int, steps: Iterable[Step] = (), declared: int | None = None) -> Effective:
    """The value in force. Total: any steps in any order give one.

    ``steps`` are the overrides that hold now. Of two with the same level the higher rank rules. What the
    script ``declared`` for itself only lowers a limit, unless an operator spoke of this very trigger.
    """
    chosen: dict[str, Step] = {}
    for step in steps:
        known = chosen.get(step.level)
        if known is None or step.rank >= known.rank:
            chosen[step.level] = step
    line = [Step(PLATFORM, default)]
    line += [chosen[level] for level in LEVELS if level in chosen]
    if declared is not None and declared < line[-1].value and TRIGGER not in chosen:
        line.append(Step(SCRIPT, declared))
    return Effective(name, line[-1].value, tuple(line))


def resolve_all(
    defaults: Mapping[str, int],
    steps: Mapping[str, Iterable[Step]],
    *,
    declared: Mapping[str, int] | None = None,
) -> dict[str, Effective]:
    """``resolve`` for each name of ``defaults``."""
    said = declared or {}
    return {
        name: resolve(name, default=default, steps=steps.get(name, ()), declared=said.get(name))
        for name, default in defaults.items()
    }


def _first(step: Step) -> str:
    return f"{quantity('', step.value)} from the platform"


def _next(step: Step, before: int) -> str:
    if step.level == SCRIPT:
        return f"lowered to {step.value:,} by the script itself"
    verb = "raised to" if step.value > before else "lowered to" if step.value < before else "kept at"
    where = f" for {step.level} {step.of}" if step.of else " for the platform"
    who = f" by {step.actor}" if step.actor else ""
    until = f" until {step.until:%-d %b %Y}" if step.until else ""
    why = f" because {step.reason.rstrip('.')}" if step.reason else ""
    return f"{verb} {quantity('', step.value)}{where}{who}{until}{why}"
