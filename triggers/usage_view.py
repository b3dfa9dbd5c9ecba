"""Usage of all tenants for operators: those near their quota first, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from governor import forecast
from governor.allowances import DAYS_A_MONTH, UNLIMITED
from governor.calendar import day_of, month_of, starts_at, zone
from governor.choices import Period
from governor.quotas import HELD
from governor.tenant_governor import resets_at
from triggers.usage_rows import MOST_WAITING, Meter, ParkedLane, TenantUsage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

PAGE = 50
MOST_CHARGES = 20_000  # of the ledger, for the pace
MOST_LANES = 200

_TIMEZONES = "SELECT DISTINCT timezone FROM public.tenants_tenant"
# Allowed: an override of the tenant, of its tier, the tier, one of the platform; as governor.policy has it.
_PIVOT = ", ".join(
    f"max(value) FILTER (WHERE name = '{name}') AS {name}"
    for name in (
        "executions_per_day",
        "api_calls_per_day",
        "ai_tokens_per_day",
        "executions_per_month",
        "api_calls_per_month",
    )
)
_USED = f"""
WITH in_force AS MATERIALIZED (
    SELECT name, value, tier_id, tenant_id FROM public.governor_override
    WHERE ended_at IS NULL AND trigger = '' AND (until IS NULL OR until > %(at)s)
),
of_tenant AS (SELECT tenant_id, {_PIVOT} FROM in_force WHERE tenant_id IS NOT NULL GROUP BY tenant_id),
of_tier AS (SELECT tier_id, {_PIVOT} FROM in_force WHERE tier_id IS NOT NULL GROUP BY tier_id),
of_all AS (SELECT {_PIVOT} FROM in_force WHERE tenant_id IS NULL AND tier_id IS NULL),
today AS (
    SELECT * FROM unnest(%(zones)s::varchar[], %(days)s::date[], %(months)s::date[])
        AS calendar (timezone, day, month)
),
allowed AS (
    SELECT tenant.id, tenant.code, tenant.slug, tenant.name, tenant.timezone, tier.name AS tier,
        coalesce(mine.executions_per_day, its.executions_per_day, tier.executions_per_day) AS executions_d,
        coalesce(mine.api_calls_per_day, its.api_calls_per_day, tier.api_calls_per_day) AS api_calls_d,
        coalesce(mine.ai_tokens_per_day, its.ai_tokens_per_day, tier.ai_tokens_per_day,
                 of_all.ai_tokens_per_day, %(unlimited)s) AS ai_tokens_d,
        coalesce(mine.executions_per_month, its.executions_per_month, tier.executions_per_month,
                 of_all.executions_per_month) AS executions_m,
        coalesce(mine.api_calls_per_month, its.api_calls_per_month, tier.api_calls_per_month,
                 of_all.api_calls_per_month) AS api_calls_m
    FROM public.tenants_tenant tenant
    JOIN public.tenants_tier tier ON tier.slug = tenant.tier_id
    CROSS JOIN of_all
    LEFT JOIN of_tenant mine ON mine.tenant_id = tenant.id
    LEFT JOIN of_tier its ON its.tier_id = tenant.tier_id
    WHERE (%(tenant)s::bigint IS NULL OR tenant.id = %(tenant)s)
      AND (%(like)s = '' OR tenant.slug LIKE %(like)s OR lower(tenant.name) LIKE %(like)s)
),
used AS (
    SELECT allowed.id, allowed.code, allowed.slug, allowed.name, allowed.timezone, allowed.tier,
        coalesce(d.executions, 0) AS executions_d, coalesce(d.held_executions, 0) AS held_executions,
        allowed.executions_d AS allowed_executions_d,
        coalesce(d.api_calls, 0) AS api_calls_d, coalesce(d.held_calls, 0) AS held_calls,
        allowed.api_calls_d AS allowed_api_calls_d,
        coalesce(d.ai_tokens, 0) AS ai_tokens_d, coalesce(d.held_tokens, 0) AS held_tokens,
        allowed.ai_tokens_d AS allowed_ai_tokens_d,
        coalesce(m.executions, 0) AS executions_m,
        coalesce(allowed.executions_m, allowed.executions_d * {DAYS_A_MONTH}) AS allowed_executions_m,
        coalesce(m.api_calls, 0) AS api_calls_m,
        coalesce(allowed.api_calls_m, allowed.api_calls_d * {DAYS_A_MONTH}) AS allowed_api_calls_m
    FROM allowed JOIN today ON today.timezone = allowed.timezone
    LEFT JOIN public.governor_usage d
        ON d.tenant_id = allowed.id AND d.period = 'd' AND d.starts_on = today.day
    LEFT JOIN public.governor_usage m
        ON m.tenant_id = allowed.id AND m.period = 'm' AND m.starts_on = today.month
)
SELECT *, greatest(
    executions_d::float / greatest(allowed_executions_d, 1),
    api_calls_d::float / greatest(allowed_api_calls_d, 1),
    ai_tokens_d::float / greatest(allowed_ai_tokens_d, 1),
    executions_m::float / greatest(allowed_executions_m, 1),
    api_calls_m::float / greatest(allowed_api_calls_m, 1)
) AS share
FROM used ORDER BY share DESC, slug LIMIT %(most)s OFFSET %(skip)s
"""  # noqa: S608  # constants of this module
_PACE = """
SELECT newest.tenant_id,
    sum(executions) FILTER (WHERE "on" = today.day), sum(api_calls) FILTER (WHERE "on" = today.day),
    sum(ai_tokens) FILTER (WHERE "on" = today.day), min(oldest) FILTER (WHERE total = %(most)s)
