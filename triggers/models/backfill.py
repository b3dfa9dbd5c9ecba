"""What a CRM held before it was connected, and the changes that it never told: how far we have read."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models

from tenants.models import Connection, Tenant
from tenants.scope import TenantManager


class BackfillState(models.TextChoices):
    """Where the import of one object stands."""

    QUEUED = "queued", "Waiting"  # its turn has not come
    RUNNING = "running", "Importing"  # some pages may be in
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"  # the CRM refused; somebody has to mend that and try again


class Backfill(models.Model):
    """One object of one connection, imported page by page; or the scoring of what was imported."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="backfills")
    object = models.CharField(max_length=60)
    position = models.SmallIntegerField()  # one after the other
    state = models.CharField(max_length=10, choices=BackfillState, default=BackfillState.QUEUED)
    # Where the next page begins, as the reader left it; None = at the first.
    cursor: models.JSONField[dict[str, Any] | None] = models.JSONField(null=True)
    read = models.IntegerField(default=0)
    stored = models.IntegerField(default=0)  # of them new here, or newer than what was known
    unfit = models.IntegerField(default=0)  # of them not as the object's schema says
    total = models.IntegerField(null=True)  # as the CRM counts
    problem = models.CharField(max_length=300, blank=True, default="")
    attempts = models.SmallIntegerField(default=0)  # without an answer, in a row
    next_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    # Of the scoring: counts and the ids of the best leads, nobody's name.
    report: models.JSONField[dict[str, Any] | None] = models.JSONField(null=True)

    objects = TenantManager()

    class Meta:
        verbose_name = "import"
        constraints = [
            models.UniqueConstraint(fields=["connection", "object"], name="triggers_backfill_once"),
        ]
        indexes = [
            # For backfill.take(): open ones, few and briefly.
            models.Index(
                fields=["next_at"],
                name="triggers_backfill_open",
                condition=models.Q(state__in=["queued", "running"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.object} of {self.connection}"


class Reconciliation(models.Model):
    """How far a connection's CRM was asked what changed, and what is being asked now."""

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="reconciled")
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    read_until = models.DateTimeField()  # every change up to then was looked at
    next_at = models.DateTimeField(db_index=True)
    # Of a round under way: its window, the objects left, the page.
    round: models.JSONField[dict[str, Any] | None] = models.JSONField(null=True)
    leased_until = models.DateTimeField(null=True)
    looked_at = models.DateTimeField()  # when the beat last came by: a gap means that something was down
    finished_at = models.DateTimeField(null=True)  # the last whole round
    problem = models.CharField(max_length=300, blank=True, default="")
    attempts = models.SmallIntegerField(default=0)

    objects = TenantManager()

    class Meta:
        verbose_name = "reconciliation"

    def __str__(self) -> str:
        return str(self.connection)


class ArrivedDay(models.Model):
    """Changes of one day (UTC) that the CRM told us, and those that we had to find ourselves."""

    pk = models.CompositePrimaryKey("connection_id", "on")
    connection_id = models.BigIntegerField()
    on = models.DateField()
    delivered = models.IntegerField(default=0)
    found = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.delivered} and {self.found} on {self.on}"
