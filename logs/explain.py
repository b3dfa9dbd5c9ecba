"""Why an execution ended as it did, in one sentence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from logs.vocabulary import LIMITS, duration, plural, quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_REASON = 160


def explain(document: Mapping[str, Any]) -> str:
    """One sentence for people who were just woken: what happened, where, and what was committed."""
    status = document["status"]
    tell = _BY_STATUS.get(status, _finished)
    sentence = tell(document)
    if document["mode"] == "dry":
        sentence += " A dry run: nothing was changed or sent."
    elif document["mode"] == "recorded":
        sentence += " Answers came from the earlier journal: nothing was sent."
    return sentence


def _queued(document: Mapping[str, Any]) -> str:
    return f"Waiting for its turn with {plural(document['size'], 'record')}."


def _running(document: Mapping[str, Any]) -> str:
    attempt = document["attempts"]
    return f"Running now over {plural(document['size'], 'record')}" + (
        f", attempt {attempt}." if attempt > 1 else "."
    )


def _failed(document: Mapping[str, Any]) -> str:
    error = document["error"] or {}
    where = _where(error)
    name = document["limit_name"] or error.get("limit")
    if name:
        label, unit = LIMITS.get(name, (str(name).replace("_", " "), ""))
        used, allowed = error.get("used"), error.get("max")
        figures = ""
        if isinstance(used, int | float) and isinstance(allowed, int | float):
            figures = f" {quantity(used, unit)} of {quantity(allowed, unit)}"
        return f"Stopped at a limit: {label}{figures}{where}. {_left(document)}"
    detail = _short(error.get("detail") or document["error_detail"])
    kind = error.get("type") or document["error_code"] or "It failed"
    return f"{kind}{': ' + detail if detail else ''}{where}. Nothing was committed."


def _left(document: Mapping[str, Any]) -> str:
    finisher = next((span for span in document["spans"] if span.get("name") == "on_limit"), None)
    if finisher is None:
        return "Nothing was committed."
    if not finisher.get("ok"):
        return "Nothing was committed; on_limit failed too."
    return "Nothing was committed but what on_limit asked for."


def _where(error: Mapping[str, Any]) -> str:
    places = [error["at"]] if error.get("at") else []
    if error.get("record"):
        places.append(f"record {error['record']}")
    return f" at {', '.join(places)}" if places else ""


def _bisected(document: Mapping[str, Any]) -> str:
    error = document["error"] or {}
    why = _short(error.get("detail") or document["error_detail"])
    return "Split in two to find the record that fails; the halves tell the outcome." + (
        f" The cause: {why}." if why else ""
    )


def _partial(document: Mapping[str, Any]) -> str:
    counts = document["counts"]
    parts = []
    if aside := counts.get("quarantined", 0):
        verb = "does not fit and was set aside" if aside == 1 else "do not fit and were set aside"
        parts.append((aside, verb + _common_reason(document, "quarantined")))
    if failed := counts.get("failed", 0 if aside else document["failed"]):
        parts.append((failed, "failed" + _common_reason(document, "failed")))
    size = plural(document["size"], "record")
    told = " and ".join(
        f"{count:,} of {size} {said}" if place == 0 else f"{count:,} {said}"
        for place, (count, said) in enumerate(parts)
    )
    rest = document["ok"] + document["skipped"]
    if not rest:
        return f"{told}."
    return f"{told}; {f'the other {rest:,} are' if rest > 1 else 'the other one is'} committed."


def _cancelled(document: Mapping[str, Any]) -> str:
    return f"Cancelled before it ran; {plural(document['size'], 'record')} untouched."


def _finished(document: Mapping[str, Any]) -> str:
    parts = [_how_many_succeeded(document["ok"], document["size"])]
    if document["wall_ms"] is not None:
        parts.append(f" in {duration(document['wall_ms'])}")
    used = [
        plural(pair[0], noun)
        for name, noun in (("api_calls", "API call"), ("records_written", "record write"))
        if (pair := document["usage"].get(name)) and pair[0]
    ]
    if used:
        parts.append(f", with {' and '.join(used)}")
    for status, verb in (("quarantined", "quarantined"), ("skipped", "skipped"), ("failed", "failed")):
        count = document["counts"].get(status)
        if count:
            parts.append(f"; {count:,} {verb}{_common_reason(document, status)}")
    sentence = "".join(parts) + "." + _made(document)
    if document["with_errors"]:
        said: Mapping[str, Any] = next((e for e in document["entries"] if e.get("level") == "error"), {})
        sentence += (
            f" The script logged an error and went on: {_short(said.get('message')) or 'see the log'}."
        )
    return sentence


def _how_many_succeeded(ok: int, size: int) -> str:
    if ok < size:
        return f"{ok:,} of {plural(size, 'record')} succeeded"
    return "The record succeeded" if size == 1 else f"All {size:,} records succeeded"


def _common_reason(document: Mapping[str, Any], status: str) -> str:
    """The reason most records of this status share, in brackets."""
    told = (_reason(outcome) for outcome in document["outcomes"] if outcome["status"] == status)
    reasons = Counter(reason for reason in told if reason)
    if not reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    others = sum(reasons.values()) - count
    return f" ({_short(reason)}{f', and {others:,} more' if others else ''})"


def _reason(outcome: Mapping[str, Any]) -> str:
    """What a person can act on: the field and what is wrong with it, or else the reason."""
    detail = outcome["detail"]
    if isinstance(detail, list) and detail and isinstance(detail[0], dict) and "field" in detail[0]:
        return f"{detail[0]['field']}: {detail[0].get('reason', '')}"
    return str(outcome["reason"])


def _made(document: Mapping[str, Any]) -> str:
    """The task a script made for a person, which is what the reader came for."""
    titles = [
        str(effect["args"].get("title"))
        for effect in document["effects"]
        if effect.get("op") == "task.create" and effect.get("state") == "done" and effect.get("args")
    ]
    if not titles:
        return ""
    return f" Task: {_short(titles[0])}{f', and {len(titles) - 1:,} more' if len(titles) > 1 else ''}."


def _short(text: object) -> str:
    line = " ".join(str(text or "").split()).rstrip(".")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


_BY_STATUS = {
    "queued": _queued,
    "running": _running,
    "failed": _failed,
    "bisected": _bisected,
    "partial": _partial,
    "cancelled": _cancelled,
}
