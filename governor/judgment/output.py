"""Level 16, the output contract: what a model wrote names no stranger, no secret and no address of its own.

What the answer must look like (its schema, ranges) is checked where it is read (``governor.ai_answer``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from governor.judgment.masking import mask_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LEVEL = 16
MOST_CHARACTERS = 64_000  # of an answer that are looked at; a longer one has no reason to be
_URL = re.compile(
    r"\b(?:https?|ftp|wss?)://([^\s/?#\"'<>\\)\]}]{1,253})|\b(?:javascript|data|vbscript):", re.IGNORECASE
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_DIGITS = re.compile(r"(?<![\w.])\+?\d[\d ().-]{8,20}\d(?!\w)")
_MARKUP = re.compile(
    r"<\s*(?:script|iframe|object|embed|svg|img)\b|\son\w{3,12}\s*=|!\[[^\]\n]{0,200}\]\(", re.IGNORECASE
)


class Leak(NamedTuple):
    """What an answer must not hold. ``rule`` names the kind, never the thing."""

    rule: str
    sentence: str


def leaks(answer: Any, *, asked: str, hosts: Collection[str] = ()) -> list[Leak]:
    """What stands in the answer and stood in nothing that was asked: addresses, people, markup.

    ``asked`` is all of the question: what the model was given it may repeat. ``hosts`` may be linked to.
    """
    found: dict[str, Leak] = {}
    known = asked.casefold()
    numbers = re.sub(r"\D", "", asked)
    for text in _texts(answer):
        if len(text) > MOST_CHARACTERS:
            found["too-long"] = Leak("too-long", f"The answer has over {MOST_CHARACTERS:,} characters.")
            text = text[:MOST_CHARACTERS]  # noqa: PLW2901
        for match in _URL.finditer(text):
            host = (match[1] or "").rpartition("@")[2].partition(":")[0].casefold()
            is_known = bool(host) and (_is_named(host, known) or _is_allowed(host, hosts))
            if not is_known:
                found["url"] = Leak("url", "The answer links to a host that nobody named.")
        if any(match[0].casefold() not in known for match in _EMAIL.finditer(text)):
            found["email"] = Leak("email", "The answer holds an e-mail address that it was not given.")
        for match in _DIGITS.finditer(text):
            digits = re.sub(r"\D", "", match[0])
            if digits not in numbers and mask_text(match[0]) != match[0]:
                found["number"] = Leak("number", "The answer holds a phone or card number it was not given.")
        if any(match[0].casefold() not in known for match in _MARKUP.finditer(text)):
            found["markup"] = Leak("markup", "The answer holds markup that a page would run or load.")
    return list(found.values())


def _is_named(host: str, known: str) -> bool:
    """Whether the host itself stands there, and not as a part of another."""
    return re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", known) is not None


def _is_allowed(host: str, hosts: Collection[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in map(str.casefold, hosts))


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif depth < 24 and isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from _texts(item, depth + 1)
    elif depth < 24 and isinstance(value, list):
        for item in value:
            yield from _texts(item, depth + 1)
