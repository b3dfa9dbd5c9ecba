"""Where a tenant stands with its quotas: used, held, left, the forecast, what waits, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from circuitos.env import env
from governor import policy, usage
from governor.allowances import UNLIMITED
from governor.calendar import day_of, month_of, starts_at
from governor.choices import Period, RequestStatus
from governor.forecast import MONTH_PACE_OVER, PACE_OVER, Forecast, forecast
from governor.models import Parking, UpgradeRequest
from governor.quotas import Counters, Quota, Refusal, decide
from governor.tenant_governor import resets_at
from tenants.models import Tier
from tenants.scope import tenant_scope
from triggers import parked_estimate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from governor.policy import Policy
    from governor.resolve import Effective
    from tenants.models import Tenant
    from triggers.parked_estimate import Estimate, Waiting

CLOSE, FULL = 80, 100  # per cent
RESOURCES = {Period.DAY: ("executions", "api_calls", "ai_tokens"), Period.MONTH: ("executions", "api_calls")}
# The pace of a month is that of so many days: nights and weekends are in it.
SETTLES_AFTER = timedelta(minutes=30)  # of a period; before that its pace says nothing

_LATELY = """
SELECT coalesce(sum(executions), 0), coalesce(sum(api_calls), 0), coalesce(sum(ai_tokens), 0)
FROM public.governor_charged WHERE tenant_id = %s AND "on" = %s AND at >= %s AND at <= %s
"""
_LATER_DAYS = """
SELECT coalesce(sum(executions), 0), coalesce(sum(api_calls), 0), 0 FROM public.governor_usage
WHERE tenant_id = %s AND period = 'd' AND starts_on BETWEEN %s AND %s
"""
_LANES = """
SELECT count(*) FILTER (WHERE lease_until > clock_timestamp()) FROM public.triggers_lane WHERE tenant_id = %s
"""


@dataclass(frozen=True, slots=True)
class Meter:
    """One quota in one period."""

    resource: str
    used: int
    held: int
    allowed: int
    forecast: Forecast | None

    @property
    def is_unlimited(self) -> bool:
        return self.allowed >= UNLIMITED

    @property
    def left(self) -> int:
        return max(0, self.allowed - self.used - self.held)

    @property
    def percent(self) -> int:
        """Of the quota that is used; more than 100 when the quota was made smaller since."""
        if self.is_unlimited:
            return 0
        return self.used * 100 // self.allowed if self.allowed else FULL


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """A day or month of the tenant's calendar."""

    period: Period
    starts_on: date
    starts_at: datetime
    resets_at: datetime
    meters: Mapping[str, Meter]


@dataclass(frozen=True, slots=True)
class Parked:
    """What waits for the quota."""

    reason: str
    since: datetime
    until: datetime | None
    kept_days: int
    groups: tuple[Waiting, ...]
    estimate: Estimate

    @property
    def events(self) -> int:
        return sum(group.events for group in self.groups)

    @property
    def oldest_at(self) -> datetime | None:
        return min((group.oldest_at for group in self.groups), default=None)

    @property
    def is_cut(self) -> bool:
        return any(group.is_cut for group in self.groups)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The larger plan that the tenant's plan offers, where it can be had, and whether it was asked for."""

    tier: Tier
    url: str
    request: UpgradeRequest | None


@dataclass(frozen=True, slots=True)
class QuotaReport:
    """The whole."""

    at: datetime
    timezone: str
    tier: str  # its name
    refusal: Refusal | None
    day: PeriodReport
    month: PeriodReport
    running: int  # lanes that workers serve now
    limits: Mapping[str, Effective]
    allowances: Mapping[str, Effective]
    parked: Parked | None
    upgrade: Upgrade | None

    @property
    def is_close(self) -> bool:
        """Whether a quota is so far used that it is time to think of a larger plan."""
        meters = (*self.day.meters.values(), *self.month.meters.values())
        return self.parked is not None or any(meter.percent >= CLOSE for meter in meters)


