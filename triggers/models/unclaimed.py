"""What marketplace apps delivered for accounts nobody has linked: sealed until it is known whose it is."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.choices import CRM


class UnclaimedAccount(models.Model):
    """A CRM account that an app's webhooks named, and that belongs to no tenant yet."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    crm = models.CharField(max_length=20, choices=CRM)
    account_id = models.CharField(max_length=120, blank=True)  # "" = the events name none
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    dropped = models.IntegerField(db_default=0)  # events beyond what is kept of one account

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["crm", "account_id"], name="triggers_unclaimed_account"),
        ]

    def __str__(self) -> str:
        return f"{self.get_crm_display()} {self.account_id or '(no account named)'}"


class UnclaimedEvent(models.Model):
    """One event of such an account, sealed."""

    account = models.ForeignKey(UnclaimedAccount, models.CASCADE, related_name="events")
    code = models.UUIDField(unique=True)
    key = models.CharField(max_length=200)  # the adapter's dedup key
    kind = models.CharField(max_length=80)
    received_at = models.DateTimeField()
    body = models.BinaryField()
    size = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "key"], name="triggers_unclaimed_once"),
        ]
        indexes = [
            # For retention's sweep.
            models.Index(fields=["received_at"], name="triggers_unclaimed_old"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.received_at:%F %T}"


class AppRefusal(models.Model):
    """The last delivery to an app's address that did not verify: what was checked, for whoever sets it up."""

    crm = models.CharField(primary_key=True, max_length=20, choices=CRM)
    refused_at = models.DateTimeField()
    detail = models.TextField()
    uris = models.JSONField(default=list)  # the addresses that its signature was checked against
    count = models.BigIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"{self.crm} at {self.refused_at:%F %T}"
