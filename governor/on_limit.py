"""The last word of an execution that came to a limit: its trigger's ``on_limit``, on a small budget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from governor.job import RunError, RunResult
from governor.limits import LIMITS, ON_LIMIT_BUDGET
from governor.meter import CODE
from governor.verdict import LEASE_LOST
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from governor.job import Job

SPAN = "on_limit"


def is_due(spec: Any, result: RunResult) -> bool:
    """Whether a limit ended the handler and its class has an ``on_limit``."""
    error = result.error
    return error is not None and error.code == CODE and bool(error.limit) and bool(spec.has_on_limit)


def add(
    job: Job,
    result: RunResult,
    *,
    calls: int = ON_LIMIT_BUDGET["api_calls"],
    run: Callable[..., RunResult],
    zygote: Any,
    heartbeat: Callable[[], bool],
) -> RunResult:
    """Run ``on_limit`` in a runner of its own; gives the failed result with what that did and said.

    ``calls`` are the API calls that its tenant's quota leaves it.

    Its changes are then the execution's only ones. If it fails, the trace says so and nothing else changes.
    Call it once, for an execution that will not be tried again: what it sends is sent.
    """
    assert result.error is not None
    error = result.error
    told = {name: getattr(error, name) for name in ("limit", "used", "max", "detail", "at", "record")}
    limits = {**ON_LIMIT_BUDGET, "depth": max(job.depth, ON_LIMIT_BUDGET["depth"])}
    limits["api_calls"] = min(limits["api_calls"], calls)
    try:
        last = run(replace(job, limits=limits, ended_by=told), zygote=zygote, heartbeat=heartbeat)
    except CodedError as fault:
        last = RunResult(error=RunError(code=fault.code, detail=str(fault)))
    if last.error is not None and last.error.code == LEASE_LOST and last.error.is_retryable:
        return RunResult(error=last.error)  # another worker has the whole execution now
    return replace(
        result,
        changes=[] if last.error else last.changes,
        entries=[*result.entries, *last.entries, *_failure(last)],
        effects=[*result.effects, *last.effects],
        spans=_spans(result, last),
        usage=_added(result.usage, last.usage),
        has_recovered=result.has_recovered or last.has_recovered,
    )


def _failure(last: RunResult) -> list[dict[str, Any]]:
    if last.error is None:
        return []
    said = f"on_limit failed too, and nothing it asked for was committed: {last.error.detail}"
    return [{"level": "warning", "message": said, "data": None, "at": None, "line": last.error.at}]


def _spans(result: RunResult, last: RunResult) -> list[dict[str, Any]]:
    """The spans of both, those of ``on_limit`` inside one of its own, after the others."""
    place = len(result.spans)
    began = max((span["at_ms"] + span["ms"] for span in result.spans), default=result.wall_ms)
    took = max((span["at_ms"] + span["ms"] for span in last.spans), default=last.wall_ms)
    around = {
        "name": SPAN,
        "kind": "phase",
        "at_ms": round(began, 3),
        "ms": round(took, 3),
        "ok": last.error is None,
        "parent": None,
        "note": last.error.code if last.error else "",
    }
    inside = [
        {
            **span,
            "at_ms": round(span["at_ms"] + began, 3),
            "parent": place if span["parent"] is None else span["parent"] + place + 1,
        }
        for span in last.spans
    ]
    return [*result.spans, around, *inside]


def _added(usage: dict[str, list[float]], more: dict[str, list[float]]) -> dict[str, list[float]]:
    """Both used it, so both are billed: of what is counted, not of what is measured."""
    return {
        name: pair if name not in more or LIMITS[name].is_outside else [pair[0] + more[name][0], *pair[1:]]
        for name, pair in usage.items()
    }
