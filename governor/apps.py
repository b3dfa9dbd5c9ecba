"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class GovernorConfig(AppConfig):
    name = "governor"
    verbose_name = "Governor"
