"""Level 14: an order that is split, over the fields of one record or over the records of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from governor.judgment import extraction, overrides, signs, tampering, unicode_form
from governor.judgment.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LEVEL = 14
LONGEST = 120  # of a value that may be a part of something
MOST = 4_000  # characters of parts looked at together
WEIGHT = 0.5
_LEVELS = (overrides, extraction, tampering)


def over_fields(parts: Sequence[tuple[str, str]]) -> list[Finding]:
    """What the short values of one record say together and none of them says alone."""
    texts = [text for _, text in parts if text and any(letter.isalpha() for letter in text)]
    if len(texts) < 2:
        return []
    return [Finding(LEVEL, "split_over_fields", "", WEIGHT)] if _say_more(texts) else []


def over_records(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Finding]]:
    """The records, by number, whose values of one field say together what none of them says alone."""
    if len(records) < 2:
        return
    names: dict[str, list[tuple[int, str]]] = {}
    for number, fields in enumerate(records):
        for name, value in fields.items():
            if type(value) is str and 2 < len(value) <= LONGEST and not value.isdigit():
                names.setdefault(name, []).append((number, value))
    for name, parts in names.items():
        for start in range(0, len(parts), 12):
            window = parts[start : start + 16]  # an order is not spread over more than a few
            if len(window) > 1 and _say_more([text for _, text in window]):
                for number, text in window:
                    if _carries(text):
                        yield number, Finding(LEVEL, "split_over_records", name, WEIGHT)


def _say_more(texts: Sequence[str]) -> bool:
    together = unicode_form.bare(unicode_form.folded(" ".join(texts)[:MOST]))
    if not signs.has_two_triggers(together) or not _finds(together):
        return False
    return not any(_finds(unicode_form.bare(unicode_form.folded(text))) for text in texts)


def _finds(searched: str) -> bool:
    return any(level.findings(searched, place="") for level in _LEVELS)


def _carries(text: str) -> bool:
    return signs.has_trigger(unicode_form.bare(unicode_form.folded(text)))
