"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"
    verbose_name = "Triggers"

    def ready(self) -> None:
        from tenants import portal
        from triggers.portal import figures, quota_figures

        portal.register("quota", quota_figures)
        portal.register("triggers", figures)
