"""An execution that ran a second script within itself: one trace, and both are billed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from governor.limits import LIMITS

if TYPE_CHECKING:
    from governor.job import RunResult


def joined(result: RunResult, inner: RunResult, *, span: str) -> RunResult:
    """The result with what ``inner`` logged, did and used; its spans stand inside one named ``span``."""
    return replace(
        result,
        entries=[*result.entries, *inner.entries],
        effects=[*result.effects, *inner.effects],
        spans=_spans(result, inner, span),
        usage=_added(result.usage, inner.usage),
        has_recovered=result.has_recovered or inner.has_recovered,
        with_errors=result.with_errors or inner.with_errors,
    )


def _spans(result: RunResult, inner: RunResult, name: str) -> list[dict[str, Any]]:
    place = len(result.spans)
    began = max((span["at_ms"] + span["ms"] for span in result.spans), default=result.wall_ms)
    took = max((span["at_ms"] + span["ms"] for span in inner.spans), default=inner.wall_ms)
    around = {
        "name": name,
        "kind": "phase",
        "at_ms": round(began, 3),
        "ms": round(took, 3),
        "ok": inner.error is None,
        "parent": None,
        "note": inner.error.code if inner.error else "",
    }
    inside = [
        {
            **span,
            "at_ms": round(span["at_ms"] + began, 3),
            "parent": place if span["parent"] is None else span["parent"] + place + 1,
        }
        for span in inner.spans
    ]
    return [*result.spans, around, *inside]


def _added(usage: dict[str, list[float]], more: dict[str, list[float]]) -> dict[str, list[float]]:
    """Of what is counted, not of what is measured."""
    return {
        name: pair if name not in more or LIMITS[name].is_outside else [pair[0] + more[name][0], *pair[1:]]
        for name, pair in usage.items()
    }
