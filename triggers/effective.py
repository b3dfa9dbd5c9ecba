"""What is in force, and why: for a tenant's page of limits, and for a value that is about to be set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governor import policy as policies
from governor.allowances import ALLOWANCES, quantity
from governor.limits import LIMITS
from governor.proposal import value_in
from governor.resolve import SCRIPT
from logs.vocabulary import duration
from triggers.registry import ScriptsDoNotLoad, registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from governor.proposal import Proposal
    from governor.resolve import Effective, Step

_ONE = {"queries": "query", "ms": "ms"}
_LEVELS = {
    "platform": "Platform",
    "tier": "Tier",
    "tenant": "Tenant",
    "trigger": "Trigger",
    "script": "Script",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A value in force with the steps that led to it, said for people."""

    name: str
    label: str
    value: str
    is_set: bool  # by an operator, or by the script
    sentence: str
    counted: str
    steps: list[dict[str, Any]]


def rows(policy: policies.Policy, *, trigger: str = "") -> dict[str, list[Row]]:
    """Every limit and allowance of a tenant, in the groups of the page."""
    limits = policy.limits(trigger, declared=declared(trigger))
    return {
        "Limits of one execution": [_row(limits[name]) for name in LIMITS],
        "Quotas": [_row(policy.allowances[name]) for name, each in ALLOWANCES.items() if each.is_quota],
        "Share of the machine": [
            _row(policy.allowances[name])
            for name, each in ALLOWANCES.items()
            if not (each.is_quota or each.is_judgment)
        ],
        "Judgment and effects": [
            _row(policy.allowances[name]) for name, each in ALLOWANCES.items() if each.is_judgment
        ],
    }


def would_be(cursor: Any, proposal: Proposal, *, tenant_id: int = 0) -> tuple[Effective, Effective]:
    """The value as it is and as it would be, for one of those the proposal is for."""
    now = policies.load(cursor, tenant_id) if tenant_id else policies.of_scope(cursor, tier=proposal.tier)
    given = declared(proposal.trigger)
    return (
        value_in(now, proposal.name, trigger=proposal.trigger, declared=given),
        value_in(proposal.over(now), proposal.name, trigger=proposal.trigger, declared=given),
    )


def declared(trigger: str) -> Mapping[str, int] | None:
    """The limits a script asks for itself."""
    spec = next((spec for spec in _specs() if spec.name == trigger), None)
    return spec.limits if spec else None


def trigger_names() -> list[str]:
    """The triggers there are; none while the scripts do not load."""
    return [spec.name for spec in _specs()]


def told(name: str, value: int) -> str:
    """``30 s``, ``1,000 requests``, ``unlimited``."""
    if name.endswith("_ms"):
        return duration(value)
    unit = (LIMITS[name] if name in LIMITS else ALLOWANCES[name]).unit
    amount = quantity(name, value)
    if amount == "unlimited":
        return amount
    return f"{amount} {_ONE.get(unit, unit.removesuffix('s')) if value == 1 else unit}".rstrip()


def _specs() -> list[Any]:
    try:
        return list(registry())
    except ScriptsDoNotLoad:
        return []


def _row(effective: Effective) -> Row:
    name = effective.name
    each: Any = LIMITS.get(name) or ALLOWANCES[name]
    return Row(
        name=name,
        label=each.label,
        value=told(name, effective.value),
        is_set=any(step.actor or step.level == SCRIPT for step in effective.steps),
        sentence=effective.sentence,
        counted=each.counted,
        steps=[_step(name, step) for step in effective.steps],
    )


def _step(name: str, step: Step) -> dict[str, Any]:
    return {
        "level": _LEVELS.get(step.level, step.level),
        "of": step.of,
        "value": told(name, step.value),
        "actor": step.actor,
        "reason": step.reason,
        "until": step.until,
    }
