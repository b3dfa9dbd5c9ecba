"""Bounded, overlapping slices of a long text: patterns and the classifier see one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LENGTH = 4_000
OVERLAP = 300  # longer than what any pattern may span
MOST = 160  # slices of one text, half a million characters; shape refuses longer ones


def sliced(text: str, length: int = LENGTH, overlap: int = OVERLAP) -> Iterator[str]:
    """``text`` in slices of ``length`` characters, each beginning ``overlap`` before the last one's end."""
    if len(text) <= length:
        yield text
        return
    step = length - overlap
    for start in range(0, min(len(text) - overlap, step * MOST), step):
        yield text[start : start + length]
