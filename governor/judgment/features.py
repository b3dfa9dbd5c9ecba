"""What the classifier looks at: hashed n-grams of words and of characters, scaled by the text's length."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BITS = 16
BUCKETS = 1 << BITS
LONGEST = 1_200  # characters judged at once; longer texts are judged in slices
_MASK = np.uint32(BUCKETS - 1)
_WORD = re.compile(r"[^\W\d_]+|\d+|[#<>\[\]{}|=`$*]{1,3}")
_SPACES = re.compile(r"\s+")
_DIGITS = re.compile(r"\d")
_CHARACTERS = (3, 4, 5)  # bytes of UTF-8
# Multipliers of the rolling sums; odd, so that no bit is lost.
_FACTORS = np.array([2654435761, 2246822519, 3266489917, 668265263, 374761393], dtype=np.uint32)
_SALTS = {3: np.uint32(0x1B873593), 4: np.uint32(0xCC9E2D51), 5: np.uint32(0x85EBCA6B)}
_ONE, _TWO, _THREE = np.uint32(0x9E3779B1), np.uint32(0x7FEB352D), np.uint32(0x846CA68B)

Buckets = npt.NDArray[np.uint32]


def buckets(text: str) -> Buckets:
    """The bucket of each n-gram of ``text``, in no order; an n-gram that stands twice is there twice.

    ``text`` is lower-cased, its digits are one digit and its white space one blank: amounts, ids and layout
    tell nothing of an attack.
    """
    plain = _SPACES.sub(" ", _DIGITS.sub("0", text.lower())).strip()
    words = np.array([_word(word) for word in _WORD.findall(plain)], dtype=np.uint32)
    found = [_mixed(words * _ONE)]
    if len(words) > 1:
        pairs = words[:-1] * _TWO + words[1:] * _THREE
        found.append(_mixed(pairs))
    if len(words) > 2:
        found.append(_mixed(words[:-2] * _THREE + words[1:-1] * _ONE + words[2:] * _TWO))
    if len(words) > 3:
        found.append(_mixed(words[:-3] * _TWO + words[3:] * _ONE + np.uint32(77)))
    octets = np.frombuffer(f" {plain} ".encode(), dtype=np.uint8).astype(np.uint32) + np.uint32(1)
    for length in _CHARACTERS:
        count = len(octets) - length + 1
        if count < 1:
            continue
        total = np.full(count, _SALTS[length], dtype=np.uint32)
        for place in range(length):
            total = (total ^ (octets[place : place + count] * _FACTORS[place])) * np.uint32(0x01000193)
        found.append(_mixed(total))
    return np.concatenate(found)


def scale(count: int) -> float:
    """By what the sum of weights is divided, so that long and short texts compare."""
    return float(max(count, 60)) ** 0.5


def _mixed(numbers: Buckets) -> Buckets:
    numbers = numbers ^ (numbers >> np.uint32(15))
    numbers = numbers * np.uint32(0x2C1B3C6D)
    numbers = numbers ^ (numbers >> np.uint32(12))
    return numbers & _MASK


@lru_cache(maxsize=8192)
def _word(word: str) -> int:
    return zlib.crc32(word.encode(errors="replace"))
