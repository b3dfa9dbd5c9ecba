"""The TenantGovernor: tiers and quotas asked in the words of the product's brief."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection
from django.utils import timezone

from circuitos.env import env
from governor import usage
from governor.allowances import DAYS_A_MONTH
from governor.calendar import day_of, next_day, next_month, starts_at
from governor.choices import Period
from governor.policy import load
from governor.quotas import Quota, Refusal, decide
from tenants.models import Tier

if TYPE_CHECKING:
    from datetime import datetime

_SUFFIX = "_tier"


@dataclass(frozen=True, slots=True)
class Check:
    """Whether the tenant's next execution may start. True where it may."""

    allowed: bool
    executions: int  # used today
    executions_per_day: int
    api_calls: int
    api_calls_per_day: int
    resets_at: datetime
    reason: str = ""
    upgrade: str = ""  # what to offer: a sentence, with the address where there is one

    def __bool__(self) -> bool:
        return self.allowed


class _Tiers(Mapping[str, dict[str, int]]):
    """``limits["free_tier"]["executions_per_day"]``: the rows of the tiers, read when asked."""

    def __getitem__(self, name: str) -> dict[str, int]:
        tier = Tier.objects.filter(slug=name.removesuffix(_SUFFIX)).first()
        if tier is None:
            raise KeyError(name)
        return {
            "executions_per_day": tier.executions_per_day,
            "api_calls_per_day": tier.api_calls_per_day,
            "executions_per_month": tier.executions_per_month or tier.executions_per_day * DAYS_A_MONTH,
            "api_calls_per_month": tier.api_calls_per_month or tier.api_calls_per_day * DAYS_A_MONTH,
        }

    def __iter__(self) -> Iterator[str]:
        return (f"{slug}{_SUFFIX}" for slug in Tier.objects.order_by("slug").values_list("slug", flat=True))

    def __len__(self) -> int:
        return Tier.objects.count()


class TenantGovernor:
    """Quotas of tenants."""

    limits: Mapping[str, dict[str, int]] = _Tiers()

    @staticmethod
    def check_tenant_limits(tenant_id: int, tier: str = "", *, at: datetime | None = None) -> Check:
        """Whether one more execution of the tenant may start now, without starting it.

        ``tier`` (``"free"`` or ``"free_tier"``) asks what would hold on that tier; "" is the tenant's own,
        with its overrides. Raises ``UnknownTenant``, or ``KeyError`` for an unknown tier.
        """
        at = at or timezone.now()
        with connection.cursor() as cursor:
            policy = load(cursor, tenant_id)
            on = day_of(at, policy.timezone)
            day, month = usage.read(cursor, tenant_id=tenant_id, on=on)
        wanted = tier.removesuffix(_SUFFIX)
        quota = Quota.of(policy)
        if wanted and wanted != policy.tier:
            quota = Quota(**TenantGovernor.limits[wanted])
        decision = decide(day, month, quota, executions=1, calls=0)
        refusal = decision if isinstance(decision, Refusal) else None
        if refusal is None and day.api_calls >= quota.api_calls_per_day:
            refusal = Refusal("api_calls", Period.DAY, day.api_calls, quota.api_calls_per_day)
        ends = resets_at(refusal.period if refusal else Period.DAY, at, policy.timezone)
        return Check(
            allowed=refusal is None,
            executions=day.executions,
            executions_per_day=quota.executions_per_day,
            api_calls=day.api_calls,
            api_calls_per_day=quota.api_calls_per_day,
            resets_at=ends,
            reason=refusal.sentence if refusal else "",
            upgrade=_offer(wanted or policy.tier) if refusal else "",
        )


def resets_at(period: str, at: datetime, timezone_name: str) -> datetime:
    """When the period that holds ``at`` ends, in the tenant's calendar."""
    day = day_of(at, timezone_name)
    return starts_at(next_day(day) if period == Period.DAY else next_month(day), timezone_name)


def _offer(slug: str) -> str:
    tier = Tier.objects.select_related("upgrade_to").filter(slug=slug).first()
    if tier is None or tier.upgrade_to is None:
        return ""
    better = tier.upgrade_to
    where = f" {env().upgrade_url}" if env().upgrade_url else ""
    return f"{better.name}: {better.executions_per_day:,} executions a day.{where}"