FROM (SELECT *, min(at) OVER () AS oldest, count(*) OVER () AS total FROM (
        SELECT tenant_id, "on", at, executions, api_calls, ai_tokens
        FROM public.governor_charged ORDER BY id DESC LIMIT %(most)s
     ) first) newest
JOIN unnest(%(ids)s::bigint[], %(days)s::date[]) AS today (id, day) ON today.id = newest.tenant_id
WHERE at >= %(since)s GROUP BY newest.tenant_id
"""
_MONTH_PACE = """
SELECT usage.tenant_id, sum(usage.executions), sum(usage.api_calls)
FROM public.governor_usage usage
JOIN unnest(%(ids)s::bigint[], %(since)s::date[], %(days)s::date[]) AS lately (id, since, day)
    ON lately.id = usage.tenant_id AND usage.starts_on BETWEEN lately.since AND lately.day
WHERE usage.period = 'd' GROUP BY usage.tenant_id
"""
_PARKED = """
SELECT lane.tenant_id, lane.id, lane.object, lane.kind, lane.parked_reason, lane.parked_until,
       waiting.events, waiting.since
FROM (SELECT * FROM public.triggers_lane WHERE tenant_id = ANY(%s) AND parked_reason <> ''
      ORDER BY id LIMIT %s) lane
