"""JSON that PostgreSQL's jsonb takes, whatever a CRM or a script put into it."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_NUL = "\\u0000"
_LARGEST = 2**63 - 1
# Only a text with so many digits in a row can hold a whole number of more than 64 bits.
_LONG = re.compile(r"\d{19}")


def dump(value: Any) -> str:
    """Text for a jsonb column. What jsonb refuses (NUL, lone surrogates) becomes U+FFFD, NaN null."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = _NUL
    return msgspec.json.encode(_clean(value)).decode() if _NUL in text else text


def load(text: str) -> Any:
    """The value of a jsonb column read as text; a number of more than 64 bits becomes a float again."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.ValidationError:
        value = json.loads(text)  # a number beyond a double's range
    return _shorten(value) if _LONG.search(text) else value


def _shorten(value: Any) -> Any:
    """jsonb writes 1e30 as a one with thirty zeros; a whole number of that size no frame can hold."""
    if type(value) is int and not -_LARGEST - 1 <= value <= _LARGEST:
        try:
            return float(value)
        except OverflowError:
            return str(value)
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shorten(item) for item in value]
    return value


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item) for item in value]
    return value
