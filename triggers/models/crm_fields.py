"""The fields that a connection's CRM has, as it told us last."""

from __future__ import annotations

from typing import Any

from django.db import models

from tenants.models import Connection


class CrmFields(models.Model):
    """One row a connection: the definitions of its fields, and why they could not be read the last time."""

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="+")
    # As triggers.crm.definitions.Definition: object, id, key, label, type, options, is_custom.
    definitions: models.JSONField[list[dict[str, Any]]] = models.JSONField(default=list)
    read_at = models.DateTimeField(null=True)  # None: never yet
    problem = models.CharField(max_length=300, default="")

    def __str__(self) -> str:
        return f"fields of {self.connection_id}"
