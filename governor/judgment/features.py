"""What the classifier looks at: hashed n-grams of words and of characters, scaled by the text's length."""

from __future__ import annotations

import math
import re
import zlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BITS = 16
BUCKETS = 1 << BITS
_MASK = np.uint32(BUCKETS - 1)
_WORD = re.compile(r"[^\W\d_]+|\d+|[#<>\[\]{}|=`$*]{1,3}")
_SPACES = re.compile(r"\s+")
_DIGITS = re.compile(r"\d+")
# Multipliers of the sums; odd, so that no bit is lost.
_ONE, _TWO, _THREE, _FOUR = (np.uint32(one) for one in (0x9E3779B1, 0x7FEB352D, 0x846CA68B, 0x27D4EB2F))
_PRIME = np.uint32(0x01000193)
_SKIP = np.uint32(77)

Buckets = npt.NDArray[np.uint32]


def buckets(text: str) -> Buckets:
    """The buckets of the n-grams of ``text``, each once: saying a thing often makes it no stronger.

    One to three words, pairs of words apart, three to five bytes of UTF-8. ``text`` is lower-cased, a number
    is one digit and its white space one blank: amounts, ids and layout tell nothing of an attack.
    """
    plain = _SPACES.sub(" ", _DIGITS.sub("0", text.lower())).strip()
    words = np.array([_word(word) for word in _WORD.findall(plain)], dtype=np.uint32)
    found = [words * _ONE]
    if len(words) > 1:
        found.append(words[:-1] * _TWO + words[1:] * _THREE)
    if len(words) > 2:
        found.append(words[:-2] * _THREE + words[1:-1] * _ONE + words[2:] * _TWO)
    if len(words) > 3:
        found.append(words[:-3] * _TWO + words[3:] * _ONE + _SKIP)
    octets = np.frombuffer(f" {plain} ".encode(errors="replace"), dtype=np.uint8).astype(np.uint32)
    if len(octets) > 4:
        spread = (octets + np.uint32(1)) * _FOUR
        two = (spread[:-1] ^ (spread[:-1] >> np.uint32(15))) * _PRIME + spread[1:]
        three = _next(two, spread[2:])
        four = _next(three, spread[3:])
        found += [three, four, _next(four, spread[4:])]
    told = _mixed(np.concatenate(found))
    told.sort()
    is_new = np.ones(len(told), dtype=np.bool_)
    np.not_equal(told[1:], told[:-1], out=is_new[1:])
    return told[is_new]


def scale(count: int) -> float:
    """By what the sum of weights is divided, so that long and short texts compare."""
    return math.sqrt(max(count, 60))


def _next(sums: Buckets, octets: Buckets) -> Buckets:
    sums = sums[: len(octets)]
    return (sums ^ (sums >> np.uint32(13))) * _PRIME + octets


def _mixed(numbers: Buckets) -> Buckets:
    numbers ^= numbers >> np.uint32(15)
    numbers *= np.uint32(0x2C1B3C6D)
    numbers ^= numbers >> np.uint32(12)
    numbers &= _MASK
    return numbers


@lru_cache(maxsize=8192)
def _word(word: str) -> int:
    return zlib.crc32(word.encode(errors="replace"))
