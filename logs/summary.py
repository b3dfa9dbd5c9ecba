"""Arguments, answers and data on one line."""

from __future__ import annotations

import re
from typing import Any

from logs.vocabulary import plural

# jsonb keeps no order, people do.
_ARGUMENT_ORDER = {
    name: place for place, name in enumerate(("id", "object", "title", "source", "ids", "rows", "where"))
}
# How the governor ends a list that it shortened.
_MORE = re.compile(r"… ([\d,]+) more")


def summary(value: Any, *, longest: int = 110) -> str:
    """Arguments or data on one line: ``object=Contact · ids=3``."""
    if isinstance(value, dict):
        value = dict(value)
        call = f"{value.pop('method', '')} {_place(value.pop('url'))}".strip() if value.get("url") else ""
        parts = [
            f"{name}={_short(value[name])}"
            for name in _in_order(value)
            if value[name] not in (None, "", [], {})
        ]
        text = " · ".join([call, *parts] if call else parts)
    else:
        text = "" if value is None else _short(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _short(value: Any) -> str:
    if isinstance(value, list):
        count = _count(value)
        return plural(count, "item") if count > 3 else ", ".join(_short(item) for item in value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_short(value[name])}" for name in _in_order(value)[:4]) + "}"
    text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _count(items: list[Any]) -> int:
    """How many there were, those left out of the trace included."""
    more = _MORE.fullmatch(items[-1]) if items and isinstance(items[-1], str) else None
    return len(items) - 1 + int(more[1].replace(",", "")) if more else len(items)


def _in_order(value: dict[str, Any]) -> list[str]:
    return sorted(value, key=lambda name: _ARGUMENT_ORDER.get(name, len(_ARGUMENT_ORDER)))


def _place(url: object) -> str:
    """Where a call goes, without what every address begins with."""
    return str(url).removeprefix("https://").removeprefix("http://")
