"""Dead letters: failed executions of one fault, told apart by the fault's fingerprint."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager
from triggers.choices import GroupStatus


class DeadLetterGroup(models.Model):
    """One fault of one trigger, of whatever tenants: what it is, how often, and who sees to it."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    fingerprint = models.CharField(max_length=64, unique=True)
    trigger = models.CharField(max_length=120)
    error_code = models.CharField(max_length=60)
    error_type = models.CharField(max_length=60, default="")
    message = models.CharField(max_length=300)  # without the ids and numbers of single failures
    place = models.CharField(max_length=200, default="")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    count = models.IntegerField(default=0)  # executions
    records = models.IntegerField(default=0)  # that failed in them
    sample = models.UUIDField()  # the newest execution
    status = models.CharField(max_length=10, choices=GroupStatus, default=GroupStatus.OPEN)
    # It failed again after it was resolved.
    is_regression = models.BooleanField(default=False)
    resolved_at = models.DateTimeField(null=True)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, related_name="+", null=True)
    note = models.CharField(max_length=500, default="")

    class Meta:
        indexes = [
            # For the console's list: what is open, the newest first.
            models.Index(fields=["status", "-last_seen"], name="triggers_deadletter_status"),
            models.Index(fields=["trigger", "-last_seen"], name="triggers_deadletter_trigger"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.error_type or self.error_code}"


class DeadLetterTenant(models.Model):
    """How often a fault hit one tenant."""

    group = models.ForeignKey(DeadLetterGroup, models.CASCADE, related_name="tenants")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    count = models.IntegerField()
    last_seen = models.DateTimeField()

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "tenant"], name="triggers_deadletter_tenant_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.count}"
