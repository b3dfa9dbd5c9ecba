"""The tables of the docs, made from the definitions; ``manage.py limitsdoc`` writes them."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING

from circuitos.env import BASE_DIR
from governor.allowances import ALLOWANCES, DAYS_A_MONTH, quantity
from governor.limits import LIMITS, ON_LIMIT_BUDGET
from tenants.models import Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PAGES = tuple(BASE_DIR / "docs" / name for name in ("limits-and-quotas.md", "writing-triggers.md"))
# A table stands between <!-- table: name --> and <!-- end -->.
_PLACE = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def limits() -> str:
    """Every limit of an execution, with the bounds of what an operator may set."""
    return _table(
        ("Limit", "Default", "Unit", "From", "To", "`on_limit`", "Counted"),
        (
            (
                f"`{each.name}`",
                f"{each.default:,}",
                each.unit,
                f"{each.floor:,}",
                f"{each.ceiling:,}",
                f"{ON_LIMIT_BUDGET[each.name]:,}" if each.name != "depth" else "–",
                each.counted,
            )
            for each in LIMITS.values()
        ),
    )


def short_limits() -> str:
    """The limits as an author of scripts needs them."""
    return _table(
        ("", "default", ""),
        ((f"`{each.name}`", f"{each.default:,} {each.unit}", each.counted) for each in LIMITS.values()),
    )


def quotas() -> str:
    """What a tenant may use in a day or month."""
    return _allowances(is_quota=True)


def shares() -> str:
    """What a tenant may have of the machine."""
    return _allowances(is_quota=False)


def judgment() -> str:
    """From when on a record is held, within which bounds, and the kill switch."""
    return _table(
        ("Name", "Default", "From", "To", "What it does"),
        (
            (
                f"`{each.name}`",
                f"{each.default} {each.unit}".strip(),
                str(each.floor),
                str(each.ceiling),
                each.counted,
            )
            for each in ALLOWANCES.values()
            if each.is_judgment
        ),
    )


def tiers() -> str:
    """The tiers every installation starts with."""
    shipped = import_module("tenants.migrations.0002_tiers_and_audit").TIERS
    fields = [each for each in ALLOWANCES.values() if each.field]
    rows = []
    for slug, _, executions, api_calls in shipped:
        tier = Tier(slug=slug, executions_per_day=executions, api_calls_per_day=api_calls)
        monthly = {
            "executions_per_month": executions * DAYS_A_MONTH,
            "api_calls_per_month": api_calls * DAYS_A_MONTH,
        }
        values = {each.name: getattr(tier, each.field) for each in fields}
        known = {
            name: monthly.get(name, ALLOWANCES[name].default) if value is None else value
            for name, value in values.items()
        }
        rows.append((f"`{slug}`", *(quantity(name, value) for name, value in known.items())))
    return _table(("Tier", *(each.label for each in fields)), rows)


TABLES: dict[str, Callable[[], str]] = {
    "limits": limits,
    "short-limits": short_limits,
    "quotas": quotas,
    "shares": shares,
    "judgment": judgment,
    "tiers": tiers,
}


def renewed(text: str) -> str:
    """A page with its tables as the definitions are now. Raises ``KeyError`` for an unknown one."""
    return _PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", text)


def stale(pages: Iterable[Path] = PAGES) -> list[Path]:
    """The pages whose tables differ from the definitions."""
    return [page for page in pages if renewed(page.read_text(encoding="utf-8")) != page.read_text("utf-8")]


def _allowances(*, is_quota: bool) -> str:
    return _table(
        ("Name", "Default", "Counted"),
        (
            (f"`{each.name}`", f"{quantity(each.name, each.default)} {each.unit}".strip(), each.counted)
            for each in ALLOWANCES.values()
            if each.is_quota == is_quota and not each.is_judgment
        ),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "---|" * (lines[0].count("|") - 1))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
