"""Events: what a CRM told us. Waiting ones stand in a small hot table, finished ones in day partitions."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import Connection, Tenant
from tenants.scope import TenantManager
from triggers.choices import EventStatus, Operation
from triggers.models.lane import Lane


class EventFields(models.Model):
    """The columns that a live event, a past event and the view over both share, in the table's order."""

    id = models.BigAutoField(primary_key=True)
    code = models.UUIDField(default=uuid.uuid4)
    tenant = models.ForeignKey(
        Tenant, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    connection = models.ForeignKey(
        Connection, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False, null=True
    )
    lane = models.ForeignKey(
        Lane, models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False, null=True
    )
    crm = models.CharField(max_length=20)
    object = models.CharField(max_length=60)
    operation = models.CharField(max_length=10, choices=Operation)
    record_id = models.CharField(max_length=200)
    # The CRM's name of the event, as sent: "ContactCreate", "contact.propertyChange".
    kind = models.CharField(max_length=80)
    occurred_at = models.DateTimeField(null=True)  # the CRM's clock; None = it did not say
    received_at = models.DateTimeField()
    delivery = models.UUIDField()  # one HTTP request; a HubSpot delivery holds up to 100 events
    position = models.SmallIntegerField(default=0)
    # This event's bytes exactly as they came (of an array its own element), sealed by tenants.secrets.
    body = models.BinaryField()
    status = models.CharField(max_length=12, choices=EventStatus, default=EventStatus.QUEUED)
    reason = models.CharField(max_length=60, default="")  # a Skip, or an error code
    error: models.JSONField[dict[str, Any] | None] = models.JSONField(null=True)
    # Names of triggers that still have to run; None until the first claim.
    pending = ArrayField(models.CharField(max_length=120), null=True)
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    # The mirror's image before this event (msgpack, sealed); None = not applied yet.
    before = models.BinaryField(null=True)
    old_known = models.BooleanField(default=False)
    origin = models.CharField(max_length=12, default="live")  # live, test, reconcile, replay, script
    depth = models.SmallIntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.object} {self.operation} {self.record_id}"


class LiveEvent(EventFields):
    """An event that waits or runs. The last settle moves it to the history."""

    objects = TenantManager()

    class Meta:
        indexes = [
            # For lanes.claim(): the lane's waiting events in the order acknowledged.
            models.Index(
                fields=["lane", "id"],
                name="triggers_live_waiting",
                condition=models.Q(status=EventStatus.QUEUED),
            ),
            models.Index(fields=["tenant", "code"], name="triggers_live_code"),
        ]


class Event(EventFields):
    """Any event, live or past: a view, read-only."""

    objects = TenantManager()

    class Meta:
        managed = False
        db_table = "triggers_event"


class PastEvent(EventFields):
    """A finished event, in the partition of its day: only ``past`` and ``quarantine`` move one."""

    objects = TenantManager()

    class Meta:
        managed = False
        db_table = "triggers_event_past"


class Dedup(models.Model):
    """Which change was seen first, and as which event; not partitioned, for uniqueness spans days."""

    pk = models.CompositePrimaryKey("connection_id", "key")
    connection_id = models.BigIntegerField()
    key = models.CharField(max_length=200)
    event_code = models.UUIDField()
    seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            # For retention's sweep of keys past their window.
            models.Index(fields=["expires_at"], name="triggers_dedup_expiry"),
        ]

    def __str__(self) -> str:
        return self.key


class RefusedDelivery(models.Model):
    """A delivery we answered with 401: kept a day so that an operator can verify it again."""

    code = models.UUIDField(default=uuid.uuid4, unique=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="refused_deliveries")
    received_at = models.DateTimeField()
    error_code = models.CharField(max_length=60)
    detail = models.TextField()
    headers = models.JSONField(default=dict)  # the signature headers only
    body = models.BinaryField()  # sealed
    size = models.IntegerField()

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "received_at"], name="triggers_refused_recent"),
        ]

    def __str__(self) -> str:
        return f"{self.error_code} at {self.received_at:%F %T}"
