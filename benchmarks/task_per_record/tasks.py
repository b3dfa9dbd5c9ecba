"""The task of each record, and the Celery app that carries it."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.task_per_record.settings")

app = Celery("task_per_record")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()


@app.task
def score_lead(lead_id: int) -> None:
    """Update one row."""
    from django.utils import timezone

    from benchmarks.task_per_record.models import Lead

    Lead.objects.filter(pk=lead_id).update(score=7, scored_at=timezone.now())
