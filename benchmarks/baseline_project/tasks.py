"""The task that each webhook queues."""

from __future__ import annotations

from celery import Celery

app = Celery("baseline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.set_default()


@app.task
def process_webhook(event_id: int) -> None:
    """Nobody runs it here: the benchmark is about taking webhooks in."""
