"""The Django app of the tenant schemas."""

from __future__ import annotations

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "tenants.records"
    label = "records"
    verbose_name = "Records"
