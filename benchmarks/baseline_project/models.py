"""One table of webhooks."""

from __future__ import annotations

from django.db import models


class WebhookEvent(models.Model):
    """A webhook as it came."""

    webhook_id = models.CharField(max_length=100, unique=True)
    type = models.CharField(max_length=60)
    location_id = models.CharField(max_length=60, db_index=True)
    payload = models.JSONField()
    status = models.CharField(max_length=20, default="received")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "baseline_project"

    def __str__(self) -> str:
        return self.webhook_id
