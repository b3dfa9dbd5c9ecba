"""Notices in Slack: to the incoming webhook that a tenant named, through the one HTTP client."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import F, Q

from governor import egress
from governor.models import Notice
from governor.notices import AGAIN, AGAIN_AFTER, AT_A_TIME, MOST_ATTEMPTS, UNWANTED, is_wanted
from tenants.addresses import portal_url
from tenants.errors import CodedError
from tenants.scope import every_tenant
from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from governor.alert_models import AlertSettings

logger = logging.getLogger(__name__)

HOST = "hooks.slack.com"
NEWS_FOR = timedelta(days=1)  # later it is no news
SECONDS = 5.0


class BadSlack(CodedError):
    """The address is none of an incoming webhook of Slack."""

    code = "governor.bad-slack"


def check(url: str) -> str:
    """The address, if it can be an incoming webhook's. Raises ``BadSlack``."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    # What the operator opened for callouts serves tests and the demo.
    is_opened = f"{host}:{port}" in settings.EGRESS_ALLOW
    is_slack = parts.scheme == "https" and host == HOST and port in {None, 443} and "@" not in parts.netloc
    if not (is_slack or is_opened) or len(parts.path) < 2 or len(url) > 500:
        raise BadSlack(f"Slack's incoming webhooks begin with https://{HOST}/services/.")
    return url


def seal_address(url: str, *, tenant_id: int) -> bytes:
    """The address as it is stored: whoever has it may write to the channel."""
    return seal(url.encode(), context=f"slack:{tenant_id}")


def send(*, at: datetime, most: int = AT_A_TIME) -> int:
    """Post the notices that were not posted yet. Returns how many went out."""
    with every_tenant():
        waiting = list(_waiting(at).select_related("tenant", "tenant__alert_settings").order_by("id")[:most])
    return sum(_send(notice, at) for notice in waiting)


def send_one(notice: Notice, *, at: datetime) -> bool:
    """Post this notice now; False also when the tenant named no webhook."""
    return _send(notice, at)


def _waiting(at: datetime) -> QuerySet[Notice]:
    is_free = Q(slack_tried_at=None) | Q(slack_tried_at__lte=at - AGAIN_AFTER)
    found: QuerySet[Notice] = Notice.objects.filter(
        is_free,
        created_at__gt=at - NEWS_FOR,
        created_at__gte=F("tenant__alert_settings__slack_set_at"),
        tenant__alert_settings__sealed_slack__isnull=False,
        slack_sent_at=None,
        slack_attempts__lt=MOST_ATTEMPTS,
        slack_problem__in=["", AGAIN],
    )
    return found


def _send(notice: Notice, at: datetime) -> bool:
    with every_tenant():
        # Whoever notes the attempt has it: no two workers send the same.
        taken = _waiting(at).filter(pk=notice.pk)
        updated = Notice.objects.filter(pk__in=taken.values("pk")).filter(
            Q(slack_tried_at=None) | Q(slack_tried_at__lte=at - AGAIN_AFTER)
        )
        if not updated.update(slack_attempts=F("slack_attempts") + 1, slack_tried_at=at):
            return False
    wanted: AlertSettings = notice.tenant.alert_settings
    problem = _post(notice, wanted) if is_wanted(notice, wanted) else UNWANTED
    if problem == AGAIN and notice.slack_attempts + 1 >= MOST_ATTEMPTS:
        problem = "Slack did not take it."
    with every_tenant():
        Notice.objects.filter(pk=notice.pk).update(
            slack_sent_at=None if problem else at, slack_problem=problem
        )
    return not problem


def _post(notice: Notice, wanted: AlertSettings) -> str:
    """Post it. Returns the problem, "" when there was none."""
    assert wanted.sealed_slack is not None
    try:
        url = unseal(wanted.sealed_slack, context=f"slack:{notice.tenant_id}").decode()
    except CodedError:
        logger.exception("The Slack address of tenant %s cannot be opened", notice.tenant_id)
        return "The address cannot be opened; enter it again."
    text = f"*{_plain(notice.tenant.name)}: {_plain(notice.subject)}*\n{_plain(notice.text)}"
    try:
        answer = egress.send(
            "POST", url, json={"text": f"{text}\n{portal_url(notice.tenant)}"}, timeout=SECONDS
        )
    except egress.EgressRefused:
        return "The address may not be called."
    except egress.CalloutFailed as error:
        logger.warning("Notice %s could not be posted: %s", notice.code, error.code)
        return AGAIN
    if answer.status == 429 or answer.status >= 500:
        return AGAIN
    return "" if answer.status < 300 else f"Slack refused it ({answer.status}): is the webhook still there?"


def _plain(text: str) -> str:
    """Text that Slack takes for text: no mentions, no links."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
