"""A text for a string's schema: its format, its length, and as far as it is a simple one its pattern."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS = {
    "date": "2026-01-{:02d}",
    "date-time": "2026-01-{:02d}T12:00:00Z",
    "time": "12:{:02d}:00Z",
    "duration": "P{}D",
    "email": "nobody{}@example.com",
    "hostname": "host{}.example.com",
    "ipv4": "192.0.2.{}",
    "ipv6": "2001:db8::{}",
    "uri": "https://example.com/{}",
    "uuid": "00000000-0000-4000-8000-{:012d}",
}
_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "n": "\n", "t": "\t"}
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST = 2_000


def write(schema: Mapping[str, Any], notice: str, number: int) -> str:
    """The text; ``number`` makes the items of a list differ."""
    if shape := _FORMATS.get(str(schema.get("format"))):
        return shape.format(number + 1)
    least, most = int(schema.get("minLength") or 0), schema.get("maxLength")
    if isinstance(schema.get("pattern"), str):
        return _Pattern(schema["pattern"], repeat=least).text()
    text = f"{number + 1}. {notice}" if number else notice
    text = text[:most] if isinstance(most, int) else text
    return text.ljust(min(least, _MOST), ".")


class _Pattern:
    """Reads an ordinary regular expression, and writes the shortest text it takes."""

    def __init__(self, pattern: str, *, repeat: int) -> None:
        self._rest = pattern
        self._at = 0
        self._repeat = repeat  # a length that an open-ended repetition must help to reach

    def text(self) -> str:
        return self._branch()[:_MOST]

    def _branch(self) -> str:
        """Up to the end of a group: its first alternative."""
        first = self._sequence()
        while self._peek() == "|":
            self._next()
            self._sequence()
        return first

    def _sequence(self) -> str:
        said = ""
        while self._peek() not in ("", "|", ")"):
            atom = self._atom()
            least, is_open = self._count()
            if is_open and self._repeat:
                least = max(least, self._repeat)
            said += (atom * min(least, _MOST))[:_MOST]
        return said

    def _atom(self) -> str:
        letter = self._next()
        if letter == "(":
            if self._rest.startswith("?", self._at):
                head = re.compile(r"\?(?::|P?<\w+>)").match(self._rest, self._at)
                self._at = head.end() if head else self._at + 1
            said = self._branch()
            self._next()
            return said
        if letter == "[":
            return self._set()
        if letter == "\\":
            escaped = self._next()
            return "" if escaped in "bBAZz" else _CLASSES.get(escaped, escaped)
        return {"^": "", "$": "", ".": "a"}.get(letter, letter)

    def _set(self) -> str:
        is_negated = self._peek() == "^"
        if is_negated:
            self._next()
        held: list[str] = []
        while self._peek() != "" and (self._peek() != "]" or not held):
            letter = self._next()
            if letter == "\\":
                letter = self._next()
                letter = _CLASSES.get(letter, letter)
            elif letter == "-" and held and self._peek() != "]":
                first, last = ord(held[-1]), ord(self._next() or held[-1])
                held += [chr(code) for code in range(first, min(last + 1, first + 128))]
                continue
            held.append(letter)
        self._next()
        if not is_negated:
            return held[0] if held else ""
        return next((letter for letter in "a0A-_ ~é" if letter not in held), "")

    def _count(self) -> tuple[int, bool]:
        """How often the atom at least stands, and whether it may stand any number of times."""
        letter = self._peek()
        if letter == "{" and (found := _COUNT.match(self._rest, self._at)):
            self._at = found.end()
            self._skip_mode()
            return int(found[1]), found[2] == ""
        if letter and letter in "*+?":
            self._next()
            self._skip_mode()
            return {"*": (0, True), "+": (1, True), "?": (0, False)}[letter]
        return 1, False

    def _skip_mode(self) -> None:
        if self._peek() and self._peek() in "?+":
            self._next()

    def _peek(self) -> str:
        return self._rest[self._at : self._at + 1]

    def _next(self) -> str:
        letter = self._peek()
        self._at += 1
        return letter
