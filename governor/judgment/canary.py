"""Canary tokens: random words put beside what must stay inside; whoever writes one has read it."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = "cnry"
_SEPARATORS = re.compile(r"[\W_]+")


def new_canary() -> str:
    """A token that stands in no text by chance and reads as no word: 64 random bits."""
    return f"{HEAD}{secrets.token_hex(8)}"


def leaked(text: str, canaries: Iterable[str]) -> list[str]:
    """Which of ``canaries`` stand in ``text``: plain, in other case, with separators, or backwards."""
    plain = _SEPARATORS.sub("", text).lower()
    known = [canary for canary in canaries if canary]
    return [one for one in known if one.lower() in plain or one.lower()[::-1] in plain]
