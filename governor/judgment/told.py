"""A judgment in the words of a trace, an event and a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from governor.judgment.findings import Finding, Verdict
from governor.judgment.levels import LEVELS

if TYPE_CHECKING:
    from governor.judgment.findings import Judged

WORDS = {Verdict.SANITISE: "sanitise", Verdict.QUARANTINE: "quarantine", Verdict.BLOCK: "block"}
MOST = 20  # findings of one record that are told


def told(judged: Judged, *, place: str = "") -> list[dict[str, Any]]:
    """Its findings for a trace: level, rule, verdict, place; never what was found."""
    overall = WORDS.get(judged.verdict, "flag" if judged.is_flagged else "note")
    return [
        {
            "level": finding.level,
            "rule": finding.rule,
            # What weighs is told with what it led to; what only cleaned the text, with that.
            "verdict": overall if finding.weight else WORDS.get(finding.verdict, "note"),
            "place": ": ".join(dict.fromkeys(part for part in (place, finding.place) if part)),
        }
        for finding in judged.findings[:MOST]
    ]


def worst(judged: Judged) -> Finding:
    """The finding that says most: of the strongest verdict, the heaviest."""
    return max(
        judged.findings,
        key=lambda finding: (finding.verdict, finding.weight),
        default=Finding(14, "combined-risk", ""),
    )


def sentence(judged: Judged) -> str:
    """Why a record is held, for whoever decides about it."""
    reason = worst(judged)
    name = LEVELS[reason.level - 1].name.lower()
    where = f" in {reason.place}" if reason.place else ""
    done = "blocked" if judged.verdict is Verdict.BLOCK else "quarantined"
    return f"Level {reason.level}, {name}{where}: {reason.rule}. Risk {judged.risk:.0%}, so it was {done}"


def problems(judged: Judged) -> list[dict[str, str]]:
    """Its findings by field, as an event's page lists them."""
    return [
        {"field": finding.place or "the record", "reason": f"level {finding.level}: {finding.rule}"}
        for finding in judged.findings[:MOST]
        if finding.weight or finding.verdict >= Verdict.QUARANTINE
    ]
