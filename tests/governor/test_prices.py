"""What tokens cost, in millionths of a dollar."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.prices import PRICES, cost_micros, dollars, price_of

TOKENS = st.integers(0, 10_000_000)


class TestPrice:
    def test_is_the_lists_unless_the_operator_has_another(self):
        own = {"gpt-4o": (Decimal(1), Decimal(2)), "ours": (Decimal(0), Decimal(0))}

        assert price_of("gpt-4o-mini", own) == (Decimal("0.15"), Decimal("0.60"))
        assert price_of("gpt-4o", own) == (1, 2)
        assert price_of("ours", own) == (0, 0)
        assert price_of("somebody/else", own) is None

    @pytest.mark.parametrize("name", ["gpt-4o-mini-2024-07-18", "gpt-4o-mini-20240718"])
    def test_a_snapshot_costs_what_its_model_costs(self, name):
        assert price_of(name, {}) == PRICES["gpt-4o-mini"]
        assert price_of(name, {"gpt-4o-mini": (Decimal(9), Decimal(9))}) == (9, 9)


class TestCost:
    def test_a_million_tokens_cost_the_price(self):
        assert cost_micros(PRICES["gpt-4o"], tokens_in=1_000_000, tokens_out=1_000_000) == 12_500_000

    def test_of_an_unknown_model_is_unknown(self):
        assert cost_micros(None, tokens_in=5, tokens_out=5) is None

    @given(into=TOKENS, out=TOKENS)
    def test_is_whole_and_never_less_than_the_price(self, into, out):
        price = PRICES["gpt-4o-mini"]

        micros = cost_micros(price, tokens_in=into, tokens_out=out)

        exact = into * price[0] + out * price[1]
        assert exact <= micros < exact + 1

    @pytest.mark.parametrize(
        ("micros", "said"),
        [
            (0, "$0.00"),
            (1, "under $0.0001"),
            (203, "$0.0002"),
            (1_500_000, "$1.5000"),
            (10**10, "$10,000.0000"),
        ],
    )
    def test_reads_as_money(self, micros, said):
        assert dollars(micros) == said
