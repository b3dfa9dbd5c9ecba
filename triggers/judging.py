"""Judging what was claimed: levels 6–14 over each record of a batch, before mirror or trigger see it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from governor.judgment.findings import PLATFORM, Thresholds, Verdict
from governor.judgment.judge import judge_batch
from governor.judgment.told import problems, sentence, told
from triggers import work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from governor.judgment.findings import Judged

QUARANTINED, BLOCKED = "judgment.quarantined", "judgment.blocked"


@dataclass(slots=True)
class Opinion:
    """What was judged of one event."""

    fields: dict[str, Any]  # sanitised
    found: list[dict[str, Any]] = field(default_factory=list)  # for the trace
    verdict: work.Verdict | None = None  # it is held


def judge(
    records: Sequence[tuple[str, Mapping[str, Any], bool]], *, obj: str, thresholds: Thresholds = PLATFORM
) -> tuple[list[Opinion], float]:
    """An opinion on each (record id, fields, whether it was released), and the milliseconds it took."""
    if not records:
        return [], 0.0
    began = time.perf_counter()
    all_judged = judge_batch([fields for _, fields, _ in records], object=obj, thresholds=thresholds)
    opinions = [
        _opinion(judged, record_id, is_let=is_let)
        for (record_id, _, is_let), judged in zip(records, all_judged, strict=True)
    ]
    return opinions, (time.perf_counter() - began) * 1000


def _opinion(judged: Judged, record_id: str, *, is_let: bool) -> Opinion:
    opinion = Opinion(judged.fields)
    if judged.findings:
        opinion.found = told(judged, place=record_id)
    if judged.verdict >= Verdict.QUARANTINE and not is_let:
        code = BLOCKED if judged.verdict is Verdict.BLOCK else QUARANTINED
        opinion.verdict = work.Verdict("quarantined", code, sentence(judged), problems(judged))
    return opinion
