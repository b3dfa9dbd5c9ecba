"""Changing what a tenant is told of and where, and trying it: each audited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import connection, transaction

from governor import notice_slack, notices
from governor.alert_models import AlertSettings
from governor.models import Notice
from tenants import audit
from tenants.scope import every_tenant

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Tenant


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the tenant wants. ``slack`` is a new address, "" keeps the one there is, None forgets it."""

    emails: list[str]
    slack: str | None
    quota_thresholds: list[int]
    error_percent: int | None
    error_minutes: int
    silent_hours: int | None
    tells_parked: bool


def of(tenant: Tenant) -> AlertSettings:
    """The tenant's settings; unsaved defaults where it has none."""
    with every_tenant():
        found = AlertSettings.objects.filter(tenant=tenant).first()
    return found if found is not None else AlertSettings(tenant=tenant)


def save(tenant: Tenant, wanted: Wanted, *, actor: str, at: datetime) -> AlertSettings:
    """Keep what is wanted. Raises ``BadSlack``."""
    if wanted.slack:
        notice_slack.check(wanted.slack)
    with transaction.atomic():
        row = of(tenant)
        row.emails = wanted.emails
        row.quota_thresholds = wanted.quota_thresholds
        row.error_percent = wanted.error_percent
        row.error_minutes = wanted.error_minutes
        row.silent_hours = wanted.silent_hours
        row.tells_parked = wanted.tells_parked
        if wanted.slack:
            row.sealed_slack = notice_slack.seal_address(wanted.slack, tenant_id=tenant.pk)
            row.slack_set_at = at
        elif wanted.slack is None:
            row.sealed_slack = row.slack_set_at = None
        row.save()
        audit.record(
            actor=actor,
            verb="changed the alerts of",
            target=f"tenant {tenant.slug}",
            tenant=tenant,
            data={
                "emails": len(wanted.emails),
                "slack": row.sealed_slack is not None,
                "quota_thresholds": wanted.quota_thresholds,
                "error_percent": wanted.error_percent,
                "silent_hours": wanted.silent_hours,
                "parked": wanted.tells_parked,
            },
            at=at,
        )
    return row


def send_test(tenant: Tenant, *, actor: str, at: datetime) -> Notice:
    """Send a test alert to where alerts go. The notice that comes back says what became of it."""
    key = f"test:{uuid4()}"
    with transaction.atomic(), connection.cursor() as cursor:
        notices.tell(
            cursor,
            tenant_id=tenant.pk,
            key=key,
            kind="test",
            subject="A test alert",
            text=f"{actor} asked for it. Real alerts look like this.",
            at=at,
        )
        audit.record(
            actor=actor,
            verb="sent a test alert of",
            target=f"tenant {tenant.slug}",
            tenant=tenant,
            at=at,
        )
    with every_tenant():
        notice: Notice = Notice.objects.select_related("tenant").get(tenant=tenant, key=key)
        notices.send_one(notice, at=at)
        if of(tenant).sealed_slack is not None:
            notice_slack.send_one(notice, at=at)
        notice.refresh_from_db()
    return notice
