"""Parking: events that wait for a quota, from the first that waits to the news that all have run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from governor import notices, usage
from governor.calendar import day_of, zone
from governor.policy import load
from governor.quotas import PARKED, Quota, Refusal, decide
from triggers import past
from triggers.choices import EventStatus, Skip

if TYPE_CHECKING:
    from datetime import datetime

EXPIRED_AT_A_TIME = 500  # events of one round

_BEGIN = """
INSERT INTO public.governor_parking (tenant_id, reason, least_calls, least_tokens, since, until, ended_by)
VALUES (%s, %s, %s, %s, %s, %s, '')
ON CONFLICT (tenant_id) WHERE ended_at IS NULL DO UPDATE SET reason = excluded.reason,
    until = greatest(governor_parking.until, excluded.until),
    least_calls = greatest(governor_parking.least_calls, excluded.least_calls),
    least_tokens = greatest(governor_parking.least_tokens, excluded.least_tokens)
"""
_OPEN = """
SELECT id, tenant_id, least_calls, least_tokens, until FROM public.governor_parking
WHERE ended_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED
"""
# Not those that somebody holds at this moment, who may wait for what we have locked: they are opened later.
_UNPARK = """
UPDATE public.triggers_lane SET parked_reason = '', parked_until = NULL
WHERE id IN (SELECT id FROM public.triggers_lane WHERE tenant_id = %s AND parked_reason = %s
             FOR NO KEY UPDATE SKIP LOCKED)
RETURNING id
"""
_END = """
UPDATE public.governor_parking parking SET ended_at = %s, ended_by = %s
WHERE id = %s AND NOT EXISTS (SELECT FROM public.triggers_lane lane
                              WHERE lane.tenant_id = parking.tenant_id AND lane.parked_reason = %s)
"""
_UNTOLD = """
SELECT parking.id, parking.tenant_id, parking.since, parking.ended_at, parking.ended_by, tenant.timezone
FROM public.governor_parking parking JOIN public.tenants_tenant tenant ON tenant.id = parking.tenant_id
WHERE parking.ended_at IS NOT NULL AND parking.told_at IS NULL
  AND NOT EXISTS (SELECT FROM public.triggers_liveevent e
                  WHERE e.tenant_id = parking.tenant_id AND e.received_at <= parking.ended_at)
ORDER BY parking.id FOR UPDATE OF parking SKIP LOCKED
"""
_CAUGHT_UP = """
SELECT count(*), count(*) FILTER (WHERE status = 'failed'), max(finished_at)
FROM public.triggers_event_past
WHERE tenant_id = %s AND received_at BETWEEN %s AND %s AND finished_at >= %s
  AND (status <> 'skipped' OR reason <> 'expired')
"""
# Of each lane the oldest: a million that wait cost no more than some hundreds.
_TOO_OLD = """
WITH kept AS MATERIALIZED (
    SELECT lane.id, %s - interval '1 day' * coalesce(
        governor_value('parked_days', tenant.id, tenant.tier_id, NULL), %s) AS since
    FROM public.triggers_lane lane JOIN public.tenants_tenant tenant ON tenant.id = lane.tenant_id
    WHERE lane.parked_reason <> '' OR tenant.status <> 'active'
)
SELECT e.id FROM kept
CROSS JOIN LATERAL (
    SELECT id, received_at FROM public.triggers_liveevent
    WHERE lane_id = kept.id AND status = 'queued' ORDER BY id LIMIT %s
) oldest
JOIN public.triggers_liveevent e ON e.id = oldest.id AND e.status = 'queued'
WHERE oldest.received_at < kept.since
ORDER BY e.id LIMIT %s FOR UPDATE OF e SKIP LOCKED
"""


def begin(
    cursor: Any,
    *,
    tenant_id: int,
    refusal: Refusal,
    least_calls: int = 0,
    least_tokens: int = 0,
    at: datetime,
    until: datetime,
) -> None:
    """Note that the tenant's events wait from now on; one note however many lanes wait."""
    cursor.execute(_BEGIN, [tenant_id, refusal.sentence[:200], least_calls, least_tokens, at, until])


