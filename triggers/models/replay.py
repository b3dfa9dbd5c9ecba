"""Bulk replays: many executions replayed on one person's word, a few at a time."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager
from triggers.choices import ItemStatus, Mode, Records, ReplayStatus
from triggers.models.execution import Execution


class Replay(models.Model):
    """What was asked for, and how far it is. Its items are the snapshot of what was previewed."""

    id = models.BigAutoField(primary_key=True)
    code = models.UUIDField(default=uuid.uuid4, unique=True)
    # None: of several tenants. An operator's; no tenant sees it, each sees its own executions.
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", null=True, db_index=False)
    filter = models.JSONField(default=dict)  # as it was given
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.LIVE)
    release = models.CharField(max_length=60)
    records = models.CharField(max_length=10, choices=Records, default=Records.ALL)
    status = models.CharField(max_length=10, choices=ReplayStatus, default=ReplayStatus.QUEUED)
    actor = models.CharField(max_length=150)
    is_cut = models.BooleanField(default=False)  # more matched than one replay takes
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)  # None: it has to be fed, or watched to its end
    # Of its items, as the last feeding found them.
    total = models.IntegerField()
    waiting = models.IntegerField()
    running = models.IntegerField(default=0)
    succeeded = models.IntegerField(default=0)
    partial = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)

    objects = TenantManager()

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "-id"], name="triggers_replay_recent"),
            # For the feeders: those that have not ended.
            models.Index(
                fields=["id"], name="triggers_replay_open", condition=models.Q(finished_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"Replay {str(self.code)[-12:]}"

    @property
    def done(self) -> int:
        """Items that have ended, however."""
        return self.total - self.waiting - self.running


class ReplayItem(models.Model):
    """One execution to replay, and the execution that came of it."""

    id = models.BigAutoField(primary_key=True)
    replay = models.ForeignKey(Replay, models.CASCADE, related_name="items", db_index=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    original = models.ForeignKey(Execution, models.CASCADE, related_name="replay_items")
    made = models.OneToOneField(Execution, models.SET_NULL, related_name="replay_item", null=True)
    status = models.CharField(max_length=10, choices=ItemStatus, default=ItemStatus.WAITING)
    reason = models.CharField(max_length=200, default="")  # why it failed, or was not started

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["replay", "original"], name="triggers_replayitem_once"),
        ]
        indexes = [
            models.Index(fields=["replay", "-id"], name="triggers_replayitem_recent"),
            # For the feeders: what is to be started, and what has to be watched.
            models.Index(
                fields=["replay", "status", "id"],
                name="triggers_replayitem_open",
                condition=models.Q(status__in=[ItemStatus.WAITING, ItemStatus.RUNNING]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.replay_id}: {self.original_id}"
