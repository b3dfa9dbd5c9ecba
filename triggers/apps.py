"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TriggersConfig(AppConfig):
    name = "triggers"
    verbose_name = "Triggers"

    def ready(self) -> None:
        from tenants import lending
        from triggers.template_copy import copy_overrides, copy_switches

        lending.register("triggers", copy_switches)
        lending.register("limits", copy_overrides)
