"""Admission: an execution starts when its tenant's quota has room for it, and settling counts what it used.

What is held is stored with the execution, in the transaction that starts it; so a worker that dies leaves a
hold that the next attempt takes over, and nothing is counted twice or forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from governor import notices, usage
from governor.allowances import UNLIMITED
from governor.calendar import day_of
from governor.choices import Period
from governor.limits import ON_LIMIT_BUDGET
from governor.quotas import PARKED, Grant, Hold, Quota, Refusal, Spent, decide
from governor.tenant_governor import resets_at
from triggers import lanes, parking
from triggers.bisect import HELD
from triggers.choices import RECONCILE, Mode

if TYPE_CHECKING:
    from datetime import date, datetime

    from governor.job import RunResult
    from governor.judgment.findings import Thresholds
    from governor.policy import Policy
    from triggers.bisect import Ending
    from triggers.lanes import Lease
    from triggers.registry import TriggerSpec
    from triggers.work import Work

WHEN_MISSED = ("skipped", "when")
TEST = "test"  # the origin of events that a person sent to try something
_FREE = frozenset({TEST, RECONCILE})


class Gate:
    """Lets executions of one leased lane start, within its tenant's quota."""

    def __init__(self, cursor: Any, lease: Lease, policy: Policy, *, at: datetime) -> None:
        self.refusal: Refusal | None = None
        self._cursor = cursor
        self._lease = lease
        self._policy = policy
        self._quota = Quota.of(policy)
        self._at = at
        self._on = day_of(at, policy.timezone)
        self._least_calls = self._least_tokens = 0
        self._calls_left = float("inf")

    @property
    def thresholds(self) -> Thresholds:
        """Of the tenant's judgments."""
        return self._policy.thresholds

    def is_closed(self) -> bool:
        """Whether no execution can start now, so that nothing need be claimed. Reads without a lock."""
        day, month = usage.read(self._cursor, tenant_id=self._lease.tenant_id, on=self._on)
        decision = decide(day, month, self._quota, executions=1, calls=UNLIMITED)
        if isinstance(decision, Grant):
            self._calls_left = decision.hold.calls
        self.refusal = decision if isinstance(decision, Refusal) else None
        return self.refusal is not None

    def calls_for(self, spec: TriggerSpec) -> float:
        """The API calls an execution of the trigger may make now: its limit, or what the quota has left."""
        limit = self._policy.limits(spec.name, declared=spec.limits)["api_calls"].value
        return min(limit, self._calls_left)

    def admit(self, work: Work, *, spec: TriggerSpec | None) -> bool:
        """Hold what the execution may use; the caller stores it with the execution. False: see ``refusal``.

        ``spec`` is the trigger's, which may ask for less and may have a last word; None when it is gone.
        """
        if work.mode != Mode.LIVE:
            return True
        limits = self._policy.limits(work.trigger, declared=spec.limits if spec else None)
        if work.held_on is not None:
            # A lost worker left it: what it holds is its own still.
            self._count_lost(work)
            work.ai_tokens_left = UNLIMITED if self._are_tokens_free else work.held_tokens
            return True
        calls = limits["api_calls"].value
        if spec and spec.has_on_limit:
            calls += ON_LIMIT_BUDGET["api_calls"]
        decision = self._reserve(
            self._on,
            executions=int(_counts(work)),
            calls=calls,
            ai_tokens=limits["ai_tokens"].value,
        )
        if isinstance(decision, Grant):
            hold = decision.hold
            work.held_on = self._on
            work.held_executions, work.held_calls, work.held_tokens = hold.executions, hold.calls, hold.tokens
            work.ai_tokens_left = decision.ai_tokens
            return True
        self.refusal = decision
        return False

    def is_used_up(self, work: Work, limit: str, *, spec: TriggerSpec | None) -> bool:
        """After a run that wanted more calls or tokens than it got: whether there are no more now either."""
        day, month = usage.read(self._cursor, tenant_id=self._lease.tenant_id, on=self._on)
        wanted = self._policy.limits(work.trigger, declared=spec.limits if spec else None)[limit].value
        if limit == "ai_tokens":
            allowed = self._quota.ai_tokens_per_day
            self._least_tokens = min(wanted, allowed, work.held_tokens + 1)
            if day.tokens_left(self._quota) < self._least_tokens or not allowed:
                self.refusal = Refusal("ai_tokens", Period.DAY, day.ai_tokens, allowed)
        else:
            # No period has room for more than its whole quota.
            least = self._least_calls = self._quota.most_calls(min(wanted, work.held_calls + 1))
            decision = decide(day, month, self._quota, executions=0, calls=least, least_calls=least)
            self.refusal = decision if isinstance(decision, Refusal) else None
        return self.refusal is not None

    def park(self) -> None:
        """Give the lane back and hold it until the quota starts anew."""
        assert self.refusal is not None
        until = resets_at(self.refusal.period, self._at, self._policy.timezone)
        tenant_id = self._lease.tenant_id
        lanes.park(self._cursor, self._lease, reason=PARKED, until=until)
        parking.begin(
            self._cursor,
            tenant_id=tenant_id,
            refusal=self.refusal,
            least_calls=self._least_calls,
            least_tokens=self._least_tokens,
            at=self._at,
            until=until,
        )
        notices.used_up(self._cursor, tenant_id=tenant_id, on=self._on, refusal=self.refusal, at=self._at)

    @property
    def _are_tokens_free(self) -> bool:
        return self._quota.ai_tokens_per_day >= UNLIMITED

    def _reserve(self, on: date, *, executions: int, calls: int, ai_tokens: int) -> Grant | Refusal:
        return usage.reserve(
            self._cursor,
            tenant_id=self._lease.tenant_id,
            on=on,
            quota=self._quota,
            executions=executions,
            calls=calls,
            ai_tokens=ai_tokens,
        )

    def _count_lost(self, work: Work) -> None:
        """Count the requests of a worker that died over it: the journal has them, and nobody else."""
        assert work.held_on is not None
        lost, work.lost_calls = min(work.lost_calls, work.held_calls), 0
        if not lost:
            return
        usage.charge(
            self._cursor,
            tenant_id=self._lease.tenant_id,
            on=work.held_on,
            hold=Hold(calls=lost),
            spent=Spent(api_calls=lost),
            quota=self._quota,
            execution=work.code,
            trigger=work.trigger,
            at=self._at,
        )
        # What they were answered is in the journal too, but the script may have more to ask.
        more = self._reserve(work.held_on, executions=0, calls=lost, ai_tokens=0)
        work.held_calls += (more.hold.calls if isinstance(more, Grant) else 0) - lost

    def charge(self, done: Work, spent: Spent) -> None:
        """Count what the attempt used and return the rest of what it held."""
        if done.held_on is None:
            return
        usage.charge(
            self._cursor,
            tenant_id=self._lease.tenant_id,
            on=done.held_on,
            hold=done.hold,
            spent=spent,
            quota=self._quota,
            execution=done.code,
            trigger=done.trigger,
            at=self._at,
        )


def spent_by(done: Work, ending: Ending, result: RunResult) -> Spent:
    """What an attempt counts for: each request it sent, and once the execution itself.

    A batch of which ``when=`` wanted no record, and one that could not be run, are no executions.
    """
    if done.mode != Mode.LIVE or not result.usage:
        return Spent()
    is_held = ending.retry_in is not None and ending.code in HELD
    outcomes = result.outcomes.values()
    is_missed = result.error is None and bool(outcomes) and all(each[:2] == WHEN_MISSED for each in outcomes)
    return Spent(
        executions=int(_counts(done) and not is_held and not is_missed),
        api_calls=int(result.usage.get("api_calls", (0, 0))[0]),
        # Of questions that were sent: what was refused for want of tokens cost none.
        ai_tokens=result.ai_tokens_in + result.ai_tokens_out,
        ai_cost_micros=result.ai_cost_micros,
    )


def _counts(work: Work) -> bool:
    """Halves were counted with the batch they are of, attempts with the first; some origins are free."""
    is_free = bool(work.members) and all(member.origin in _FREE for member in work.members)
    return not work.is_counted and work.parent_id is None and not is_free
