"""Levels 6–14 over a text, a record, or a batch: canonical form, rules, classifier, one combined verdict.

    judge_text(text, place="note")            a text before it reaches a model
    judge_record(fields, object="Contact")    a record before a trigger sees it
    judge_batch(records, object="Contact")    records of one batch; also what is split over them

Most fields are names, phones and tags: a few words without a sign of anything. They are told apart first, and
cost a microsecond each.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from governor.judgment import (
    classifier,
    code_injection,
    context_escape,
    encoded,
    extraction,
    overrides,
    personas,
    shape,
    signs,
    split,
    tampering,
    unicode_form,
)
from governor.judgment.findings import PLATFORM, Finding, Judged, Thresholds, judged
from governor.judgment.slices import sliced

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CLASSIFIER_LEVEL = 14
LEAST_NOTED = 0.05  # a lower risk of the classifier is no finding


def judge_text(text: str, *, place: str = "text", thresholds: Thresholds = PLATFORM) -> Judged:
    """The verdict over one text; ``fields`` of it is the text after sanitising."""
    plain, found = _text(text, place)
    return judged(found, plain, thresholds)


def judge_record(fields: Mapping[str, Any], *, object: str = "", thresholds: Thresholds = PLATFORM) -> Judged:
    """The verdict over one record; ``fields`` of it are the record's after sanitising.

    ``object`` is the CRM's word for what the record is, as in ``Contact``; it stands before each place.
    """
    found = shape.findings(fields)
    if any(finding.rule in {"too_deep", "too_many_nodes"} for finding in found):
        return judged(_placed(found, object), fields, thresholds)
    changed: dict[str, str] = {}
    few: list[tuple[str, str]] = []
    for place, text in shape.strings(fields):
        if len(text) < signs.SHORTEST:
            if text and not signs.is_plain(text):
                plain, _ = unicode_form.canonical(text, place=place)
                if plain != text:
                    found += _
                    changed[place] = plain
            few.append((place, text))
            continue
        plain, more = _text(text, place)
        found += more
        if plain != text:
            changed[place] = plain
        if len(text) <= split.LONGEST:
            few.append((place, text))
    found += split.over_fields(few)
    return judged(_placed(found, object), shape.replaced(fields, changed) if changed else fields, thresholds)


def judge_batch(
    records: Sequence[Mapping[str, Any]], *, object: str = "", thresholds: Thresholds = PLATFORM
) -> list[Judged]:
    """The verdict over each record, in order; what is split over several is found in each of them."""
    told = [judge_record(fields, object=object, thresholds=thresholds) for fields in records]
    for number, finding in split.over_records(records):
        before = told[number]
        told[number] = judged([*before.findings, *_placed([finding], object)], before.fields, thresholds)
    return told


def _text(text: str, place: str) -> tuple[str, list[Finding]]:
    """``text`` after sanitising, and everything found in it. Short values come again and again."""
    if signs.is_harmless_shape(text):
        return text, []
    if len(text) <= signs.FEW:
        plain, found = _short(text, place)
        return plain, list(found)
    return _judged(text, place)


@lru_cache(maxsize=4096)
def _short(text: str, place: str) -> tuple[str, tuple[Finding, ...]]:
    plain, found = _judged(text, place)
    return plain, tuple(found)


def forget() -> None:
    """Forgets what short values came to: for who judges by other weights."""
    _short.cache_clear()


def _judged(text: str, place: str) -> tuple[str, list[Finding]]:
    plain, found = unicode_form.canonical(text, place=place)
    if signs.may_hold_marks(plain):
        plain, more = context_escape.stripped(plain, place=place)
        found += more
        for part in sliced(plain):
            found += code_injection.findings(part, place=place)
    found += extraction.secrets(plain, place=place)
    hidden = unicode_form.hidden(text)
    if hidden:
        found += _hidden(hidden, "tags", place)
    searched = unicode_form.folded(text)
    found += _rules(searched, place)
    if signs.may_be_encoded(plain):
        for part in sliced(plain, encoded.LARGEST, 0):
            for how, reading in encoded.decoded(part):
                found += _hidden(reading, how, place)
    risk = classifier.risk(searched)
    if risk >= LEAST_NOTED:
        found.append(Finding(CLASSIFIER_LEVEL, "classifier", place, round(risk, 3)))
    return plain, found


def _rules(searched: str, place: str) -> list[Finding]:
    """Levels 10–14 by their patterns, over a folded text."""
    found: list[Finding] = []
    for part in sliced(searched):
        plain = unicode_form.bare(part)
        if len(plain) <= signs.FEW and not signs.has_trigger(plain):
            continue
        for level in (overrides, personas, context_escape, extraction, tampering):
            found += level.findings(plain, place=place)
    return found


def _hidden(reading: str, how: str, place: str) -> list[Finding]:
    """What is found in a text that was hidden; hiding it makes it no lighter."""
    searched = unicode_form.folded(reading)
    found = _rules(searched, place)
    risk = classifier.risk(searched) if len(reading) > 20 else 0.0
    if risk >= 0.5:
        found.append(Finding(CLASSIFIER_LEVEL, "classifier", place, round(risk, 3)))
    if not found:
        return []
    return [Finding(encoded.LEVEL, how, place, 0.2), *found]


def _placed(found: list[Finding], object: str) -> list[Finding]:
    if not object:
        return found
    return [
        Finding(
            one.level, one.rule, f"{object}.{one.place}" if one.place else object, one.weight, one.verdict
        )
        for one in found
    ]
