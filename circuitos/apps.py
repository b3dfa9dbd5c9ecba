"""The Django app of the project itself: it loads Celery and the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class CircuitOSConfig(AppConfig):
    name = "circuitos"
    label = "circuitos"
    verbose_name = "CircuitOS"

    def ready(self) -> None:
        from circuitos import celery, checks  # noqa: F401 - registers the checks

        celery.app.set_default()
