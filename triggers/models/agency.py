"""An agency that installed the app for all its locations: an operator says which become tenants."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.choices import CRM
from tenants.models import Tenant


class Agency(models.Model):
    """A company of a CRM with its token, from which each location's own is had."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    crm = models.CharField(max_length=20, choices=CRM)
    company_id = models.CharField(max_length=120)
    # Sealed by tenants.secrets: token, refresh token, until when.
    sealed_credentials = models.BinaryField()
    installed_at = models.DateTimeField()
    installed_by = models.CharField(max_length=150)
    # In whose portal it was begun; None = by an operator.
    tenant = models.ForeignKey(Tenant, models.SET_NULL, related_name="+", null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["crm", "company_id"], name="triggers_agency_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_crm_display()} agency {self.company_id}"
