"""The journal's rows, the enrichment cache, and what is known of the hosts we call."""

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


class HostState(models.Model):
    """What a tenant's requests to a host came to lately: no row is a host without troubles."""

    class State(models.TextChoices):
        CLOSED = "closed", "Closed"  # requests pass
        OPEN = "open", "Open"  # it failed too often: none passes until ``probe_at``
        HALF_OPEN = "half-open", "Half open"  # one request is on its way to see whether it is back

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    host = models.CharField(max_length=300)  # host:port
    state = models.CharField(max_length=10, choices=State, default=State.CLOSED)
    failures = models.SmallIntegerField(default=0)  # in a row
    openings = models.SmallIntegerField(default=0)  # in a row: each doubles the delay
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    hold_until = models.DateTimeField(null=True)  # it asked to be left alone
    last_problem = models.CharField(max_length=200, default="")
    last_at = models.DateTimeField()

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "host"], name="governor_host_once"),
        ]

    def __str__(self) -> str:
        return self.host
