"""The Celery app: it carries bells and the beat's static schedule, nothing true."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")

app = Celery("circuitos")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
