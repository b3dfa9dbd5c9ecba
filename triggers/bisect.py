"""What becomes of a run: settled, tried again, or split until the poison record is alone. Pure decisions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from governor.host_watch import PROVIDER_DOWN
from governor.judgment.authority import EFFECTS_STOPPED
from governor.quotas import OVER_QUOTA
from triggers.choices import ExecutionStatus
from triggers.work import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from governor.job import RunError, RunResult
    from triggers.work import Member, Work

MOST_ATTEMPTS = 5
MOST_LOSSES = 3  # workers that may die over an execution before it is taken for the reason
MOST_PARTS = 64  # executions that one batch may be split into
BACKOFF_SECONDS = 5.0  # doubled with each attempt
LONGEST_BACKOFF = 60.0
KILLED = frozenset({"wall_ms", "cpu_ms", "memory_mb"})

RECORD_FAILED = "triggers.record-failed"
MISFIT = "triggers.schema-misfit"
EXHAUSTED = "triggers.bisect-exhausted"
GIVEN_UP = "triggers.bisect-given-up"
# No record is at fault and waiting may help: such an execution is held, never dropped or split.
HELD = frozenset({"governor.jail-broken", "governor.jail-unsafe", PROVIDER_DOWN, OVER_QUOTA, EFFECTS_STOPPED})
# Of these the lane is parked, which ends when the reason does; the attempt was none.
PARKING = frozenset({PROVIDER_DOWN, OVER_QUOTA})
JUDGED = "judgment."
# No record is at fault and splitting cannot help.
WHOLE = frozenset({"triggers.unknown-trigger", GIVEN_UP, EXHAUSTED})


@dataclass(frozen=True)
class Family:
    """What is known of the other parts of a batch that was split."""

    parts: int = 0
    sibling_limit: str = ""  # the limit that ended the other half of the same split


@dataclass
class Ending:
    """What is to be settled for one execution."""

    status: str
    verdicts: dict[str, Verdict] = field(default_factory=dict)  # by record; empty while nothing is final
    error: RunError | None = None
    code: str = ""
    detail: str = ""
    retry_in: float | None = None
    parts: list[list[Member]] = field(default_factory=list)
    gives_up: bool = False  # the batch's other parts are not run any more

    def count(self, *statuses: str) -> int:
        return sum(verdict.status in statuses for verdict in self.verdicts.values())


def decide(work: Work, result: RunResult, *, family: Callable[[], Family]) -> Ending:
    """How the execution ends. ``family`` is asked only when the batch may have to be split."""
    if result.error is None:
        return _returned(work, result)
    error = result.error
    # A script may raise any code; it cannot say that waiting helps.
    if error.is_retryable and (error.code in HELD or work.attempts < MOST_ATTEMPTS):
        return Ending(
            ExecutionStatus.QUEUED,
            error=error,
            code=error.code,
            detail=error.detail,
            retry_in=0.0 if error.code in PARKING else backoff(work.attempts),
        )
    if work.size <= 1 or error.code in WHOLE:
        return _failed(work, result)
    known = family()
    if known.parts + 2 > MOST_PARTS:
        detail = f"The batch was split into {known.parts} parts and this one still failed: {error.detail}"
        return _failed(work, result, code=EXHAUSTED, detail=detail)
    if error.limit in KILLED and known.sibling_limit == error.limit:
        ending = _failed(work, result)
        ending.gives_up = True
        return ending
    middle = (work.size + 1) // 2
    return Ending(
        ExecutionStatus.BISECTED,
        error=error,
        code=error.code,
        detail=error.detail,
        parts=[work.members[:middle], work.members[middle:]],
    )


def backoff(attempts: int) -> float:
    """Seconds until the next attempt, spread so that what failed together does not come back together."""
    delay = min(BACKOFF_SECONDS * 2.0 ** min(max(attempts, 1) - 1, 10), LONGEST_BACKOFF)
    return delay * random.uniform(0.8, 1.2)  # noqa: S311  # no secret


def problems(members: Sequence[Member]) -> dict[str, Verdict]:
    """The verdicts of members that cannot be run."""
    return {member.record_id: member.problem for member in members if member.problem}


def _returned(work: Work, result: RunResult) -> Ending:
    verdicts = {member.record_id: _verdict(result, member) for member in work.members} | problems(
        work.members
    )
    ending = Ending(ExecutionStatus.SUCCEEDED, verdicts)
    bad = [verdict for verdict in verdicts.values() if verdict.status in {"failed", "quarantined"}]
    if bad:
        ending.status = ExecutionStatus.PARTIAL if len(bad) < len(verdicts) else ExecutionStatus.FAILED
        ending.code, ending.detail = bad[0].code, bad[0].detail
    return ending


def _verdict(result: RunResult, member: Member) -> Verdict:
    outcome = result.outcomes.get(member.record_id)
    if outcome is None:
        return Verdict("ok")
    status, reason, detail = outcome
    if status == "failed":
        return Verdict("failed", RECORD_FAILED, reason, detail)
    if status == "quarantined":
        return Verdict("quarantined", MISFIT, "The record does not fit the trigger's schema.", detail)
    return Verdict(status, "", reason, detail)


def _failed(work: Work, result: RunResult, *, code: str = "", detail: str = "") -> Ending:
    error = result.error
    assert error is not None
    code, detail = code or error.code, detail or error.detail
    # What a check refused waits for a person; nothing is broken that could be mended and run again.
    status = "quarantined" if code.startswith(JUDGED) else "failed"
    verdict = Verdict(status, code, detail)
    verdicts = {
        # Records that never reached the handler have an outcome of their own.
        member.record_id: _verdict(result, member) if member.record_id in result.outcomes else verdict
        for member in work.members
    }
    verdicts |= problems(work.members)
    return Ending(ExecutionStatus.FAILED, verdicts, error=error, code=code, detail=detail)
