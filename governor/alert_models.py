"""What a tenant wants to be told of, and what it has been told of that still stands."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from tenants.models import Tenant
from tenants.scope import TenantManager

THRESHOLDS = (50, 80, 100)


def all_thresholds() -> list[int]:
    """Every threshold of a quota, in per cent."""
    return list(THRESHOLDS)


class AlertSettings(models.Model):
    """A tenant's rules and recipients. Without a row, owners are e-mailed about its quotas."""

    tenant = models.OneToOneField(
        Tenant, models.CASCADE, related_name="alert_settings", primary_key=True, serialize=False
    )
    emails = ArrayField(models.EmailField(), default=list)  # none = the owners
    sealed_slack = models.BinaryField(null=True, editable=False)  # an incoming webhook's address
    slack_set_at = models.DateTimeField(null=True)  # news from before it was set is not sent there
    quota_thresholds = ArrayField(models.SmallIntegerField(), default=all_thresholds)
    error_percent = models.SmallIntegerField(null=True)  # of finished executions; None = do not tell
    error_minutes = models.SmallIntegerField(default=15)
    silent_hours = models.SmallIntegerField(null=True)  # None = do not tell
    tells_parked = models.BooleanField(default=False)

    objects = TenantManager()

    def __str__(self) -> str:
        return f"Alerts of {self.tenant_id}"


class Alert(models.Model):
    """A rule that was crossed: told once, and once more when it is over."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    key = models.CharField(max_length=80)  # "error-rate", "parked", "silent:<connection>"
    subject = models.CharField(max_length=200)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key"], name="governor_alert_once", condition=Q(ended_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.subject