def review(*, at: datetime) -> list[int]:
    """Open the lanes of tenants whose quota has room again, for whatever reason. Returns those lanes."""
    opened: list[int] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OPEN)
        for pk, tenant_id, least_calls, least_tokens, until in cursor.fetchall():
            if _has_room(cursor, tenant_id, least_calls, least_tokens, at=at):
                ended_by = "reset" if until is None or at >= until else "quota"
                opened += _open(cursor, pk, tenant_id, ended_by=ended_by, at=at)
    return opened


def release(*, tenant_id: int, actor: str, at: datetime) -> list[int]:
    """Open the tenant's lanes now, if its quota has room. Returns them; the caller rings."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_OPEN.replace("WHERE", "WHERE tenant_id = %s AND"), [tenant_id])
        return [
            lane_id
            for pk, _, least_calls, least_tokens, _ in cursor.fetchall()
            if _has_room(cursor, tenant_id, least_calls, least_tokens, at=at)
            for lane_id in _open(cursor, pk, tenant_id, ended_by=actor, at=at)
        ]


def tell_caught_up(*, at: datetime) -> int:
    """Tell the owners of tenants whose waiting events have all run. Returns how many were told."""
    told = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UNTOLD)
        for pk, tenant_id, since, ended_at, ended_by, timezone in cursor.fetchall():
            cursor.execute(_CAUGHT_UP, [tenant_id, since - timedelta(days=1), ended_at, ended_at])
            events, failed, last_at = cursor.fetchone()
            cursor.execute("UPDATE public.governor_parking SET told_at = %s WHERE id = %s", [at, pk])
            if events:
                began = since.astimezone(zone(timezone))
                done = last_at.astimezone(zone(timezone))
                notices.tell(
                    cursor,
                    tenant_id=tenant_id,
                    key=f"caught-up:{pk}",
                    kind="caught-up",
                    subject=f"{_events(events)} that waited for the quota {_have(events)} run",
                    text=(
                        f"Waiting began {began:%-d %b %H:%M} and ended with the {_ending(ended_by)};"
                        f" the last ran {done:%-d %b %H:%M}."
                        f" {events - failed:,} went through, {failed:,} failed."
                    ),
                    at=at,
                )
                told += 1
    return told


def expire(*, at: datetime, default_days: int) -> int:
    """List events that were parked for longer than they are kept as expired. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TOO_OLD, [at, default_days, EXPIRED_AT_A_TIME, EXPIRED_AT_A_TIME])
        ends = [
            past.EventEnd(event_id, EventStatus.SKIPPED, Skip.EXPIRED) for (event_id,) in cursor.fetchall()
        ]
        return past.move(cursor, ends, at=at)


def _has_room(cursor: Any, tenant_id: int, least_calls: int, least_tokens: int, *, at: datetime) -> bool:
    policy = load(cursor, tenant_id)
    quota = Quota.of(policy)
    day, month = usage.read(cursor, tenant_id=tenant_id, on=day_of(at, policy.timezone))
    # An override may have made the quota smaller than what was wanted.
    least = quota.most_calls(least_calls)
    decision = decide(day, month, quota, executions=1, calls=least, least_calls=least)
    tokens = min(least_tokens, quota.ai_tokens_per_day)
    return not isinstance(decision, Refusal) and day.tokens_left(quota) >= tokens


def _open(cursor: Any, pk: int, tenant_id: int, *, ended_by: str, at: datetime) -> list[int]:
    cursor.execute(_UNPARK, [tenant_id, PARKED])
    opened = [lane_id for (lane_id,) in cursor.fetchall()]
    cursor.execute(_END, [at, ended_by, pk, PARKED])
    return opened


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number:,} events"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _ending(ended_by: str) -> str:
    return {"reset": "new quota", "quota": "larger quota"}.get(ended_by, f"release by {ended_by}")
