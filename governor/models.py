"""The journal's rows, the enrichment cache and what triggers usually call."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager


class JournalEntry(models.Model):
    """One callout: its intent is committed before it is sent, its answer before the script gets it."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    root = models.UUIDField()  # Execution.root: retries and bisect halves reuse answers
    execution = models.UUIDField()
    fingerprint = models.CharField(max_length=64)  # SHA-256 of op and arguments, hex
    occurrence = models.SmallIntegerField()  # the n-th request with this fingerprint
    op = models.CharField(max_length=40)
    idempotency_key = models.UUIDField()
    intended_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    answer = models.BinaryField(null=True)  # msgpack, sealed; exact

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["root", "fingerprint", "occurrence"], name="governor_journal_once"
            ),
        ]
        indexes = [
            models.Index(fields=["execution"], name="governor_journal_execution"),
        ]

    def __str__(self) -> str:
        return f"{self.op} {self.fingerprint[:8]}"


class Enrichment(models.Model):
    """A public fact looked up once (no tenant data), kept 30 days, negative answers too."""

    pk = models.CompositePrimaryKey("source", "key")
    source = models.CharField(max_length=40)
    key = models.CharField(max_length=80)
    data = models.JSONField(null=True)  # None: the source has no answer for the key
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.source} {self.key}"


class TriggerProfile(models.Model):
    """How many API calls a tenant's trigger makes for so many records: ``governor.profiles.Profile``."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    trigger = models.CharField(max_length=120)
    # Weighted sums over the latest executions: x records, y calls.
    n = models.FloatField(default=0)
    x = models.FloatField(default=0)
    y = models.FloatField(default=0)
    xx = models.FloatField(default=0)
    xy = models.FloatField(default=0)
    smallest_breach = models.IntegerField(default=0)
    largest_ok = models.IntegerField(default=0)
    updated_at = models.DateTimeField()

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "trigger"], name="governor_profile_once"),
        ]

    def __str__(self) -> str:
        return self.trigger
