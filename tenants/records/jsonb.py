"""JSON that PostgreSQL's jsonb takes, whatever a CRM or a script put into it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_NUL = "\\u0000"


def dump(value: Any) -> str:
    """Text for a jsonb column. What jsonb refuses (NUL, lone surrogates) becomes U+FFFD, NaN null."""
    try:
        text = msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        text = _NUL
    return msgspec.json.encode(_clean(value)).decode() if _NUL in text else text


def load(text: str) -> Any:
    """The value of a jsonb column read as text."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError:
        return json.loads(text)  # a number beyond a double's range


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(item) for item in value]
    return value
