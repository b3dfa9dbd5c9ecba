"""The last word of an execution that came to a limit: its trigger's ``on_limit``, on a small budget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from governor import within
from governor.job import RunError, RunResult
from governor.limits import ON_LIMIT_BUDGET
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
    whole = within.joined(result, last, span=SPAN)
    return replace(
        whole, changes=[] if last.error else last.changes, entries=[*whole.entries, *_failure(last)]
    )


def _failure(last: RunResult) -> list[dict[str, Any]]:
    if last.error is None:
        return []
    said = f"on_limit failed too, and nothing it asked for was committed: {last.error.detail}"
    return [{"level": "warning", "message": said, "data": None, "at": None, "line": last.error.at}]
