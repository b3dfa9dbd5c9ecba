"""What a judgment comes to: verdicts, findings, thresholds, and how findings add up to one risk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(IntEnum):
    """Ordered: the strongest of several holds."""

    ALLOW = 0  # as it came
    SANITISE = 1  # goes on without what was stripped from it
    QUARANTINE = 2  # waits for a person
    BLOCK = 3  # goes nowhere


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which risk on a text is flagged, waits for a person, or goes nowhere."""

    flag: float = 0.3
    quarantine: float = 0.5
    block: float = 0.7

    def verdict(self, risk: float) -> Verdict:
        if risk >= self.block:
            return Verdict.BLOCK
        return Verdict.QUARANTINE if risk >= self.quarantine else Verdict.ALLOW


PLATFORM = Thresholds()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one level found, by which rule and where; never the text itself, which may be a secret."""

    level: int
    rule: str
    place: str
    weight: float = 0.0
    verdict: Verdict = Verdict.ALLOW  # at least this, whatever the risk


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of levels 6–14 over one text or one record.

    ``fields`` is the record, or the text, after sanitising: what may go on when the verdict lets it.
    """

    verdict: Verdict
    risk: float
    findings: tuple[Finding, ...]
    fields: Any
    is_flagged: bool = False


def combined(findings: Iterable[Finding]) -> float:
    """1 − Π(1 − wᵢ), each level by its heaviest finding: saying one thing in three ways is one finding."""
    heaviest: dict[int, float] = {}
    for finding in findings:
        if finding.weight > heaviest.get(finding.level, 0.0):
            heaviest[finding.level] = finding.weight
    left = 1.0
    for weight in heaviest.values():
        left *= 1.0 - weight
    return 1.0 - left


def judged(findings: Iterable[Finding], fields: Any, thresholds: Thresholds = PLATFORM) -> Judged:
    """The verdict over ``findings``: by the combined risk, or by the strongest finding."""
    found = tuple(dict.fromkeys(findings))
    if not found:
        return Judged(Verdict.ALLOW, 0.0, (), fields)
    risk = round(combined(found), 4)
    verdict = max(thresholds.verdict(risk), *(finding.verdict for finding in found))
    return Judged(verdict, risk, found, fields, is_flagged=risk >= thresholds.flag)
