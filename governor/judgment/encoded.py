"""Level 8: texts hidden in a text. Decoded within bounds; what comes out is judged like any other."""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import re
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEVEL = 8
ROUNDS = 2
LARGEST = 8_192  # characters decoded of one text, over all rounds
_RUNS = 8  # encoded runs looked at in one text

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,8192}+={0,2}")
_BASE32 = re.compile(r"(?<![A-Z2-7=])[A-Z2-7]{24,8192}+={0,6}(?![A-Za-z0-9])")
_HEX = re.compile(r"(?<![0-9a-zA-Z])(?:0x)?(?:[0-9a-fA-F]{2}[ :]?){12,4096}+(?![0-9a-zA-Z])")
_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}){6,1024}+")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})")
_ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-fA-F]{2,6}|[a-z]{2,8});")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ ._*-]{1,2}){7,400}+(?:[^\W_](?![^\W_]))?")
_LEET = re.compile(r"(?=[a-z@$]{0,23}[0-9@$!|])[a-z0-9@$!|]{4,24}")
_LEET_LETTERS = str.maketrans("013456789@$!|", "oleasgtbgasil")
_ROT13_SIGNS = re.compile(
    r"\b(?:vtaber|qvfertneq|vafgehpgvbaf|cerivbhf|flfgrz|cebzcg|sbetrg|nffvfgnag|cnffjbeq)\b"
)
_WORDS = re.compile(r"[^\W\d_]{2,}")


def decoded(text: str) -> Iterator[tuple[str, str]]:
    """How something was hidden in ``text``, and what it reads; twice encoded, both readings."""
    budget = LARGEST
    pending = [("", text[:LARGEST])]
    for _ in range(ROUNDS):
        below: list[tuple[str, str]] = []
        for how, layer in pending:
            for name, plain in _once(layer):
                if budget <= 0:
                    return
                reading = plain[:budget]
                budget -= len(reading)
                label = f"{how}+{name}" if how else name
                yield label, reading
                below.append((label, reading))
        pending = below


def _once(text: str) -> Iterator[tuple[str, str]]:
    for run in _first(_BASE64, text):
        yield from _read("base64", _from_base64(run))
    for run in _first(_BASE32, text):
        yield from _read("base32", _bytes(base64.b32decode, run + "=" * (-len(run) % 8)))
    for run in _first(_HEX, text):
        yield from _read("hex", _bytes(bytes.fromhex, re.sub(r"[^0-9a-fA-F]|0x", "", run)))
    for run in _first(_ESCAPES, text):
        yield "escapes", run.encode("ascii", "replace").decode("unicode_escape", "replace")
    if len(_PERCENT.findall(text)) > 2:
        plain = urllib.parse.unquote_plus(text, errors="replace")
        if plain != text:
            yield "percent", plain
    if _ENTITY.search(text):
        plain = html.unescape(text)
        if plain != text:
            yield "entities", plain
    for run in _first(_SPACED, text):
        yield "spaced", _unspaced(run)
    lowered = text.lower()
    if len(set(_LEET.findall(lowered))) > 1:
        yield "leetspeak", _LEET.sub(lambda word: word[0].translate(_LEET_LETTERS), lowered)
    if len(set(_ROT13_SIGNS.findall(lowered))) > 1:
        yield "rot13", codecs.decode(text, "rot13")


def _first(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for number, run in enumerate(pattern.finditer(text)):
        if number >= _RUNS:
            return
        yield run[0]


def _from_base64(run: str) -> bytes | None:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    run = run[: len(run) - (len(run) % 4 == 1)]
    return _bytes(base64.b64decode, run + "=" * (-len(run) % 4))


def _bytes(decode: object, run: str) -> bytes | None:
    try:
        return decode(run)  # type: ignore[operator, no-any-return]
    except (ValueError, binascii.Error):
        return None


def _read(how: str, raw: bytes | None) -> Iterator[tuple[str, str]]:
    """Only what reads as text was hidden text; ids and pictures decode to noise."""
    if not raw or len(raw) < 8:
        return
    try:
        plain = raw.decode()
    except UnicodeDecodeError:
        return
    printable = sum(character.isprintable() or character in "\n\t\r" for character in plain)
    if printable == len(plain) and (len(_WORDS.findall(plain)) > 1 or not plain.isascii()):
        yield how, plain


def _unspaced(run: str) -> str:
    """``i g n o r e  a l l`` as words, where a wider gap says where one ends, else as one word."""
    words = re.split(r"[ ._*-]{2,}", run)
    return " ".join(re.sub(r"[ ._*-]", "", word) for word in words)
