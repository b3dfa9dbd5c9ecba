"""Lanes: the ordered queue of one tenant, object and shard, and the lease of the worker that serves it."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager
from triggers.choices import LaneKind


class Lane(models.Model):
    """One worker at a time serves a lane; its token fences off a worker whose lease ended."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    object = models.CharField(max_length=60)
    shard = models.SmallIntegerField(default=0)
    kind = models.CharField(max_length=10, choices=LaneKind, default=LaneKind.LIVE)
    lease_token = models.BigIntegerField(default=0)  # grows with each lease
    lease_until = models.DateTimeField(null=True)  # the database's clock
    leased_by = models.CharField(max_length=80, default="")
    last_served_at = models.DateTimeField(null=True)
    # Its place in the line of lanes: when it last had all the turns of its tenant's weight.
    turn_at = models.DateTimeField(null=True)
    turns = models.SmallIntegerField(db_default=0)  # had since then
    parked_reason = models.CharField(max_length=60, default="")
    parked_until = models.DateTimeField(null=True)

    objects = TenantManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "object", "shard", "kind"], name="triggers_lane_once"),
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.object} {self.shard} {self.kind}"
