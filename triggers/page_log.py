"""The log of an execution's page, filtered by level and text on the server: it needs no scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from logs.summary import summary
from logs.vocabulary import ROUTINE_LEVELS, word

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST = 100  # lines before the rest is folded
LEVELS = {"": "All levels", "info": "Info and above", "warning": "Warnings and errors", "error": "Errors"}
_RANK = {"debug": 0, "info": 1, "warning": 2, "error": 3}


def log_part(entries: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """The lines that ``level`` and ``find`` of the query string leave, and the form's state."""
    level = query.get("level", "") if query.get("level", "") in LEVELS else ""
    find = query.get("find", "").replace("\x00", "").strip()[:200]
    shown = [_entry(entry) for entry in entries if _is_wanted(entry, level, find.casefold())]
    return {
        "levels": [
            {"value": value, "label": label, "is_on": value == level} for value, label in LEVELS.items()
        ],
        "find": find,
        "is_filtered": bool(level or find),
        "total": len(entries),
        "lines": shown[:MOST],
        "lines_folded": shown[MOST:],
    }


def _is_wanted(entry: Mapping[str, Any], level: str, find: str) -> bool:
    if "cut" in entry:
        return not find and not level
    if level and _RANK.get(str(entry.get("level", "info")), 1) < _RANK[level]:
        return False
    return (
        not find
        or find
        in f"{entry.get('message', '')} {json.dumps(entry.get('data'), ensure_ascii=False)}".casefold()
    )


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    if "cut" in entry:
        return dict(entry)
    level = str(entry.get("level", "info"))
    data = entry.get("data")
    brief = summary(data, longest=160)
    is_long = bool(data) and (brief.endswith("…") or isinstance(data, list))
    return {
        "time": str(entry.get("at") or "")[11:23],
        "level": level,
        "word": word(level),
        "is_routine": level in ROUTINE_LEVELS,
        "message": entry.get("message", ""),
        "brief": brief if data else "",
        "data": json.dumps(data, indent=2, ensure_ascii=False) if is_long else "",
        "line": entry.get("line", ""),
    }
