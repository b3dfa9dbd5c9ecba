"""Profiles: what is learned of a trigger's calls, and what is advised of its batches."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.profiles import Advice, Profile, advise, is_news, observe

LIMIT = 50
observations = st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1_000), st.booleans()), max_size=40)


def learned(seen, profile=None):
    profile = profile or Profile()
    for records, calls, breached in seen:
        profile = observe(profile, records=records, calls=calls, breached=breached)
    return profile


class Trigger:
    """Runs batches as the runner does: over the limit it is split in two, and all of it is learned."""

    def __init__(self, calls, *, limit=LIMIT, most=200):
        self.calls, self.limit, self.most = calls, limit, most
        self.profile = Profile()

    def run(self, waiting=10_000):
        """One batch of the advised size. Returns its size and how often the limit was reached."""
        size = min(waiting, advise(self.profile, limit=self.limit, most=self.most).size)
        return size, self._run(size)

    def run_often(self, times, waiting=lambda: 10_000):
        return [self.run(waiting()) for _ in range(times)]

    def _run(self, size):
        calls = self.calls(size)
        breached = calls > self.limit
        self.profile = observe(
            self.profile, records=size, calls=min(calls, self.limit + 1), breached=breached
        )
        if not breached or size == 1:
            return int(breached)
        middle = (size + 1) // 2
        return 1 + self._run(middle) + self._run(size - middle)


class TestAdvice:
    @given(observations, st.integers(0, 10_000), st.integers(1, 1_000))
    def test_is_at_least_one_record_and_never_more_than_asked(self, seen, limit, most):
        size = advise(learned(seen), limit=limit, most=most).size

        assert 1 <= size <= most

    @given(observations, st.lists(st.integers(0, 2_000), min_size=2, max_size=6), st.integers(1, 400))
    def test_of_a_higher_limit_is_never_less(self, seen, limits, most):
        profile = learned(seen)

        sizes = [advise(profile, limit=limit, most=most).size for limit in sorted(limits)]

        assert all(lower <= higher for lower, higher in pairwise(sizes))

    @given(observations, st.integers(1, 200), st.integers(1, 100))
    def test_less_than_asked_for_says_why(self, seen, most, limit):
        advice = advise(learned(seen), limit=limit, most=most)

        assert (advice.size == most) or advice.why

    def test_of_a_trigger_never_seen_is_a_full_batch(self):
        assert advise(Profile(), limit=LIMIT, most=200) == Advice(200)

    @given(st.lists(st.integers(1, 200), max_size=60), st.integers(0, LIMIT))
    def test_never_throttles_a_trigger_whose_calls_do_not_grow(self, sizes, calls):
        profile = learned((size, calls, False) for size in sizes)

        assert advise(profile, limit=LIMIT, most=200).size == 200

    def test_draws_no_conclusion_for_hundreds_from_one_or_two(self):
        profile = learned([(1, 1, False), (2, 2, False)] * 5)

        assert advise(profile, limit=LIMIT, most=200).size == 200

    def test_foresees_the_limit_where_it_is_near(self):
        profile = learned([(20, 20, False), (30, 30, False), (12, 12, False)])

        advice = advise(profile, limit=LIMIT, most=200)

        assert advice.size == 40
        assert advice.why == "1.0 API calls a record, 80 % of 50"

    def test_after_a_breach_and_nothing_else_is_half_of_it(self):
        assert advise(learned([(200, 51, True)]), limit=LIMIT, most=200).size == 100

    def test_follows_a_lowered_limit_at_once(self):
        profile = learned([(200, 51, True), (50, 50, False), (50, 50, False)])

        assert [advise(profile, limit=limit, most=200).size for limit in (50, 25, 5, 0, 500)] == [
            *(40, 20, 4, 1, 200)
        ]

    def test_a_breach_of_one_record_is_no_matter_of_size(self):
        profile = learned([(100, 0, False), (1, 51, True)])

        assert advise(profile, limit=LIMIT, most=200).size == 200


class TestLearning:
    @pytest.mark.parametrize(
        ("calls", "sizes"),
        [
            (lambda size: 1, range(200, 201)),
            (lambda size: size, range(38, 41)),
            (lambda size: 10 + size // 2, range(48, 66)),
            (lambda size: 3 * size, range(12, 14)),
            (lambda size: size // 3, range(115, 125)),
            (lambda size: -(-size // 10), range(200, 201)),
        ],
        ids=["constant", "linear", "mixed", "steep", "conditional", "batched"],
    )
    def test_converges_within_five_batches(self, calls, sizes):
        trigger = Trigger(calls)
        trigger.run_often(5)

        later = trigger.run_often(50)

        assert {breaches for _, breaches in later} == {0}
        assert later[-1][0] in sizes

    @pytest.mark.parametrize("seed", range(5))
    def test_converges_though_batches_differ_in_size(self, seed):
        random.seed(seed)
        trigger = Trigger(lambda size: 2 + size)
        trigger.run_often(5)

        later = trigger.run_often(100, lambda: random.choice([1, 3, 20, 60, 200]))

        assert {breaches for _, breaches in later} == {0}

    @pytest.mark.parametrize("seed", range(5))
    def test_rarely_errs_where_each_record_calls_by_chance(self, seed):
        random.seed(seed)
        trigger = Trigger(lambda size: sum(random.random() < 0.5 for _ in range(size)))
        trigger.run_often(5)

        later = trigger.run_often(200)

        assert sum(breaches > 0 for _, breaches in later) <= 20
        assert sum(size for size, _ in later) / len(later) > 60

    @pytest.mark.parametrize("seed", range(5))
    def test_never_errs_where_calls_are_noisy_within_what_is_left_free(self, seed):
        random.seed(seed)
        trigger = Trigger(lambda size: round(size * random.uniform(0.9, 1.1)))
        trigger.run_often(5)

        assert {breaches for _, breaches in trigger.run_often(200)} == {0}

    @pytest.mark.parametrize("mended", [lambda size: 0, lambda size: 1, lambda size: size // 10])
    def test_a_mended_trigger_has_full_batches_after_a_few(self, mended):
        trigger = Trigger(lambda size: size)
        trigger.run_often(20)

        trigger.calls = mended
        later = trigger.run_often(12)

        assert [size for size, _ in later[8:]] == [200] * 4
        assert {breaches for _, breaches in later} == {0}

    def test_a_trigger_that_became_dearer_is_found_out(self):
        trigger = Trigger(lambda size: 1)
        trigger.run_often(20)

        trigger.calls = lambda size: size
        trigger.run_often(5)

        assert set(trigger.run_often(20)) == {(40, 0)}

    def test_a_record_of_fifty_calls_does_not_keep_the_others_small(self):
        trigger = Trigger(lambda size: 0)
        trigger.profile = learned(
            [(200, 51, True), (100, 51, True), (50, 0, False), (50, 51, True), (1, 51, True), (49, 0, False)]
        )

        sizes = [size for size, _ in trigger.run_often(4)]

        assert sizes[-1] == 200


class TestNews:
    def test_a_trigger_without_calls_is_none(self):
        after = learned([(200, 0, False)])

        assert not is_news(Profile(), after, calls=0, breached=False)

    def test_the_first_calls_are(self):
        after = learned([(200, 1, False)])

        assert is_news(Profile(), after, calls=1, breached=False)

    def test_the_same_again_and_again_is_none(self):
        before = learned([(40, 40, False)] * 10)
        after = learned([(40, 40, False)], before)

        assert not is_news(before, after, calls=40, breached=False)

    def test_a_breach_is(self):
        before = learned([(40, 40, False)] * 10)

        assert is_news(before, replace(before, smallest_breach=9), calls=51, breached=True)

    def test_no_records_teach_nothing(self):
        assert not is_news(Profile(), learned([(0, 0, False)]), calls=0, breached=False)

    def test_other_calls_for_as_many_records_are(self):
        before = learned([(40, 40, False)] * 10)
        after = learned([(40, 20, False)], before)

        assert is_news(before, after, calls=20, breached=False)
