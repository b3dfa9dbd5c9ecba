"""The baseline's settings, meant to be fast: no middleware at all, database connections that persist."""

from __future__ import annotations

import os

from circuitos.env import celery_broker, database

SECRET_KEY = "benchmark"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.baseline_project.urls"
USE_TZ = True
INSTALLED_APPS = ["rest_framework", "benchmarks.baseline_project"]
MIDDLEWARE: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        **database(os.environ["DATABASE_URL"]),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": None,
    }
}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
CELERY_BROKER_URL = celery_broker(os.environ["REDIS_URL"])
CELERY_TASK_IGNORE_RESULT = True
WEBHOOK_PUBLIC_KEY = os.environ["WEBHOOK_PUBLIC_KEY"]
