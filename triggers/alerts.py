"""Alerts: a tenant's own rules, looked at by beat; told once when one is crossed, and when it is over."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, connection, transaction
from django.db.models import Q

from governor import notices
from governor.alert_models import Alert, AlertSettings
from logs.vocabulary import plural
from tenants.models import Connection
from tenants.scope import every_tenant
from triggers.models import Lane

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

LEAST_EXECUTIONS = 5  # of fewer a rate says nothing
MOST_EXECUTIONS = 2_000  # looked at: the newest of the stretch

_RATE = """
SELECT count(*), count(*) FILTER (WHERE status IN ('failed', 'partial')) FROM (
    SELECT status, mode, created_at FROM public.triggers_execution
    WHERE tenant_id = %s ORDER BY id DESC LIMIT %s
) newest
WHERE created_at >= %s AND mode = 'live' AND status IN ('succeeded', 'failed', 'partial')
"""


@dataclass(frozen=True, slots=True)
class News:
    """What is told when a rule is crossed."""

    subject: str
    text: str


def review(*, at: datetime) -> int:
    """Look at the rules of every tenant that has any. Returns how many were crossed or ended."""
    has_rule = Q(error_percent__isnull=False) | Q(silent_hours__isnull=False) | Q(tells_parked=True)
    with every_tenant():
        # Those without a rule may still have an alert that stands: it ends unsaid.
        stands = Alert.objects.filter(ended_at=None).values("tenant")
        rows = list(AlertSettings.objects.filter(has_rule | Q(tenant__in=stands)).order_by("pk"))
        told = 0
        for row in rows:
            try:
                told += _review(row, at=at)
            except DatabaseError:
                logger.exception("The alerts of tenant %s were not looked at", row.pk)
    return told


def _review(rules: AlertSettings, *, at: datetime) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"alerts of {rules.pk}"])
        if not cursor.fetchone()[0]:
            return 0  # another worker is at it
        standing = {alert.key: alert for alert in Alert.objects.filter(tenant=rules.pk, ended_at=None)}
        firing = crossed(rules, at=at)
        told = 0
        for key in firing.keys() - standing.keys():
            news = firing[key]
            Alert.objects.create(tenant_id=rules.pk, key=key, subject=news.subject, began_at=at)
            told += _tell(cursor, rules.pk, f"alert:{key}", "alert", news, at=at)
        for key in standing.keys() - firing.keys():
            alert = standing[key]
            alert.ended_at = at
            alert.save(update_fields=["ended_at"])
            if _is_on(rules, key):
                minutes = plural(max(1, round((at - alert.began_at).total_seconds() / 60)), "minute")
                over = News(f"Over: {alert.subject}"[:200], f"It lasted {minutes}.")
                told += _tell(cursor, rules.pk, f"over:{key}", "recovered", over, at=at)
    return told


def crossed(rules: AlertSettings, *, at: datetime) -> dict[str, News]:
    """The rules that are crossed now, by key: three queries at most."""
    found: dict[str, News] = {}
    if rules.error_percent is not None:
        since = at - timedelta(minutes=rules.error_minutes)
        with connection.cursor() as cursor:
            cursor.execute(_RATE, [rules.pk, MOST_EXECUTIONS, since])
            total, failed = cursor.fetchone()
        if total >= LEAST_EXECUTIONS and failed * 100 > rules.error_percent * total:
            share = f"{failed * 100 / total:.0f} %"
            found["error-rate"] = News(
                f"{share} of the last {plural(rules.error_minutes, 'minute')} failed",
                f"{failed:,} of {plural(total, 'execution')} failed; you asked to be told above"
                f" {rules.error_percent} %. Activity shows which, and why.",
            )
    if rules.silent_hours is not None:
        before = at - timedelta(hours=rules.silent_hours)
        is_silent = Q(last_event_at__lt=before) | Q(last_event_at=None, created_at__lt=before)
        hours = plural(rules.silent_hours, "hour")
        for quiet in Connection.objects.filter(is_silent, tenant=rules.pk, is_active=True).order_by("pk"):
            found[f"silent:{quiet.code}"] = News(
                f"{quiet} has sent nothing for {hours}"[:200],
                "Its webhooks may be switched off in the CRM, or their address changed.",
            )
    if rules.tells_parked:
        lanes = Lane.objects.filter(tenant=rules.pk).exclude(parked_reason="").values_list("parked_reason")
        reasons = sorted({_REASONS.get(reason, "it was held") for (reason,) in lanes[:50]})
        if reasons:
            found["parked"] = News(
                "Events wait",
                f"They are kept and run in order: {'; '.join(reasons)}. Usage shows how many and until when.",
            )
    return found


_REASONS = {
    "quota": "a quota is used up",
    "paused": "it was paused",
    "provider-down": "a service they need does not answer",
}


def _is_on(rules: AlertSettings, key: str) -> bool:
    return {
        "error-rate": rules.error_percent is not None,
        "parked": rules.tells_parked,
    }.get(key, rules.silent_hours is not None)


def _tell(cursor: Any, tenant_id: int, key: str, kind: str, news: News, *, at: datetime) -> bool:
    return notices.tell(
        cursor,
        tenant_id=tenant_id,
        key=f"{key}:{at:%Y%m%dT%H%M%S}",
        kind=kind,
        subject=news.subject,
        text=news.text,
        at=at,
    )
