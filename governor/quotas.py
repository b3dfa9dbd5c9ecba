"""Quotas: whether an execution may start, and what it may spend. Pure decisions; ``governor.usage`` stores.

The rule: what is used and what running executions hold in reserve never comes to more than the quota,
however executions of a tenant are interleaved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from governor.allowances import UNLIMITED
from governor.choices import Period

if TYPE_CHECKING:
    from governor.policy import Policy

OVER_QUOTA = "governor.over-quota"
PARKED = "quota"  # why a lane is parked
WORDS = {"executions": "executions", "api_calls": "API calls", "ai_tokens": "AI tokens"}
# Where running executions hold some of it.
HELD = {"executions": "held_executions", "api_calls": "held_calls", "ai_tokens": "held_tokens"}
THRESHOLDS = (50, 80, 100)  # per cent at which the owners are told


@dataclass(frozen=True, slots=True)
class Quota:
    """What one tenant may use in its day and its month."""

    executions_per_day: int = UNLIMITED
    api_calls_per_day: int = UNLIMITED
    executions_per_month: int = UNLIMITED
    api_calls_per_month: int = UNLIMITED
    ai_tokens_per_day: int = UNLIMITED

    @classmethod
    def of(cls, policy: Policy) -> Quota:
        return cls(**{name: policy.allowance(name) for name in cls.__slots__})

    def allowed(self, resource: str, period: str) -> int:
        """``executions`` and ``d`` → the executions of a day."""
        word = "day" if period == Period.DAY else "month"
        return int(getattr(self, f"{resource}_per_{word}", UNLIMITED))

    def most_calls(self, wanted: int) -> int:
        """Of so many calls, those that a day and a month that nothing was used of have room for."""
        return min(wanted, self.api_calls_per_day, self.api_calls_per_month)


@dataclass(frozen=True, slots=True)
class Counters:
    """A tenant's usage in one period."""

    executions: int = 0
    api_calls: int = 0
    ai_tokens: int = 0
    ai_cost_micros: int = 0
    held_executions: int = 0
    held_calls: int = 0
    held_tokens: int = 0

    def held(self, resource: str) -> int:
        """What running executions hold of it."""
        return int(getattr(self, HELD[resource]))

    def tokens_left(self, quota: Quota) -> int:
        """Of the day's, beside what running executions hold."""
        return max(0, quota.ai_tokens_per_day - self.ai_tokens - self.held_tokens)

    def hold(self, hold: Hold) -> Counters:
        return replace(
            self,
            held_executions=self.held_executions + hold.executions,
            held_calls=self.held_calls + hold.calls,
            held_tokens=self.held_tokens + hold.tokens,
        )

    def spend(self, hold: Hold, spent: Spent) -> Counters:
        """With what was held given back, and what was spent of it counted."""
        return replace(
            self,
            executions=self.executions + spent.executions,
            api_calls=self.api_calls + spent.api_calls,
            ai_tokens=self.ai_tokens + spent.ai_tokens,
            ai_cost_micros=self.ai_cost_micros + spent.ai_cost_micros,
            held_executions=self.held_executions - hold.executions,
            held_calls=self.held_calls - hold.calls,
            held_tokens=self.held_tokens - hold.tokens,
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """What a running execution holds in reserve."""

    executions: int = 0
    calls: int = 0
    tokens: int = 0  # of models; none where they are not limited


@dataclass(frozen=True, slots=True)
class Spent:
    """What an attempt really used."""

    executions: int = 0
    api_calls: int = 0
    ai_tokens: int = 0
    ai_cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """It may start, holding this. ``ai_tokens``: how many it may use."""

    hold: Hold
    ai_tokens: int = UNLIMITED


@dataclass(frozen=True, slots=True)
class Refusal:
    """It may not start before the period ends."""

    resource: str  # executions, api_calls or ai_tokens
    period: str
    used: int
    allowed: int

    @property
    def sentence(self) -> str:
        word = "today's" if self.period == Period.DAY else "this month's"
        return f"{self.used:,} of {word} {self.allowed:,} {WORDS[self.resource]} are used."


def decide(
    day: Counters,
    month: Counters,
    quota: Quota,
    *,
    executions: int,
    calls: int,
    ai_tokens: int = 0,
    least_calls: int = 0,
) -> Grant | Refusal:
    """Whether so many executions with at most so many calls and tokens may start, and with how many of them.

    With fewer left than wanted it gets what is left, of calls down to ``least_calls``; below it is refused.
    """
    for period, used in ((Period.DAY, day), (Period.MONTH, month)):
        allowed = quota.allowed("executions", period)
        taken = used.executions + used.held_executions
        if executions and taken + executions > allowed:
            return Refusal("executions", period, used.executions, allowed)
    granted = calls
    for period, used in ((Period.DAY, day), (Period.MONTH, month)):
        allowed = quota.allowed("api_calls", period)
        left = max(0, allowed - used.api_calls - used.held_calls)
        granted = min(granted, left)
        if granted < least_calls:
            return Refusal("api_calls", period, used.api_calls, allowed)
    if quota.ai_tokens_per_day >= UNLIMITED:
        return Grant(Hold(executions, granted))
    tokens = min(ai_tokens, day.tokens_left(quota))
    return Grant(Hold(executions, granted, tokens), tokens)


def passed(before: int, after: int, allowed: int) -> int | None:
    """The highest threshold (per cent) that usage passed on its way from ``before`` to ``after``."""
    if allowed >= UNLIMITED or after <= before:
        return None
    crossed = [each for each in THRESHOLDS if before * 100 < allowed * each <= after * 100]
    return max(crossed, default=None)
