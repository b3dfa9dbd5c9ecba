"""The baseline's settings, as fast as we know: connections kept, messages prefetched, no results."""

from __future__ import annotations

import os

from circuitos.env import celery_broker, database

SECRET_KEY = "benchmark"
USE_TZ = True
INSTALLED_APPS = ["benchmarks.task_per_record"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        **database(os.environ["DATABASE_URL"]),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
    }
}
CELERY_BROKER_URL = celery_broker(os.environ["REDIS_URL"])
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 128
# Celery closes Django's connection after every task otherwise: 200 records a second instead of 700.
CELERY_DB_REUSE_MAX = 1_000_000
