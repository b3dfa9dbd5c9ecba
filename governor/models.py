"""The journal, what is known of hosts and triggers, overrides of limits and quotas, what tenants used."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from governor import alert_models  # noqa: F401 — Django finds its models here
from governor.choices import Charge, Period, RequestStatus
from tenants.models import Tenant, Tier
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


class Override(models.Model):
    """A limit or quota that an operator set: for the platform, a tier, a tenant, or a trigger of one or all.

    Never edited: a new one ends the one before it, and history shows who wanted what, and why.
    """

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=40)  # of governor.limits or governor.allowances
    value = models.BigIntegerField()
    tier = models.ForeignKey(Tier, models.CASCADE, null=True, blank=True, related_name="+")
    tenant = models.ForeignKey(Tenant, models.CASCADE, null=True, blank=True, related_name="+")
    trigger = models.CharField(max_length=120, blank=True, default="")
    reason = models.CharField(max_length=300)
    actor = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)  # lapses by itself
    ended_at = models.DateTimeField(null=True, blank=True)  # by hand, or by a newer one
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(tier=None) | (Q(tenant=None) & Q(trigger="")), name="governor_override_scope"
            ),
            models.CheckConstraint(condition=Q(value__gte=0), name="governor_override_positive"),
            models.CheckConstraint(condition=~Q(reason=""), name="governor_override_reason"),
            models.UniqueConstraint(
                fields=["name", "tier", "tenant", "trigger"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="governor_override_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value:,}"

    @property
    def scope(self) -> str:
        """For whom, in words."""
        parts = [f"tier {self.tier_id}"] if self.tier_id else []
        parts += [f"tenant {self.tenant.slug}"] if self.tenant else []
        parts += [f"trigger {self.trigger}"] if self.trigger else []
        return ", ".join(parts) or "platform"


class Usage(models.Model):
    """What a tenant used in one of its own days or months, and what running executions hold in reserve.

    Both rows of a moment are locked together, the month's first, so that concurrent executions take turns.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    period = models.CharField(max_length=1, choices=Period)
    starts_on = models.DateField()  # the tenant's calendar
    executions = models.BigIntegerField(default=0)
    api_calls = models.BigIntegerField(default=0)
    ai_tokens = models.BigIntegerField(default=0)
    ai_cost_micros = models.BigIntegerField(default=0)  # millionths of a dollar
    held_executions = models.BigIntegerField(default=0)
    held_calls = models.BigIntegerField(default=0)
    held_tokens = models.BigIntegerField(default=0)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "period", "starts_on"], name="governor_usage_once"),
            models.CheckConstraint(
                condition=Q(
                    executions__gte=0,
                    api_calls__gte=0,
                    held_executions__gte=0,
                    held_calls__gte=0,
                    held_tokens__gte=0,
                ),
                name="governor_usage_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.period} {self.starts_on}"


class Charged(models.Model):
    """The ledger: each charge once, append-only; the sums of a day are the usage of that day."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    on = models.DateField()  # the tenant's day it counts for
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Charge)
    execution = models.UUIDField(null=True)
    trigger = models.CharField(max_length=120, default="")
    executions = models.SmallIntegerField(default=0)
    api_calls = models.IntegerField(default=0)
    ai_tokens = models.BigIntegerField(default=0)
    ai_cost_micros = models.BigIntegerField(default=0)

    objects = TenantManager()

    class Meta:
        indexes = [
            # Usage by trigger, and the sums that are compared with the counters.
            models.Index(fields=["tenant", "on", "trigger"], name="governor_charged_day"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on} {self.executions} {self.api_calls}"


class Notice(models.Model):
    """Something a tenant's owners are told once: a threshold passed, events parked, events caught up."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    key = models.CharField(max_length=120)  # what makes it the same news: "d:2026-05-04:executions:80"
    kind = models.CharField(max_length=20)  # threshold, parked, caught-up, upgraded, alert, recovered, test
    subject = models.CharField(max_length=200)
    text = models.TextField()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    attempts = models.SmallIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)  # whoever sends it has it for a while
    problem = models.CharField(max_length=200, default="")  # why it was not sent by e-mail
    # The same of Slack, where the tenant has named a webhook.
    slack_sent_at = models.DateTimeField(null=True)
    slack_attempts = models.SmallIntegerField(db_default=0)
    slack_tried_at = models.DateTimeField(null=True)
    slack_problem = models.CharField(max_length=200, db_default="")

    objects = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="governor_notice_once")]
        indexes = [
            models.Index(fields=["id"], name="governor_notice_unsent", condition=Q(sent_at=None)),
        ]

    def __str__(self) -> str:
        return self.subject


class Parking(models.Model):
    """One stretch of time in which a tenant's events waited for its quota."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    reason = models.CharField(max_length=200)  # a sentence: what is used up
    # What must be left before it makes sense to go on: calls that an execution wanted, or a token.
    least_calls = models.IntegerField(default=0)
    least_tokens = models.IntegerField(default=0)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)  # when the quota starts anew
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, default="")  # reset, upgrade, or who released it
    told_at = models.DateTimeField(null=True)  # when the owners were told what was caught up

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(ended_at=None), name="governor_parking_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.reason} since {self.since:%F %T}"


class UpgradeRequest(models.Model):
    """A tenant's wish for another tier, which an operator approves or declines."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    tier = models.ForeignKey(Tier, models.CASCADE, related_name="+")  # the one that is wanted
    status = models.CharField(max_length=10, choices=RequestStatus, default=RequestStatus.OPEN)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    note = models.CharField(max_length=300, blank=True, default="")
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=300, blank=True, default="")

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(status=RequestStatus.OPEN), name="governor_upgrade_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} to {self.tier_id}"
