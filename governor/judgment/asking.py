"""Levels 6–15 before a model is asked: what it is to read is judged, and told apart from instructions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from governor.judgment.findings import PLATFORM, Judged, Thresholds, Verdict
from governor.judgment.judge import judge_record, judge_text
from governor.judgment.told import told, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# A record's text of so many characters that stands in the prompt was put there by the script.
LEAST_BORROWED = 16
MOST_BORROWED = 200


@dataclass(slots=True)
class Asked:
    """The question as it may be put; with a ``sentence`` it may not be."""

    args: dict[str, Any]
    findings: list[dict[str, Any]] = field(default_factory=list)
    sentence: str = ""
    level: int = 14


def judge(
    args: Mapping[str, Any], *, records: Sequence[Mapping[str, Any]], thresholds: Thresholds = PLATFORM
) -> Asked:
    """Judge the data of a question, and what of the batch's records its prompt repeats.

    The prompt's own words are the script's, and trusted.
    """
    asked = Asked(dict(args))
    data = args.get("data")
    parts: list[tuple[str, Judged]] = []
    if data is not None:
        judged = _judge(data, thresholds)
        parts.append(("data", judged))
        asked.args["data"] = judged.fields if isinstance(data, str | dict) else judged.fields["data"]
    for text in _borrowed(str(args.get("prompt", "")), records):
        parts.append(("prompt", judge_text(text, place="prompt", thresholds=thresholds)))
        outside = {"level": 15, "rule": "text-outside-data", "verdict": "flag", "place": "prompt"}
        if outside not in asked.findings:
            asked.findings.append(outside)
    for place, judged in parts:
        asked.findings += told(judged, place=place)
        if judged.verdict >= Verdict.QUARANTINE and not asked.sentence:
            reason = worst(judged)
            asked.level = reason.level
            asked.sentence = (
                f"The model was not asked: {place} reads like an attack on it ({reason.rule}, level"
                f" {reason.level}; risk {judged.risk:.0%})."
            )
    return asked


def _judge(data: Any, thresholds: Thresholds) -> Judged:
    if isinstance(data, str):
        return judge_text(data, place="data", thresholds=thresholds)
    fields = data if isinstance(data, dict) else {"data": data}
    return judge_record(fields, object="", thresholds=thresholds)


def _borrowed(prompt: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Texts of the records that the prompt repeats."""
    found: dict[str, None] = {}
    for record in records:
        for text in _texts(record):
            if len(text) >= LEAST_BORROWED and text in prompt:
                found[text] = None
                if len(found) == MOST_BORROWED:
                    return list(found)
    return list(found)


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 8 and isinstance(value, dict):
        for item in value.values():
            yield from _texts(item, depth + 1)
    elif depth < 8 and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
