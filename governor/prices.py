"""What a model's tokens cost: list prices in dollars for a million tokens, which ``AI_PRICES`` overrides."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Price = tuple[Decimal, Decimal]  # dollars for a million tokens in, and out


def _price(into: str, out: str) -> Price:
    return Decimal(into), Decimal(out)


PRICES: Mapping[str, Price] = {
    "gpt-4o-mini": _price("0.15", "0.60"),
    "gpt-4o": _price("2.50", "10.00"),
    "gpt-4.1": _price("2.00", "8.00"),
    "gpt-4.1-mini": _price("0.40", "1.60"),
    "gpt-4.1-nano": _price("0.10", "0.40"),
    "gpt-5": _price("1.25", "10.00"),
    "gpt-5-mini": _price("0.25", "2.00"),
    "gpt-5-nano": _price("0.05", "0.40"),
    "o3": _price("2.00", "8.00"),
    "o3-mini": _price("1.10", "4.40"),
    "o4-mini": _price("1.10", "4.40"),
}
# A dated snapshot costs what its model costs.
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


def price_of(model: str, own: Mapping[str, Price]) -> Price | None:
    """The price of a model: the operator's ``own`` before the list's; None when neither knows it."""
    plain = _DATE.sub("", model)
    return own.get(model) or own.get(plain) or PRICES.get(model) or PRICES.get(plain)


def cost_micros(price: Price | None, *, tokens_in: int, tokens_out: int) -> int | None:
    """What so many tokens cost, in millionths of a dollar, rounded up; None when the price is not known."""
    if price is None:
        return None
    # Dollars for a million tokens are micro-dollars for one.
    return int((tokens_in * price[0] + tokens_out * price[1]).to_integral_value(ROUND_CEILING))


def dollars(micros: int) -> str:
    """As people read it: ``$0.0002``, and ``$0.00`` only for nothing."""
    if micros == 0:
        return "$0.00"
    return "under $0.0001" if micros < 50 else f"${micros / 1_000_000:,.4f}"
