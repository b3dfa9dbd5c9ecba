"""Fingerprints: what two failures have in common when they are of one fault."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

LONGEST = 300

# In this order: what is more special first.
_VARIABLE = (
    (re.compile(r"\S+@\S+\.\w+"), "‹e-mail›"),
    (re.compile(r"https?://[^\s'\"]+"), "‹address›"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "‹id›"),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "‹id›"),
    # Ids of CRMs: words of some length with digits in them.
    (re.compile(r"(?<![\w.])(?=[\w-]*\d)(?=[\w-]*[A-Za-z_])[\w-]{8,}(?![\w])"), "‹id›"),
    (re.compile(r"[+-]?\d+(?:[.,:]\d+)*"), "‹n›"),
)
_SPACE = re.compile(r"\s+")
_LINE = re.compile(r":\d+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a group of dead letters is told by."""

    trigger: str
    code: str
    type: str
    message: str
    place: str

    @property
    def fingerprint(self) -> str:
        said = "\x1f".join((self.trigger, self.code, self.type, self.message, self.place))
        return hashlib.sha256(said.encode()).hexdigest()


def fault(*, trigger: str, code: str, kind: str = "", detail: str = "", place: str = "") -> Fault:
    """The fault of one failure. Lines are left out of its place: a release moves them."""
    return Fault(trigger, code, kind[:60], normalise(detail), _LINE.sub("", place)[:200])


def normalise(detail: str) -> str:
    """The first line of a message without what differs from one failure to the next."""
    text = detail.strip().partition("\n")[0][:2000]
    for pattern, name in _VARIABLE:
        text = pattern.sub(name, text)
    return _SPACE.sub(" ", text)[:LONGEST]
