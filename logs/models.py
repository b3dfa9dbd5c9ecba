"""Traces: everything that happened in one execution, written once, in day partitions."""

from __future__ import annotations

from django.db import models

from tenants.scope import TenantManager


class Trace(models.Model):
    """One row for each execution. Plain ids and no foreign keys, so that a day drops in milliseconds."""

    pk = models.CompositePrimaryKey("execution", "started_at")
    execution = models.UUIDField()
    started_at = models.DateTimeField()
    tenant_id = models.BigIntegerField()
    release = models.CharField(max_length=60)
    spans = models.JSONField()
    entries = models.JSONField()  # log lines
    usage = models.JSONField()
    effects = models.JSONField()  # the journal as people read it: masked
    judgments = models.JSONField()
    outcomes = models.JSONField()  # record id -> [status, reason]
    error = models.JSONField(null=True)
    is_cut = models.BooleanField(default=False)  # something was left out, and says so in place
    expires_on = models.DateField()

    objects = TenantManager()

    class Meta:
        managed = False
        db_table = "logs_trace"

    def __str__(self) -> str:
        return str(self.execution)
