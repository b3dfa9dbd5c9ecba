"""Which value of a limit holds is a pure, total function of what operators said."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from governor.resolve import LEVELS, PLATFORM, SCRIPT, TENANT, TIER, TRIGGER, Step, resolve

VALUES = st.integers(0, 10_000)
STEPS = st.lists(
    st.builds(
        Step,
        level=st.sampled_from(LEVELS),
        value=VALUES,
        of=st.text(max_size=5),
        rank=st.tuples(st.integers(0, 1), st.integers(0, 9)),
    ),
    max_size=8,
)


class TestResolve:
    @given(default=VALUES, steps=STEPS, declared=st.none() | VALUES)
    def test_is_total_and_the_order_of_steps_does_not_matter(self, default, steps, declared):
        found = resolve("api_calls", default=default, steps=steps, declared=declared)
        turned = resolve("api_calls", default=default, steps=steps[::-1], declared=declared)

        assert found.value in {default, declared, *(step.value for step in steps)}
        assert found.steps[-1].value == found.value
        assert found.sentence.endswith(".")
        ranks = [(step.level, step.rank) for step in steps]
        if len(set(ranks)) == len(ranks):
            assert turned == found

    @given(default=VALUES, steps=STEPS, declared=VALUES)
    def test_a_script_never_raises_its_own_limit(self, default, steps, declared):
        free = resolve("api_calls", default=default, steps=steps)
        found = resolve("api_calls", default=default, steps=steps, declared=declared)

        assert found.value <= free.value

    @given(steps=STEPS)
    def test_the_most_special_level_rules(self, steps):
        found = resolve("api_calls", default=1, steps=steps)

        spoken = [level for level in LEVELS if any(step.level == level for step in steps)]
        assert found.source == (spoken[-1] if spoken else PLATFORM)

    def test_the_newer_of_two_rules(self):
        old, new = Step(TENANT, 5, rank=(0, 1)), Step(TENANT, 7, rank=(0, 2))

        assert resolve("api_calls", default=1, steps=[new, old]).value == 7

    def test_an_operators_word_on_the_trigger_outranks_the_scripts(self):
        found = resolve("api_calls", default=50, steps=[Step(TRIGGER, 80)], declared=20)

        assert found.value == 80

    def test_without_one_the_script_lowers(self):
        found = resolve("api_calls", default=50, steps=[Step(TENANT, 80)], declared=20)

        assert (found.value, found.source) == (20, SCRIPT)

    def test_explains_itself(self):
        steps = [
            Step(TIER, 40, of="free"),
            Step(
                TENANT,
                80,
                of="acme",
                actor="operator",
                reason="a sale.",
                until=datetime(2026, 5, 3, tzinfo=UTC),
            ),
        ]

        assert resolve("api_calls", default=50, steps=steps).sentence == (
            "50 from the platform, lowered to 40 for tier free, raised to 80 for tenant acme by operator"
            " until 3 May 2026 because a sale."
        )
