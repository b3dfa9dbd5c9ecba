"""Enumerations of tenants and connections."""

from __future__ import annotations

from django.db.models import TextChoices


class TenantStatus(TextChoices):
    """Whether a tenant's events run. Both other states still accept webhooks and park them."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"  # an operator holds it for a while
    CLOSED = "closed", "Closed"  # the customer left; the schema is kept until deletion


class CRM(TextChoices):
    """The CRMs a connection can speak."""

    GOHIGHLEVEL = "gohighlevel", "GoHighLevel"
    HUBSPOT = "hubspot", "HubSpot"
    SALESFORCE = "salesforce", "Salesforce"
    PIPEDRIVE = "pipedrive", "Pipedrive"
    ZOHO = "zoho", "Zoho CRM"
    STANDARD = "standard", "Standard Webhooks"


class Role(TextChoices):
    """What a member may do in the tenant's portal."""

    OWNER = "owner", "Owner"
    MEMBER = "member", "Member"
