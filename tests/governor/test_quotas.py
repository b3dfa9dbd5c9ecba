"""Quotas as pure decisions: whatever the order of starts and ends, no quota is exceeded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from governor.allowances import UNLIMITED
from governor.quotas import Counters, Grant, Hold, Quota, Refusal, Spent, decide, passed

QUOTA = Quota(
    executions_per_day=6,
    api_calls_per_day=40,
    executions_per_month=10,
    api_calls_per_month=60,
    ai_tokens_per_day=1_000,
)


class Interleavings(RuleBasedStateMachine):
    """Executions of one tenant that start, run side by side, end or die, over three days of a month."""

    running = Bundle("running")

    def __init__(self):
        super().__init__()
        self.days = [Counters() for _ in range(3)]
        self.today = 0
        self.month = Counters()
        self.sent = [0, 0, 0]

    @rule(target=running, calls=st.integers(0, 50), tokens=st.integers(0, 800))
    def starts(self, calls, tokens):
        day = self.days[self.today]
        decision = decide(day, self.month, QUOTA, executions=1, calls=calls, ai_tokens=tokens)
        if isinstance(decision, Refusal):
            assert day.executions + day.held_executions == 6 or (
                self.month.executions + self.month.held_executions == 10
            )
            return None
        assert decision.hold.calls <= calls
        assert decision.ai_tokens <= tokens
        self.days[self.today] = day.hold(decision.hold)
        self.month = self.month.hold(decision.hold)
        return self.today, decision.hold

    @rule(one=consumes(running), share=st.floats(0, 1))
    def ends(self, one, share):
        if one is None:
            return
        day, hold = one
        spent = Spent(
            executions=hold.executions,
            api_calls=int(hold.calls * share),
            ai_tokens=int(hold.tokens * share),
        )
        self.days[day] = self.days[day].spend(hold, spent)
        self.month = self.month.spend(hold, spent)
        self.sent[day] += spent.api_calls

    @rule()
    def midnight(self):
        self.today = min(2, self.today + 1)

    @invariant()
    def no_quota_is_exceeded(self):
        for day, sent in zip(self.days, self.sent, strict=True):
            assert day.executions + day.held_executions <= QUOTA.executions_per_day
            assert day.api_calls + day.held_calls <= QUOTA.api_calls_per_day
            assert day.api_calls == sent
            assert day.ai_tokens + day.held_tokens <= QUOTA.ai_tokens_per_day
        assert self.month.executions + self.month.held_executions <= QUOTA.executions_per_month
        assert self.month.api_calls + self.month.held_calls <= QUOTA.api_calls_per_month
        assert sum(day.executions for day in self.days) == self.month.executions


TestInterleavings = Interleavings.TestCase


class TestDecide:
    def test_gives_what_is_left_of_the_calls(self):
        day = Counters(api_calls=30, held_calls=4)

        assert decide(day, day, QUOTA, executions=1, calls=50) == Grant(Hold(1, 6), 0)

    def test_refuses_fewer_than_it_takes(self):
        day = Counters(api_calls=40)

        refusal = decide(day, day, QUOTA, executions=0, calls=5, least_calls=1)

        assert refusal == Refusal("api_calls", "d", 40, 40)
        assert refusal.sentence == "40 of today's 40 API calls are used."

    def test_names_the_month_when_that_is_used_up(self):
        refusal = decide(Counters(), Counters(executions=10), QUOTA, executions=1, calls=0)

        assert refusal.sentence == "10 of this month's 10 executions are used."

    def test_what_counts_no_execution_may_start_over_the_quota(self):
        full = Counters(executions=6)

        assert isinstance(decide(full, full, QUOTA, executions=0, calls=5), Grant)


class TestThresholds:
    def test_are_passed_once(self):
        assert [passed(n, n + 1, 10) for n in range(12)] == [
            None, None, None, None, 50, None, None, 80, None, 100, None, None,
        ]  # fmt: skip

    def test_a_leap_tells_the_highest(self):
        assert passed(0, 250, 100) == 100

    def test_what_is_unlimited_has_none(self):
        assert passed(0, 10**9, UNLIMITED) is None

    @given(before=st.integers(0, 500), more=st.integers(0, 500), allowed=st.integers(0, 500))
    def test_is_total(self, before, more, allowed):
        assert passed(before, before + more, allowed) in {None, 50, 80, 100}
