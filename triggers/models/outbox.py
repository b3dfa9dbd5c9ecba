"""The outbox: CRM writes that a settled execution asked for, waiting to be sent."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models import Connection, Tenant
from tenants.scope import TenantManager


class OutboxStatus(models.TextChoices):
    """Where a CRM write stands."""

    PENDING = "pending", "Pending"  # to be sent
    NOT_SENT = "not-sent", "Not sent"  # the connection has no credentials; the mirror holds the change
    SENT = "sent", "Sent"  # the CRM confirmed it
    FAILED = "failed", "Failed"  # the CRM refused it for good


class OutboxWrite(models.Model):
    """One change of one CRM record, stored in the transaction that settled its execution."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, models.SET_NULL, related_name="+", null=True)
    execution = models.UUIDField()
    object = models.CharField(max_length=60)
    record_id = models.CharField(max_length=200)
    operation = models.CharField(max_length=10)
    sealed = models.BinaryField()  # the changed fields, msgpack, sealed by tenants.secrets
    status = models.CharField(max_length=10, choices=OutboxStatus, default=OutboxStatus.PENDING)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(
                fields=["tenant", "id"],
                name="triggers_outbox_pending",
                condition=models.Q(status=OutboxStatus.PENDING),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.object} {self.record_id}"