def quota_report(tenant: Tenant, *, at: datetime) -> QuotaReport:
    """Where the tenant stands: a fixed number of queries, four more while events wait."""
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant.pk)
        on = day_of(at, found.timezone)
        day, month = usage.read(cursor, tenant_id=tenant.pk, on=on)
        today = _day(cursor, tenant.pk, found, day, on=on, at=at)
        this_month = _month(cursor, tenant.pk, found, month, on=on, at=at)
        cursor.execute(_LANES, [tenant.pk])
        (running,) = cursor.fetchone()
    # The tier's row and not the tenant's: that may be of some seconds ago.
    tier = Tier.objects.select_related("upgrade_to").get(pk=found.tier)
    return QuotaReport(
        at=at,
        timezone=found.timezone,
        tier=tier.name,
        refusal=_refusal(found, day, month),
        day=today,
        month=this_month,
        running=running,
        limits=found.limits(),
        allowances=found.allowances,
        parked=_parked(tenant, found, day, month, at=at),
        upgrade=_upgrade(tenant, tier),
    )


def _day(
    cursor: Any, tenant_id: int, found: Policy, used: Counters, *, on: date, at: datetime
) -> PeriodReport:
    begins = starts_at(on, found.timezone)
    cursor.execute(_LATELY, [tenant_id, on, max(begins, at - PACE_OVER), at])
    return _period(Period.DAY, found, used, cursor.fetchone(), over=PACE_OVER, begins=begins, on=on, at=at)


def _month(
    cursor: Any, tenant_id: int, found: Policy, used: Counters, *, on: date, at: datetime
) -> PeriodReport:
    first = month_of(on)
    since = max(first, on - MONTH_PACE_OVER)
    cursor.execute(_LATER_DAYS, [tenant_id, since, on])
    begins = starts_at(first, found.timezone)
    over = at - starts_at(since, found.timezone)
    return _period(Period.MONTH, found, used, cursor.fetchone(), over=over, begins=begins, on=first, at=at)


def _period(
    period: Period,
    found: Policy,
    used: Counters,
    lately: tuple[int, ...],
    *,
    over: timedelta,
    begins: datetime,
    on: date,
    at: datetime,
) -> PeriodReport:
    quota = Quota.of(found)
    ends = resets_at(period, at, found.timezone)
    meters = {}
    for resource, pace in zip(RESOURCES[period], lately, strict=False):
        allowed, spent = quota.allowed(resource, period), getattr(used, resource)
        expected = None
        if at - begins >= SETTLES_AFTER or spent >= allowed:
            expected = forecast(
                used=spent,
                lately=int(pace),
                allowed=allowed,
                starts_at=begins,
                ends_at=ends,
                at=at,
                over=over,
            )
        meters[resource] = Meter(resource, spent, used.held(resource), allowed, expected)
    return PeriodReport(period, on, begins, ends, meters)


def _refusal(found: Policy, day: Counters, month: Counters) -> Refusal | None:
    """Why the next execution does not start, or what it may not send; None when it may do both."""
    today, this_month = (replace(each, held_executions=0, held_calls=0) for each in (day, month))
    decision = decide(today, this_month, Quota.of(found), executions=1, calls=1, least_calls=1)
    return decision if isinstance(decision, Refusal) else None


def _parked(tenant: Tenant, found: Policy, day: Counters, month: Counters, *, at: datetime) -> Parked | None:
    with tenant_scope(tenant.pk):
        stretch = Parking.objects.filter(ended_at=None).order_by("-pk").first()
    if stretch is None:
        return None
    groups = parked_estimate.waiting(tenant.pk)
    return Parked(
        reason=stretch.reason,
        since=stretch.since,
        until=stretch.until,
        kept_days=found.allowance("parked_days"),
        groups=tuple(groups),
        estimate=parked_estimate.estimate(
            parked_estimate.need(groups, parked_estimate.typical(tenant.pk, at=at)),
            quota=Quota.of(found),
            day=day,
            month=month,
            lanes=found.allowance("concurrent_executions"),
            timezone=found.timezone,
            begins_at=stretch.until or at,
            at=at,
        ),
    )


def _upgrade(tenant: Tenant, tier: Tier) -> Upgrade | None:
    with tenant_scope(tenant.pk):
        asked = (
            UpgradeRequest.objects.filter(status=RequestStatus.OPEN).select_related("tier").order_by().first()
        )
    wanted = asked.tier if asked else tier.upgrade_to
    return Upgrade(wanted, env().upgrade_url, asked) if wanted else None
