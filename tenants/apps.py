"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        from tenants import (  # noqa: F401 - they listen to sign-ins
            door,
            lockout,
            reauthentication,
            staff_roles,
        )

        # After the last app: by then all permissions are there.
        post_migrate.connect(staff_roles.apply_roles, sender=apps.get_app_config("records"))
