"""Why an execution ended: the one reason among everything that was seen of it."""

from __future__ import annotations

import errno
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from governor.jail.wire import Done, WireError
from governor.job import Job, RunError
from governor.meter import CODE, Breach

if TYPE_CHECKING:
    from governor.jail.supervisor import Exit
    from governor.meter import Meter

LEASE_LOST = "triggers.lease-lost"
RUNNER_DIED = "governor.runner-died"
BAD_WIRE = "governor.bad-wire"
THREADS = "governor.too-many-threads"
OUTCOMES = frozenset({"ok", "failed", "skipped", "quarantined"})
# The kernel's own CPU limit works in whole seconds and kills without a word.
_CPU_NEARLY = 0.98
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_REASON_CHARACTERS = 2_000
_FIELDS = 50  # of one record's reasons
_FIELD_CHARACTERS = 500


@dataclass(slots=True)
class Ending:
    """What was seen of a run's end."""

    is_open: bool = True
    done: Done | None = None
    outcomes: dict[str, tuple[str, str, Any]] = field(default_factory=dict)
    fault: str = ""  # LEASE_LOST, THREADS, or what was wrong on the wire
    exit: Exit | None = None


def outcomes_of(done: Done, job: Job) -> dict[str, tuple[str, str, Any]]:
    """The outcomes of a report. Raises ``WireError`` when they are not those of the batch."""
    ids = {str(record["id"]) for record in job.records}
    outcomes = {}
    for record_id, outcome in done.outcomes.items():
        if record_id not in ids or not isinstance(outcome, list) or len(outcome) != 3:
            raise WireError("An outcome of no record of this batch was reported.")
        status, reason, detail = outcome
        if status not in OUTCOMES or not isinstance(reason, str):
            raise WireError(f"{str(status)[:40]!r} is no outcome.")
        outcomes[record_id] = (status, reason[:_REASON_CHARACTERS], _fields(detail))
    if done.error is None and len(outcomes) != len(ids):
        raise WireError("Not every record of the batch has an outcome.")
    return outcomes


def _fields(detail: Any) -> list[dict[str, str]] | None:
    """The reasons of single fields, bounded: a trace is written for people."""
    if not isinstance(detail, list):
        return None
    return [
        {name: str(fault.get(name, ""))[:_FIELD_CHARACTERS] for name in ("field", "reason")}
        for fault in detail[:_FIELDS]
        if isinstance(fault, dict)
    ]


def judge(ending: Ending, meter: Meter) -> RunError | None:
    """The error of a run, or None. An exceeded limit outranks whatever the script made of it."""
    reported = ending.done.error if ending.done else None
    if ending.fault == LEASE_LOST:
        return RunError(code=LEASE_LOST, detail="Another worker took this work over.", is_retryable=True)
    _infer(ending, meter, reported)
    if meter.breach is not None:
        return _exceeded(meter.breach, reported)
    if ending.fault == THREADS:
        return RunError(code=THREADS, detail="The script ran more threads at once than the jail allows.")
    if ending.fault:
        return RunError(code=BAD_WIRE, detail=f"The runner sent something that is no message: {ending.fault}")
    if ending.done is None:
        return _died(ending)
    return _raised(reported, record=meter.record) if reported is not None else None


def _infer(ending: Ending, meter: Meter, reported: dict[str, Any] | None) -> None:
    """Limits that the kernel enforced, which show in how the runner ended."""
    if meter.breach is not None or ending.fault:
        return
    killed = ending.exit is not None and ending.exit.signal in {signal.SIGKILL, signal.SIGXCPU}
    if ending.done is None and killed and meter.used["cpu_ms"] >= meter.max["cpu_ms"] * _CPU_NEARLY:
        meter.exceed("cpu_ms", meter.used["cpu_ms"])
    data = _dict(reported.get("data")) if reported else {}
    is_memory = reported is not None and (_is_out_of_memory(reported) or data.get("limit") == "memory_mb")
    if is_memory and reported is not None:
        # The kernel refused the allocation, so what was held stayed under the limit.
        meter.exceed(
            "memory_mb", max(meter.used["memory_mb"], meter.max["memory_mb"]), at=_text(reported, "at")
        )


def _is_out_of_memory(reported: dict[str, Any]) -> bool:
    detail = _text(reported, "detail")
    # For a thread's stack too there were no addresses left.
    is_thread = reported.get("type") == "RuntimeError" and detail == "can't start new thread"
    return reported.get("type") == "MemoryError" or is_thread or detail.startswith(f"[Errno {errno.ENOMEM}]")


def _exceeded(breach: Breach, reported: dict[str, Any] | None) -> RunError:
    return RunError(
        code=CODE,
        type="LimitExceeded",
        detail=breach.detail,
        traceback=_text(reported, "traceback"),
        at=breach.at or _text(reported, "at"),
        record=breach.record,
        limit=breach.limit,
        used=round(breach.used, 1),
        max=breach.max,
        data={"limit": breach.limit, "used": round(breach.used, 1), "max": breach.max},
    )


def _died(ending: Ending) -> RunError:
    left = ending.exit
    if left is None or (left.signal is None and left.status is None):
        detail, is_retryable = "The jail died, and the runner with it.", True
    elif left.signal is not None:
        name = signal.Signals(left.signal).name
        is_retryable = left.signal in _FROM_OUTSIDE
        detail = (
            f"The runner was killed by {name} from outside."
            if is_retryable
            else f"The runner crashed ({name})."
        )
    else:
        detail, is_retryable = (
            f"The script ended its process (exit status {left.status}) before it returned.",
            False,
        )
    return RunError(code=RUNNER_DIED, type="RunnerDied", detail=detail, is_retryable=is_retryable)


def _raised(reported: dict[str, Any], *, record: str) -> RunError:
    return RunError(
        code=_text(reported, "code") or "script.raised",
        type=_text(reported, "type"),
        detail=_text(reported, "detail"),
        traceback=_text(reported, "traceback"),
        at=_text(reported, "at"),
        record=record,
        data=_dict(reported.get("data")),
    )


def _text(reported: dict[str, Any] | None, name: str) -> str:
    value = (reported or {}).get(name)
    return value[:20_000] if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
