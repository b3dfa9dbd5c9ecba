"""How many tokens a text comes to, where nobody has counted them: for a budget, not for a bill."""

from __future__ import annotations

BYTES_A_TOKEN = 4


def estimate(text: str) -> int:
    """About the tokens of ``text``: one for four bytes of its UTF-8, rounded up."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return -(-size // BYTES_A_TOKEN)
