"""What the trace will tell of an execution: its spans and its effects, in the order they were asked for."""

from __future__ import annotations

import time
from typing import Any

MOST = 500
_SHOWN_ROWS = 3
_SHOWN_FIELDS = 60  # of one mapping
_SHOWN_DEPTH = 8
_SHOWN_TEXT = 500  # characters of one text
_SHOWN_CHARACTERS = 16_000  # of all that is kept of a request's arguments, or of its answer
_KINDS = {"http": "callout", "enrich": "callout", "ai.ask": "ai"}


class Recorder:
    """Collects spans and effects; past the most it only counts them."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.spans: list[dict[str, Any]] = []
        self.effects: list[dict[str, Any]] = []
        self.left_out = 0
        self.judgments: list[dict[str, Any]] = []

    def at_ms(self) -> float:
        """Milliseconds since the start."""
        return round((time.perf_counter() - self._began) * 1000, 3)

    def open(self, name: str, kind: str, *, parent: int | None = None) -> dict[str, Any]:
        """A span that begins now."""
        span: dict[str, Any] = {
            "name": name,
            "kind": kind,
            "at_ms": self.at_ms(),
            "ms": 0.0,
            "ok": True,
            "parent": parent,
            "note": "",
        }
        if len(self.spans) < MOST:
            self.spans.append(span)
        return span

    def close(self, span: dict[str, Any], *, is_ok: bool = True, note: str = "") -> None:
        """The span ends now."""
        span["ms"] = round(self.at_ms() - span["at_ms"], 3)
        span["ok"] = is_ok
        span["note"] = note or span["note"]

    def judged(self, *, level: int, rule: str, verdict: str, place: str) -> None:
        """A level of the Judgment Protocol found something."""
        found = {"level": level, "rule": rule, "verdict": verdict, "place": place}
        if found not in self.judgments and len(self.judgments) < MOST:
            self.judgments.append(found)

    def ask(self, op: str, args: dict[str, Any], line: str, *, parent: int | None) -> dict[str, Any]:
        """A request of the script begins: its effect, with its span inside until it is closed."""
        effect = {
            "op": op,
            "args": short_args(args),
            "answer": None,
            "state": "in-doubt",
            "line": line,
            "ms": 0.0,
            "error": None,
        }
        if len(self.effects) < MOST:
            self.effects.append(effect)
        else:
            self.left_out += 1
        span = self.open(op, _KINDS.get(op, "records"), parent=parent)
        return {"effect": effect, "span": span}

    def told_effects(self) -> list[dict[str, Any]]:
        """The effects, with a last one that says how many more there were."""
        if not self.left_out:
            return self.effects
        return [*self.effects, {"cut": self.left_out, "message": f"{self.left_out:,} left out here"}]

    def told(
        self,
        asked: dict[str, Any],
        *,
        state: str,
        answer: Any = None,
        error: dict[str, Any] | None = None,
        note: str = "",
    ) -> None:
        """A request was answered."""
        effect = asked["effect"]
        self.close(asked["span"], is_ok=error is None, note=note or (error or {}).get("code", ""))
        effect |= {"state": state, "answer": note or short_answer(answer), "ms": asked["span"]["ms"]}
        if error is not None:
            effect["error"] = {"code": error.get("code", ""), "detail": error.get("detail", "")}


def short_args(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments, with long lists told by their length and first items, and bodies by their size."""
    brief = _Brief()
    return {name: brief.of(value) for name, value in args.items() if value not in (None, {}, [], "")}


def short_answer(answer: Any) -> Any:
    """What a person wants to see of an answer."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict) and "ok" in answer[0]:
        refused = [row for row in answer if not row["ok"]]
        told: dict[str, Any] = {"saved": len(answer) - len(refused), "refused": len(refused)}
        if refused:
            told["errors"] = _Brief().of([row["errors"] for row in refused[:_SHOWN_ROWS]])
        return told
    if isinstance(answer, list) or (isinstance(answer, dict) and len(answer) > _SHOWN_ROWS):
        return {"records": len(answer)}
    return _Brief().of(answer)


class _Brief:
    """Shortens what one effect tells, however it is nested: 500 effects live in the worker's memory."""

    def __init__(self) -> None:
        self._left = _SHOWN_CHARACTERS

    def of(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bytes):
            return f"<{len(value):,} bytes>"
        if isinstance(value, dict):
            if depth >= _SHOWN_DEPTH or (value and self._left <= 0):
                return f"… {len(value):,} fields"
            shown = list(value.items())[:_SHOWN_FIELDS]
            brief = {self._text(str(name)): self.of(item, depth + 1) for name, item in shown}
            if len(value) > _SHOWN_FIELDS:
                brief["…"] = f"{len(value) - _SHOWN_FIELDS:,} more"
            return brief
        if isinstance(value, list):
            if depth >= _SHOWN_DEPTH or (value and self._left <= 0):
                return f"… {len(value):,} more"
            brief_items = [self.of(item, depth + 1) for item in value[:_SHOWN_ROWS]]
            return (
                [*brief_items, f"… {len(value) - _SHOWN_ROWS} more"]
                if len(value) > _SHOWN_ROWS
                else brief_items
            )
        return value

    def _text(self, text: str) -> str:
        most = min(_SHOWN_TEXT, max(0, self._left))
        self._left -= min(len(text), most) + 1
        return text if len(text) <= most else f"{text[:most]}…"
