"""One table of records."""

from __future__ import annotations

from django.db import models


class Lead(models.Model):
    """A record that a webhook brought."""

    payload = models.JSONField()
    score = models.IntegerField(null=True)
    scored_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "task_per_record"

    def __str__(self) -> str:
        return str(self.pk)
