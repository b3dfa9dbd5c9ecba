"""Tolerance: what CRMs send for a number, a flag or a time, as the type it means; anything else stays."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

KINDS = ("text", "number", "flag", "list", "time")

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,18})(?:\.\d{1,12})?")
_FLAGS = {"true": True, "false": False}
_MEANT_FLAGS = _FLAGS | {"yes": True, "no": False, "1": True, "0": False, "on": True, "off": False}
_FIRST_MS = 10**11  # a larger number counts milliseconds
_LONGEST = 60


def tolerate(value: Any, kind: str, *, is_id: bool = False) -> Any:
    """``value`` as ``kind`` when it plainly is one, written otherwise; else ``value`` itself.

    ``is_id``: a text of digits, as ids, phones and postal codes are, may come as a number.
    """
    if type(value) is str and not value.strip() and kind != "text":
        return None
    if kind == "number" and type(value) is str:
        return _number(value)
    if kind == "flag" and type(value) is str:
        return _FLAGS.get(value.strip().lower(), value)
    if kind == "text" and is_id and type(value) is int:
        return str(value)
    if kind == "time":
        return time_of(value)
    return value


def convert(value: Any, kind: str) -> Any:
    """``value`` as an operator says it is meant; itself when it cannot be."""
    if value is None:
        return None
    if kind == "text":
        if type(value) is list:
            return ", ".join(str(convert(item, "text")) for item in value)
        if type(value) is dict:
            named = next((value[key] for key in ("value", "name", "label", "id") if key in value), None)
            return value if named is None or type(named) in (dict, list) else convert(named, "text")
        return value if type(value) is str else str(value).lower() if type(value) is bool else str(value)
    if kind == "flag":
        return _MEANT_FLAGS.get(str(value).strip().lower(), value)
    if kind == "list":
        if type(value) is str:
            return [part.strip() for part in value.split(",") if part.strip()]
        if type(value) is dict:
            value = list(value.values())
        return [convert(item, "text") for item in value] if type(value) is list else [convert(value, "text")]
    return tolerate(value, kind)


def time_of(value: Any) -> Any:
    """Milliseconds, seconds and the time of a mail as ISO 8601; a text that is neither stays as sent."""
    number = value
    if type(value) is str:
        text = value.strip()
        if not text or len(text) > _LONGEST:
            return value if text else None
        if text[0].isalpha():
            try:
                return parsedate_to_datetime(text).isoformat()
            except ValueError:
                return value
        if not (text.isascii() and text.isdigit() and len(text) >= 10):
            return value
        number = int(text)
    if type(number) not in (int, float) or not math.isfinite(number):
        return value
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= _FIRST_MS else number, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return value


def _number(text: str) -> Any:
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return text
    plain = stripped.replace(",", "")
    return float(plain) if "." in plain else int(plain)
