"""Notices: what a tenant's owners are told once, stored with what it tells of and sent by e-mail later."""

from __future__ import annotations

import logging
import smtplib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db.models import F, Q

from governor.alert_models import AlertSettings
from governor.choices import Period
from governor.models import Notice
from governor.quotas import WORDS, passed
from tenants import mail
from tenants.addresses import portal_url
from tenants.choices import Role
from tenants.scope import every_tenant

if TYPE_CHECKING:
    from datetime import date, datetime

    from django.db.models import QuerySet

    from governor.quotas import Counters, Quota, Refusal
    from tenants.models import Tenant

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
AGAIN_AFTER = timedelta(minutes=5)
AGAIN = "again"  # the problem of a notice that will be tried again
UNWANTED = "Not wanted: switched off under Alerts."
AT_A_TIME = 20  # notices sent in one round
_RESOURCES = {Period.DAY: ("executions", "api_calls", "ai_tokens"), Period.MONTH: ("executions", "api_calls")}
_INSERT = """
INSERT INTO public.governor_notice
    (code, tenant_id, key, kind, subject, text, created_at, attempts, problem)
VALUES (%s, %s, %s, %s, %s, %s, %s, 0, '') ON CONFLICT (tenant_id, key) DO NOTHING
"""


def tell(cursor: Any, *, tenant_id: int, key: str, kind: str, subject: str, text: str, at: datetime) -> bool:
    """Store a notice. False: the tenant was told of this before."""
    cursor.execute(_INSERT, [str(uuid4()), tenant_id, key[:120], kind, subject[:200], text, at])
    return bool(cursor.rowcount)


def thresholds(
    cursor: Any,
    *,
    tenant_id: int,
    on: date,
    period: Period,
    before: Counters,
    after: Counters,
    quota: Quota,
    at: datetime,
) -> None:
    """Note each quota of the period that passed 50, 80 or 100 per cent."""
    for resource in _RESOURCES[period]:
        allowed = quota.allowed(resource, period)
        used = getattr(after, resource)
        threshold = passed(getattr(before, resource), used, allowed)
        if threshold is not None:
            news = _News(period, on, resource, threshold, used, allowed)
            _tell(cursor, tenant_id=tenant_id, news=news, at=at)


def used_up(cursor: Any, *, tenant_id: int, on: date, refusal: Refusal, at: datetime) -> None:
    """A quota kept an execution from starting: its events wait."""
    period = Period(refusal.period)
    starts_on = on if period == Period.DAY else on.replace(day=1)
    news = _News(period, starts_on, refusal.resource, 100, refusal.used, refusal.allowed)
    _tell(cursor, tenant_id=tenant_id, news=news, at=at)


class _News(NamedTuple):
    """A threshold (per cent) of a quota that was passed."""

    period: Period
    starts_on: date
    resource: str
    threshold: int
    used: int
    allowed: int


def _tell(cursor: Any, *, tenant_id: int, news: _News, at: datetime) -> None:
    word = "today's" if news.period == Period.DAY else "this month's"
    what = WORDS[news.resource]
    if news.threshold >= 100:
        subject = f"All of {word} {news.allowed:,} {what} are used"
        text = (
            "New events are kept and wait in order; none is lost."
            " They run when the quota starts anew, or at once after an upgrade."
        )
    else:
        subject = f"{news.threshold} % of {word} {news.allowed:,} {what} are used"
        text = f"{news.used:,} of {news.allowed:,}. Beyond the quota events wait in order; none is lost."
    key = f"{news.period.value}:{news.starts_on}:{news.resource}:{news.threshold}:{news.allowed}"
    tell(cursor, tenant_id=tenant_id, key=key, kind="threshold", subject=subject, text=text, at=at)


def send(*, at: datetime, most: int = AT_A_TIME) -> int:
    """E-mail the notices that were not sent yet to their tenants' owners. Returns how many went out.

    Without a mail server they stay in portal, console and API, and say so.
    """
    with every_tenant():
        waiting = list(_waiting(at).select_related("tenant").order_by("id")[:most])
    return sum(_send(notice, at) for notice in waiting)


def recipients(tenant: Tenant, wanted: AlertSettings | None) -> list[str]:
    """Whom to e-mail: those the tenant named, or its owners."""
    if wanted is not None and wanted.emails:
        return list(wanted.emails)
    owners = tenant.memberships.filter(role=Role.OWNER).exclude(user__email="")
    return list(owners.values_list("user__email", flat=True))


def is_wanted(notice: Notice, wanted: AlertSettings | None) -> bool:
    """Whether the tenant wants to be told: of thresholds it may have chosen some."""
    if notice.kind != "threshold" or wanted is None:
        return True
    threshold = notice.key.split(":")[-2:][0]  # period:day:resource:threshold:allowed
    return not threshold.isdigit() or int(threshold) in wanted.quota_thresholds


def _waiting(at: datetime) -> QuerySet[Notice]:
    is_free = Q(tried_at=None) | Q(tried_at__lte=at - AGAIN_AFTER)
    found: QuerySet[Notice] = Notice.objects.filter(
        is_free, sent_at=None, attempts__lt=MOST_ATTEMPTS, problem__in=["", AGAIN]
    )
    return found


def send_one(notice: Notice, *, at: datetime) -> bool:
    """E-mail this notice now."""
    return _send(notice, at)


def _send(notice: Notice, at: datetime) -> bool:
    with every_tenant():
        # Whoever notes the attempt has it: no two workers send the same.
        if not _waiting(at).filter(pk=notice.pk).update(attempts=F("attempts") + 1, tried_at=at):
            return False
    with every_tenant():
        wanted = AlertSettings.objects.filter(tenant=notice.tenant).first()
    addresses = recipients(notice.tenant, wanted)
    problem = ""
    if not is_wanted(notice, wanted):
        problem = UNWANTED
    elif not settings.NOTICES_BY_EMAIL:
        problem = "No mail server is set (EMAIL_URL)."
    elif not addresses:
        problem = "No owner has an e-mail address."
    else:
        body = f"{notice.text}\n\n{portal_url(notice.tenant)}\n"
        subject = f"{notice.tenant.name}: {notice.subject}"
        message = mail.plain(notice.tenant, to=addresses, subject=subject, text=body)
        try:
            message.send()
        except (OSError, smtplib.SMTPException) as error:
            logger.warning("Notice %s could not be sent: %s", notice.code, error)
            problem = AGAIN if notice.attempts + 1 < MOST_ATTEMPTS else "The mail server did not take it."
    with every_tenant():
        Notice.objects.filter(pk=notice.pk).update(sent_at=None if problem else at, problem=problem)
    return not problem
