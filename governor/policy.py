"""Policies: the limits and allowances in force for a tenant, read together and kept for seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from governor.allowances import ALLOWANCES, DAYS_A_MONTH
from governor.judgment.findings import Thresholds
from governor.limits import LIMITS
from governor.resolve import PLATFORM, TENANT, TIER, TRIGGER, Effective, Step, resolve, resolve_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FRESH_SECONDS = 5.0  # how long a change may take to reach a running worker

_TIER_FIELDS = tuple(each.field for each in ALLOWANCES.values() if each.field)
_TENANT = f"""
SELECT tenant.slug, tenant.timezone, tier.slug, {", ".join(f"tier.{field}" for field in _TIER_FIELDS)}
FROM public.tenants_tenant tenant JOIN public.tenants_tier tier ON tier.slug = tenant.tier_id
WHERE tenant.id = %s
"""  # noqa: S608  # constants of this module
_TIER = f"SELECT {', '.join(_TIER_FIELDS)} FROM public.tenants_tier WHERE slug = %s"  # noqa: S608
_OVERRIDES = """
SELECT id, name, value, tier_id, tenant_id, trigger, actor, reason, until FROM public.governor_override
WHERE ended_at IS NULL AND (until IS NULL OR until > clock_timestamp())
  AND (tier_id IS NULL OR tier_id = %s) AND (tenant_id IS NULL OR tenant_id = %s)
"""
_DEFAULT_LIMITS = {name: limit.default for name, limit in LIMITS.items()}
_MONTHLY = {"executions_per_month": "executions_per_day", "api_calls_per_month": "api_calls_per_day"}


@dataclass(frozen=True)
class Rule:
    """An override that holds now. ``trigger``: it speaks of that one alone."""

    name: str
    trigger: str
    step: Step


@dataclass(frozen=True)
class Policy:
    """What holds for one tenant."""

    tenant: str
    timezone: str
    tier: str
    of_tier: Mapping[str, int]
    rules: tuple[Rule, ...]

    def limits(self, trigger: str = "", *, declared: Mapping[str, int] | None = None) -> dict[str, Effective]:
        """The limits of an execution of this trigger, each with the steps that led to it."""
        return resolve_all(_DEFAULT_LIMITS, self._steps(trigger), declared=declared)

    @cached_property
    def allowances(self) -> dict[str, Effective]:
        """Quotas and shares."""
        steps = self._steps("")
        found: dict[str, Effective] = {}
        for name, each in ALLOWANCES.items():
            default = each.default
            own = list(steps.get(name, ()))
            if each.field and self.of_tier.get(each.field) is not None:
                own.append(Step(TIER, self.of_tier[each.field], of=self.tier, rank=(-1, 0)))
            elif name in _MONTHLY:
                default = found[_MONTHLY[name]].value * DAYS_A_MONTH
            found[name] = resolve(name, default=default, steps=own)
        return found

    def allowance(self, name: str) -> int:
        return self.allowances[name].value

    @cached_property
    def is_stopped(self) -> bool:
        """Whether the kill switch is thrown: at any level, whatever a later one says."""
        return any(step.value == 0 for step in self.allowances["effects"].steps)

    @cached_property
    def thresholds(self) -> Thresholds:
        """Of the tenant's judgments. Set apart, they may cross: the milder one gives way."""
        flag, quarantine, block = (
            self.allowance(f"judgment_{name}") / 100 for name in ("flag", "quarantine", "block")
        )
        block = max(block, quarantine)
        return Thresholds(min(flag, quarantine), quarantine, block)

    def _steps(self, trigger: str) -> dict[str, list[Step]]:
        steps: dict[str, list[Step]] = {}
        for rule in self.rules:
            if not rule.trigger or rule.trigger == trigger:
                steps.setdefault(rule.name, []).append(rule.step)
        return steps


class UnknownTenant(LookupError):
    """There is no tenant with this id."""


def load(cursor: Any, tenant_id: int) -> Policy:
    """The tenant's policy as it is now: two queries. Raises ``UnknownTenant``."""
    cursor.execute(_TENANT, [tenant_id])
    found = cursor.fetchone()
    if found is None:
        raise UnknownTenant(f"There is no tenant {tenant_id}.")
    slug, timezone, tier, *values = found
    cursor.execute(_OVERRIDES, [tier, tenant_id])
    of_tier = {field: value for field, value in zip(_TIER_FIELDS, values, strict=True) if value is not None}
    return Policy(slug, timezone, tier, of_tier, tuple(_rules(cursor.fetchall(), slug=slug)))


def of_scope(cursor: Any, *, tier: str = "") -> Policy:
    """What holds for a tenant of the tier of which no override speaks; without one, the platform's word."""
    of_tier: dict[str, int] = {}
    if tier:
        cursor.execute(_TIER, [tier])
        row = cursor.fetchone() or ()
        of_tier = {field: value for field, value in zip(_TIER_FIELDS, row, strict=False) if value is not None}
    cursor.execute(_OVERRIDES, [tier or None, None])
    return Policy("", "UTC", tier, of_tier, tuple(_rules(cursor.fetchall(), slug="")))


def _rules(rows: Iterable[tuple[Any, ...]], *, slug: str) -> Iterable[Rule]:
    for pk, name, value, tier, tenant_id, trigger, actor, reason, until in rows:
        level = TRIGGER if trigger else TENANT if tenant_id else TIER if tier else PLATFORM
        of = trigger or (slug if tenant_id else tier or "")
        if trigger and tenant_id:
            of = f"{trigger} of {slug}"
        rank = (int(bool(trigger and tenant_id)), pk)
        yield Rule(name, trigger, Step(level, value, of, actor, reason, until, rank))


class Policies:
    """The policies of the tenants a worker serves, each read at most every few seconds."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Policy]] = {}

    def of(self, cursor: Any, tenant_id: int) -> Policy:
        read_at, policy = self._known.get(tenant_id, (0.0, None))
        now = time.monotonic()
        if policy is None or now - read_at > FRESH_SECONDS:
            policy = load(cursor, tenant_id)
            self._known[tenant_id] = (now, policy)
        return policy

    def forget(self, tenant_id: int) -> None:
        """Read it anew the next time."""
        self._known.pop(tenant_id, None)
