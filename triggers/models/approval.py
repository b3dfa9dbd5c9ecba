"""Approvals: what an agent wants to do, and waits for a person to allow."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager


class ApprovalStatus(models.TextChoices):
    """Only what waits can be decided; the others never change again."""

    WAITING = "waiting", "Waiting"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"  # nobody decided in time: it is not done


class Approval(models.Model):
    """One thing an agent would do, as it would do it. Whoever decides may change its words first."""

    id = models.BigAutoField(primary_key=True)
    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", db_index=False)
    # Asked twice with the same key, it waits once.
    key = models.CharField(max_length=120)
    agent = models.CharField(max_length=60)
    subject = models.CharField(max_length=200)  # "Answer to a review of two stars"
    reason = models.CharField(max_length=300)  # why a person is asked
    sealed = models.BinaryField()  # the words, sealed by tenants.secrets
    for_owner = models.BooleanField(default=False)  # no other member may decide
    record_id = models.CharField(max_length=200, default="")
    execution = models.UUIDField(null=True)
    status = models.CharField(max_length=10, choices=ApprovalStatus, default=ApprovalStatus.WAITING)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=150, default="")
    note = models.CharField(max_length=300, default="")

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="triggers_approval_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="triggers_approval_recent"),
            models.Index(
                fields=["expires_at"], name="triggers_approval_open", condition=models.Q(status="waiting")
            ),
        ]

    def __str__(self) -> str:
        return self.subject
