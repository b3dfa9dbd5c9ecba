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
    STANDARD = "standard", "Standard Webhooks"


class Role(TextChoices):
    """What a member may do in the tenant's portal."""

    OWNER = "owner", "Owner"
    MEMBER = "member", "Member"


class CreationStatus(TextChoices):
    """How far the creation of a tenant came."""

    WAITING = "waiting", "Waiting for a worker"
    MAKING = "making", "Making the schema"  # a worker has it; nothing is seen of it before it is whole
    INVITING = "inviting", "Inviting the owner"  # it stands; the mail is on its way
    DONE = "done", "Done"
    FAILED = "failed", "Failed"  # nothing was left behind; it can be tried again
