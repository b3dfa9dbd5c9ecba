"""The portal's alerts: the form, what stands now, and what was sent lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from governor import alert_settings, notice_slack
from governor.alert_models import THRESHOLDS, Alert
from governor.alert_settings import Wanted
from governor.models import Notice
from governor.notices import AGAIN, UNWANTED, recipients
from tenants.errors import CodedError
from tenants.scope import tenant_scope
from triggers import usage_words

if TYPE_CHECKING:
    from datetime import datetime

    from governor.alert_models import AlertSettings
    from tenants.models import Tenant

MOST_EMAILS = 10
MOST_SHOWN = 15
MOST_STANDING = 50
WINDOWS = (15, 60)  # minutes


class AlertForm(forms.Form):
    """Where alerts go, and what is told."""

    emails = forms.CharField(
        required=False,
        max_length=3_000,
        label="E-mail addresses",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line. Leave it empty to tell the owners.",
    )
    slack = forms.CharField(
        required=False,
        max_length=500,
        label="Slack webhook",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"}),
        help_text="In Slack: Apps, Incoming Webhooks. It begins with https://hooks.slack.com/services/.",
    )
    forget_slack = forms.BooleanField(required=False, label="Forget the Slack webhook")
    quota_thresholds = forms.TypedMultipleChoiceField(
        required=False,
        coerce=int,
        choices=[(threshold, f"{threshold} %") for threshold in THRESHOLDS],
        widget=forms.CheckboxSelectMultiple,
        label="A quota is used to",
    )
    error_percent = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=99,
        label="Failed executions above (%)",
        help_text="Empty: do not tell. Fewer than five executions say nothing.",
    )
    error_minutes = forms.TypedChoiceField(
        coerce=int,
        choices=[(15, "the last 15 minutes"), (60, "the last hour")],
        label="Counted over",
        initial=WINDOWS[0],
    )
    silent_hours = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=720,
        label="A connection is silent for (hours)",
        help_text="Empty: do not tell.",
    )
    tells_parked = forms.BooleanField(required=False, label="Events wait")

    def clean_emails(self) -> list[str]:
        found = list(dict.fromkeys(self.cleaned_data["emails"].replace(",", " ").split()))
        if len(found) > MOST_EMAILS:
            raise ValidationError(f"At most {MOST_EMAILS} addresses.")
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(f"{address[:60]} is no e-mail address.") from None
        return found

    def clean_slack(self) -> str:
        url: str = self.cleaned_data["slack"]
        try:
            return notice_slack.check(url) if url else ""
        except CodedError as error:
            raise ValidationError(str(error)) from None

    def wanted(self) -> Wanted:
        """What was asked for, once the form is valid."""
        data = self.cleaned_data
        return Wanted(
            emails=data["emails"],
            slack=data["slack"] or (None if data["forget_slack"] else ""),
            quota_thresholds=data["quota_thresholds"],
            error_percent=data["error_percent"],
            error_minutes=data["error_minutes"],
            silent_hours=data["silent_hours"],
            tells_parked=data["tells_parked"],
        )


def form_of(settings: AlertSettings) -> AlertForm:
    """The form as the settings stand; the Slack address never comes out."""
    return AlertForm(
        initial={
            "emails": "\n".join(settings.emails),
            "quota_thresholds": settings.quota_thresholds,
            "error_percent": settings.error_percent,
            "error_minutes": settings.error_minutes,
            "silent_hours": settings.silent_hours,
            "tells_parked": settings.tells_parked,
        }
    )


def alerts_page(tenant: Tenant, *, form: AlertForm | None = None, at: datetime) -> dict[str, Any]:
    """The page's context: four queries."""
    settings = alert_settings.of(tenant)
    with tenant_scope(tenant.pk):
        standing = list(Alert.objects.filter(ended_at=None).order_by("-pk")[:MOST_STANDING])
        sent = list(Notice.objects.order_by("-pk")[:MOST_SHOWN])
    return {
        "page": "alerts",
        "form": form or form_of(settings),
        "has_slack": settings.sealed_slack is not None,
        "recipients": recipients(tenant, settings),
        "standing": [
            {
                "subject": alert.subject,
                "since": usage_words.moment(alert.began_at, tenant.timezone, at=at),
            }
            for alert in standing
        ],
        "sent": [
            {
                "subject": notice.subject,
                "text": notice.text,
                "at": usage_words.moment(notice.created_at, tenant.timezone, at=at),
                "ways": ways(notice, tenant, has_slack=settings.sealed_slack is not None, at=at),
            }
            for notice in sent
        ],
    }


def ways(notice: Notice, tenant: Tenant, *, has_slack: bool, at: datetime) -> list[tuple[str, str]]:
    """What became of a notice on each way: tone and words."""
    found = [_way("E-mail", notice.sent_at, notice.problem, tenant, at=at)]
    if has_slack or notice.slack_sent_at or notice.slack_problem:
        found.append(_way("Slack", notice.slack_sent_at, notice.slack_problem, tenant, at=at))
    return found


def _way(
    name: str, sent_at: datetime | None, problem: str, tenant: Tenant, *, at: datetime
) -> tuple[str, str]:
    if sent_at is not None:
        return "good", f"✓ {name} {usage_words.moment(sent_at, tenant.timezone, at=at)}"
    if problem == AGAIN:
        return "close", f"↻ {name}: not taken yet, tried again soon"
    if problem == UNWANTED:
        return "quiet", f"– {name}: switched off for this"
    return ("full", f"✕ {name}: {problem}") if problem else ("quiet", f"○ {name}: on its way")
