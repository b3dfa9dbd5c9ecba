"""Executions: one trigger over one claimed batch."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from logs import search
from tenants.models import Tenant
from tenants.scope import TenantManager
from triggers.choices import ExecutionStatus, Mode, Operation
from triggers.models.lane import Lane


class Execution(models.Model):
    """One trigger over one batch. Its members never change: a retry runs exactly those."""

    id = models.BigAutoField(primary_key=True)
    code = models.UUIDField(default=uuid.uuid4, unique=True)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    lane = models.ForeignKey(Lane, models.SET_NULL, related_name="+", null=True, db_index=False)
    trigger = models.CharField(max_length=120)
    object = models.CharField(max_length=60)
    operation = models.CharField(max_length=10, choices=Operation)
    release = models.CharField(max_length=60)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.LIVE)
    status = models.CharField(max_length=10, choices=ExecutionStatus, default=ExecutionStatus.QUEUED)
    with_errors = models.BooleanField(default=False)  # succeeded, but the script logged an error
    error_code = models.CharField(max_length=60, default="")
    error_type = models.CharField(max_length=60, db_default="")  # the exception's, when a script raised
    error_detail = models.TextField(default="")
    limit_name = models.CharField(max_length=40, default="")
    attempts = models.SmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)  # a retry waits until then, with exactly its members
    losses = models.SmallIntegerField(default=0)  # how often the worker that ran it died
    # The first execution of this work: retries and halves share its journal and reuse its answers.
    root = models.UUIDField()
    parent = models.ForeignKey("self", models.SET_NULL, related_name="children", null=True, db_index=False)
    replay_of = models.ForeignKey("self", models.SET_NULL, related_name="replays", null=True, db_index=False)
    event_ids = ArrayField(models.BigIntegerField(), default=list)
    event_codes = ArrayField(models.UUIDField(), default=list)
    record_ids = ArrayField(models.CharField(max_length=200), default=list)
    # Keyed hashes of the e-mail addresses and phone numbers of its records, for search (logs.search).
    terms = ArrayField(models.CharField(max_length=32), default=list)
    size = models.IntegerField()
    ok = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    depth = models.SmallIntegerField(default=0)
    seed = models.BigIntegerField(default=0)
    now = models.DateTimeField()  # context.now, kept for replays
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    wall_ms = models.IntegerField(null=True)
    cpu_ms = models.IntegerField(null=True)
    # What it holds of its tenant's quota while it runs or waits for another attempt, and for which day.
    held_on = models.DateField(null=True)
    held_executions = models.SmallIntegerField(db_default=0)
    held_calls = models.IntegerField(db_default=0)
    held_tokens = models.IntegerField(db_default=0)
    is_counted = models.BooleanField(db_default=False)  # among its tenant's executions, once for all attempts
    # The group of the fault it failed by; a sweep fills it in, so that settling need not look for one.
    dead_letter = models.ForeignKey(
        "triggers.DeadLetterGroup",
        models.DO_NOTHING,
        related_name="+",
        null=True,
        db_constraint=False,
        db_index=False,
    )
    # {"api_calls": [used, max], …}
    usage = models.JSONField(default=dict)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="triggers_execution_recent"),
            models.Index(fields=["tenant", "trigger", "-id"], name="triggers_execution_trigger"),
            models.Index(
                fields=["tenant", "status", "-id"],
                name="triggers_execution_trouble",
                condition=~models.Q(status=ExecutionStatus.SUCCEEDED),
            ),
            # For lanes.claim(): what a dead worker left unfinished.
            models.Index(
                fields=["lane"],
                name="triggers_execution_open",
                condition=models.Q(status__in=[ExecutionStatus.QUEUED, ExecutionStatus.RUNNING]),
            ),
            models.Index(
                fields=["replay_of"],
                name="triggers_execution_replays",
                condition=models.Q(replay_of__isnull=False),
            ),
            models.Index(
                fields=["parent"], name="triggers_execution_halves", condition=models.Q(parent__isnull=False)
            ),
            # For the console's list, which spans tenants. Trouble is rare, so the newest of it is found by
            # walking this small index, whatever of its columns is asked for: one index serves many filters.
            models.Index(
                models.F("id").desc(),
                "status",
                "error_code",
                "limit_name",
                "mode",
                name="triggers_execution_watch",
                condition=~models.Q(status=ExecutionStatus.SUCCEEDED)
                | models.Q(with_errors=True)
                | ~models.Q(mode=Mode.LIVE),
            ),
            models.Index(fields=["trigger", "-id"], name="triggers_execution_named"),
            models.Index(fields=["release", "-id"], name="triggers_execution_release"),
            # For logs.search: the end of an id, and the words of an error.
            models.Index(search.tail_of(), name="triggers_execution_tail"),
            GinIndex(search.ErrorText(), name="triggers_execution_error", condition=~models.Q(error_code="")),
            # For dead_letters.sweep(): failures of no group yet, few and briefly. And for a group's page.
            models.Index(
                fields=["id"],
                name="triggers_execution_ungrouped",
                condition=models.Q(
                    status__in=[ExecutionStatus.FAILED, ExecutionStatus.PARTIAL],
                    mode=Mode.LIVE,
                    dead_letter__isnull=True,
                ),
            ),
            models.Index(
                fields=["dead_letter", "-id"],
                name="triggers_execution_of_group",
                condition=models.Q(dead_letter__isnull=False),
            ),
            GinIndex(fields=["record_ids"], name="triggers_execution_records"),
            GinIndex(fields=["terms"], name="triggers_execution_terms"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger} {self.code}"