CROSS JOIN LATERAL (
    SELECT count(*) AS events, min(received_at) AS since FROM (
        SELECT received_at FROM public.triggers_liveevent e
        WHERE e.lane_id = lane.id AND e.status = 'queued' ORDER BY e.id LIMIT %s
    ) first
) waiting
"""
_RESOURCES = (
    ("executions", Period.DAY, "Executions"),
    ("api_calls", Period.DAY, "API calls"),
    ("ai_tokens", Period.DAY, "AI tokens"),
    ("executions", Period.MONTH, "Executions"),
    ("api_calls", Period.MONTH, "API calls"),
)


def usages(
    *, at: datetime, tenant_id: int | None = None, term: str = "", most: int = PAGE, skip: int = 0
) -> list[TenantUsage]:
    """What tenants used today and this month, the nearest to its quota first: four queries."""
    with connection.cursor() as cursor:
        found = _used(cursor, at=at, tenant_id=tenant_id, term=term, most=most, skip=skip)
        if not found:
            return []
        ids = [each["id"] for each in found]
        pace = _pace(cursor, found, at=at)
        cursor.execute(_PARKED, [ids, MOST_LANES, MOST_WAITING])
        lanes: dict[int, list[ParkedLane]] = {}
        for tenant, *lane in cursor.fetchall():
            lanes.setdefault(tenant, []).append(ParkedLane(*lane))
    return [_tenant(each, pace.get(each["id"], {}), lanes.get(each["id"], []), at=at) for each in found]


def nearest(*, at: datetime, most: int, above: float) -> list[TenantUsage]:
    """Those that used more than this share of a quota: two queries."""
    with connection.cursor() as cursor:
        found = _used(cursor, at=at, most=most)
    return [_tenant(each, {}, [], at=at) for each in found if each["share"] >= above]


def _used(
    cursor: Any, *, at: datetime, tenant_id: int | None = None, term: str = "", most: int, skip: int = 0
) -> list[dict[str, Any]]:
    cursor.execute(_TIMEZONES)
    zones = [name for (name,) in cursor.fetchall()]
    days = [day_of(at, name) for name in zones]
    wanted = term.strip().replace("\x00", "").lower()
    for special in ("\\", "%", "_"):
        wanted = wanted.replace(special, f"\\{special}")
    cursor.execute(
        _USED,
        {
            "at": at,
            "zones": zones,
            "days": days,
            "months": [month_of(day) for day in days],
            "unlimited": UNLIMITED,
            "tenant": tenant_id,
            "like": f"%{wanted}%" if wanted else "",
            "most": most,
            "skip": skip,
        },
    )
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _pace(cursor: Any, rows: list[dict[str, Any]], *, at: datetime) -> dict[int, dict[str, Any]]:
    """What was used lately, today's part and all of it; ``since`` when that is less than it should be."""
    ids = [row["id"] for row in rows]
    days = [day_of(at, row["timezone"]) for row in rows]
    pace: dict[int, dict[str, Any]] = {pk: {} for pk in ids}
    hours = {"most": MOST_CHARGES, "ids": ids, "days": days, "since": at - forecast.PACE_OVER}
    cursor.execute(_PACE, hours)
    names = ("executions_d", "api_calls_d", "ai_tokens_d", "since")
    for tenant, *lately in cursor.fetchall():
        pace[tenant] |= zip(names, lately, strict=True)
    cursor.execute(_MONTH_PACE, {"ids": ids, "days": days, "since": [_month_pace_since(day) for day in days]})
    for tenant, executions, calls in cursor.fetchall():
        pace[tenant] |= {"executions_m": executions, "api_calls_m": calls}
    return pace


def _month_pace_since(day: date) -> date:
    return max(month_of(day), day - forecast.MONTH_PACE_OVER)


def _tenant(
    row: Mapping[str, Any], pace: Mapping[str, Any], lanes: Iterable[ParkedLane], *, at: datetime
) -> TenantUsage:
    return TenantUsage(
        pk=row["id"],
        code=str(row["code"]),
        slug=row["slug"],
        name=row["name"],
        timezone=row["timezone"],
        tier=row["tier"],
        share=row["share"],
        meters=[_meter(row, pace, *each, at=at) for each in _RESOURCES],
        lanes=list(lanes),
    )


def _meter(
    row: Mapping[str, Any], pace: Mapping[str, Any], name: str, period: Period, label: str, *, at: datetime
) -> Meter:
    timezone = row["timezone"]
    on = day_of(at, timezone)
    begins = starts_at(on if period == Period.DAY else month_of(on), timezone)
    ends = resets_at(period, at, timezone)
    used, allowed = row[f"{name}_{period.value}"], row[f"allowed_{name}_{period.value}"]
    # Of a busy system fewer hours are read.
    since = max(begins, min(pace.get("since") or begins, at - timedelta(minutes=1)))
    over = forecast.PACE_OVER
    if period == Period.MONTH:
        since = starts_at(_month_pace_since(on), timezone)
        over = at - since
    told = forecast.forecast(
        used=used,
        lately=int(pace.get(f"{name}_{period.value}") or 0),
        allowed=allowed,
        starts_at=since,
        ends_at=ends,
        at=at,
        over=over,
    )
    return Meter(
        name=name,
        label=label,
        period=period.value,
        used=used,
        held=row[HELD[name]] if period == Period.DAY else 0,
        allowed=allowed,
        resets_at=ends,
        exhausted_at=told.exhausted_at,
        expected=told.expected,
    )


def resets(at: datetime, timezone: str) -> str:
    """The moment where the tenant is, and in UTC: ``5 May 00:00 in America/Denver, 5 May 06:00 UTC``."""
    there = at.astimezone(zone(timezone))
    utc = f"{at:%-d %b %H:%M} UTC"
    return utc if not there.utcoffset() else f"{there:%-d %b %H:%M} in {timezone}, {utc}"
