"""Rules that are patterns, each with the words one of which it cannot do without.

Looking for a word costs a twentieth of looking for a pattern, so a harmless text costs next to nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Rule:
    """``pattern`` is tried where one of ``words`` stands; one not in ASCII also where other letters do."""

    name: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    is_ascii: bool


def rules(*told: tuple[str, str | tuple[str, ...], str]) -> tuple[Rule, ...]:
    """Rules from name, words (in one string, ``|`` between them) and pattern; compiled once, on loading."""
    return tuple(
        Rule(name, _words(words), re.compile(pattern), pattern.isascii()) for name, words, pattern in told
    )


def broken(known: Iterable[Rule], text: str) -> Iterator[str]:
    """The names of the rules that ``text`` breaks: one slice, in lower case."""
    is_ascii = text.isascii()
    for rule in known:
        for word in rule.words:
            if word in text:
                break
        else:
            if is_ascii or rule.is_ascii:
                continue
        if rule.pattern.search(text):
            yield rule.name


def _words(words: str | tuple[str, ...]) -> tuple[str, ...]:
    return words if isinstance(words, tuple) else tuple(filter(None, words.split("|")))
