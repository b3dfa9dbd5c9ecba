"""Trigger configuration: what an operator switched for a tenant."""

from __future__ import annotations

from django.db import models

from tenants.models import Tenant


class TriggerConfig(models.Model):
    """Whether a trigger runs, for one tenant or (tenant None) for all."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+", null=True, blank=True)
    trigger = models.CharField(max_length=120)
    is_enabled = models.BooleanField(default=True)
    order = models.SmallIntegerField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=200, blank=True)
    paused_by = models.CharField(max_length=150, db_default="", blank=True)
    paused_at = models.DateTimeField(null=True, blank=True)
    settings = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "trigger"], name="triggers_config_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.trigger
