"""Erasures: the receipt of each, which names nobody."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.models import Tenant
from tenants.scope import TenantManager


class Erasure(models.Model):
    """What a tenant held on one contact was erased: when, by whom, how much. Nothing personal stands here."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    # Keyed hashes (tenants.secrets.blind) of the contact's ids, addresses and numbers: who knows one can ask.
    digests = models.JSONField(default=list)
    counts: models.JSONField[dict[str, int]] = models.JSONField(default=dict)  # what went, by kind

    objects = TenantManager()

    class Meta:
        indexes = [models.Index(fields=["tenant", "-id"], name="triggers_erasure_recent")]

    def __str__(self) -> str:
        return str(self.code)
