"""Proposals: what would hold if an operator set a value, before anything is stored. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from governor.limits import LIMITS
from governor.policy import Rule
from governor.resolve import PLATFORM, TENANT, TIER, TRIGGER, Step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from governor.policy import Policy
    from governor.resolve import Effective

_NEWEST = sys.maxsize


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value that somebody would like to set, and for whom; names are slugs, "" is nobody in particular."""

    name: str
    value: int
    tier: str = ""
    tenant: str = ""
    trigger: str = ""
    actor: str = ""
    reason: str = ""
    until: datetime | None = None

    @property
    def level(self) -> str:
        return TRIGGER if self.trigger else TENANT if self.tenant else TIER if self.tier else PLATFORM

    @property
    def scope(self) -> str:
        """For whom, in words."""
        if self.trigger:
            return f"trigger {self.trigger} of {self.tenant or 'all tenants'}"
        if self.tenant:
            return f"tenant {self.tenant}"
        return f"tier {self.tier}" if self.tier else "the platform"

    def over(self, policy: Policy) -> Policy:
        """The policy as it would be: of two overrides of one scope the newer rules."""
        of = self.trigger or self.tenant or self.tier
        if self.trigger and self.tenant:
            of = f"{self.trigger} of {self.tenant}"
        rank = (int(bool(self.trigger and self.tenant)), _NEWEST)
        step = Step(self.level, self.value, of, self.actor, self.reason, self.until, rank)
        return replace(policy, rules=(*policy.rules, Rule(self.name, self.trigger, step)))


def value_in(
    policy: Policy, name: str, *, trigger: str = "", declared: Mapping[str, int] | None = None
) -> Effective:
    """The limit or allowance of that name as the policy has it."""
    if name in LIMITS:
        return policy.limits(trigger, declared=declared)[name]
    return policy.allowances[name]
