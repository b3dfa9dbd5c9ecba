"""The outbox: CRM writes that a settled execution asked for, waiting to be sent."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models import Connection, Tenant
from tenants.scope import TenantManager


class OutboxStatus(models.TextChoices):
    """Where a CRM write stands."""

    PENDING = "pending", "Pending"  # to be sent
    NOT_SENT = "not-sent", "Not sent"  # nothing to write with; the mirror holds the change
    SENT = "sent", "Sent"  # the CRM confirmed it
    FAILED = "failed", "Failed"  # the CRM refused it for good, or may have it and cannot say


class OutboxWrite(models.Model):
    """One change of one CRM record, stored in the transaction that settled its execution."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    # No constraints: checked row by row, they were a tenth of what settling a batch costs. Deleting a tenant
    # or a connection goes through Django, which sees to these rows.
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_constraint=False)
    connection = models.ForeignKey(
        Connection, models.SET_NULL, related_name="+", null=True, db_constraint=False
    )
    execution = models.UUIDField()
    object = models.CharField(max_length=60)
    record_id = models.CharField(max_length=200)
    operation = models.CharField(max_length=10)
    sealed = models.BinaryField()  # the changed fields, msgpack, sealed by tenants.secrets
    status = models.CharField(max_length=10, choices=OutboxStatus, default=OutboxStatus.PENDING)
    problem = models.TextField(default="")  # why it failed, waits, or was sent in part: a sentence
    attempts = models.SmallIntegerField(default=0)
    # When a request that must not be repeated blindly went out with it; None again once it was answered.
    left_at = models.DateTimeField(null=True)
    remote_id = models.CharField(max_length=200, default="")  # the CRM's id of a record that we made
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        indexes = [
            # For outbox_lanes.rows(): what waits for a connection, oldest first.
            models.Index(
                fields=["connection", "id"],
                name="triggers_outbox_waiting",
                condition=models.Q(status=OutboxStatus.PENDING),
            ),
            # For the page of an execution: what it changed. New entries of one batch lie side by side.
            models.Index(fields=["execution"], name="triggers_outbox_execution"),
            # For outbox_lanes.remote_ids().
            models.Index(
                fields=["connection", "record_id"],
                name="triggers_outbox_made",
                condition=~models.Q(remote_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.object} {self.record_id}"


class OutboxLane(models.Model):
    """The line of one connection's writes: one sender at a time, so that they keep their order."""

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="+")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    token = models.BigIntegerField(default=0)  # grows with each lease
    lease_until = models.DateTimeField(null=True)  # the database's clock
    attempts = models.IntegerField(default=0)  # in a row without success
    next_attempt_at = models.DateTimeField(null=True)
    problem = models.TextField(default="")  # why it waits: a sentence
    waits_for_quota = models.BooleanField(db_default=False)
    last_served_at = models.DateTimeField(null=True)

    objects = TenantManager()

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.connection_id}"
