"""Taking one contact out of what is kept of an execution: rows go, mentions are struck, figures stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ERASED = "[erased]"
SHORTEST = 3  # letters of a word that is struck out of texts
_ROW = {"erased": True}


class Scrubber:
    """Knows the contact by its ids, and by words that name it: addresses, numbers, names."""

    def __init__(self, *, ids: Collection[str], words: Iterable[str]) -> None:
        self._ids = frozenset(ids)
        known = {word for word in (*ids, *words) if len(word) >= SHORTEST}
        # The longest first, so that a full name goes as one. Within a word nothing is struck.
        listed = "|".join(re.escape(word) for word in sorted(known, key=lambda word: (-len(word), word)))
        self._words = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE) if listed else None

    def text(self, text: str) -> str:
        """The text with each mention struck."""
        return self._words.sub(ERASED, text) if self._words else text

    def value(self, value: Any) -> Any:
        """The document without the contact's rows, and with each mention struck."""
        if isinstance(value, str):
            return ERASED if value in self._ids else self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if self._is_row(value):
            return dict(_ROW)
        return {
            self.text(name): dict(_ROW) if name in self._ids and isinstance(item, dict) else self.value(item)
            for name, item in value.items()
        }

    def items(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Spans, log entries, effects or judgments: each stays one, whatever it says of the contact."""
        return [{name: self.value(value) for name, value in item.items()} for item in items]

    def _is_row(self, value: dict[str, Any]) -> bool:
        """A record, a change or an answer of the contact: something with its id and more."""
        return len(value) > 1 and any(
            isinstance(value.get(name), str) and value[name] in self._ids
            for name in ("id", "record_id", "contact_id")
        )


def hollow(effects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Effects of an execution that was about the contact alone: that they were, and nothing of what."""
    kept = ("op", "state", "line", "ms", "cut")
    return [{name: effect[name] for name in kept if name in effect} for effect in effects]
