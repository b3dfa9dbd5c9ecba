"""Tenants: customer accounts, their plan, CRM connections, members and tokens. All in the public schema."""

from __future__ import annotations

import secrets as random
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

from tenants.choices import CRM, Role, TenantStatus
from tenants.portal_models import Branding, Invitation, Logo

__all__ = [
    "ApiKey",
    "AuditCheck",
    "AuditEvent",
    "Branding",
    "Connection",
    "Domain",
    "Invitation",
    "Logo",
    "Membership",
    "Secret",
    "Tenant",
    "Tier",
]


class Tier(models.Model):  # type: ignore[django-manager-missing]  # django-tenants ships no types
    """A plan. Tiers are rows, asked through ``governor``; no code compares their names."""

    slug = models.SlugField(primary_key=True, max_length=40)
    name = models.CharField(max_length=80)
    executions_per_day = models.PositiveIntegerField()
    api_calls_per_day = models.PositiveIntegerField()
    # Empty: 30 times the day's.
    executions_per_month = models.PositiveIntegerField(null=True, blank=True)
    api_calls_per_month = models.PositiveIntegerField(null=True, blank=True)
    ai_tokens_per_day = models.PositiveIntegerField(null=True, blank=True, help_text="Empty: not limited.")
    concurrent_executions = models.PositiveSmallIntegerField(
        default=4, help_text="Lanes of one tenant that may be served at the same time."
    )
    weight = models.PositiveSmallIntegerField(
        default=1, help_text="Turns between tenants: weight 2 is served twice as often as weight 1."
    )
    upgrade_to = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, help_text="Offered when a quota is used up."
    )

    def __str__(self) -> str:
        return self.name


class Tenant(TenantMixin):  # type: ignore[misc]  # django-tenants ships no types
    """A customer account with a schema of its own."""

    auto_create_schema = False  # tenants.provision creates it, with progress and clean-up
    auto_drop_schema = False

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    tier = models.ForeignKey(Tier, models.PROTECT, related_name="tenants")
    status = models.CharField(max_length=10, choices=TenantStatus, default=TenantStatus.ACTIVE)
    timezone = models.CharField(max_length=64, default="UTC")
    # Business facts and agent settings: latitude, longitude, industry, field_map, lpr, ….
    settings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name that leads to a tenant's portal."""

    def __str__(self) -> str:
        return str(self.domain)


class Membership(models.Model):
    """A person's role in a tenant."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="tenants_membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


def new_key() -> str:
    """An unguessable public key (192 bits) for a webhook address."""
    return random.token_urlsafe(24)


class Connection(models.Model):
    """A CRM account a tenant linked: the address its webhooks come to, and what proves them."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="connections")
    crm = models.CharField(max_length=20, choices=CRM)
    name = models.CharField(max_length=120, blank=True)
    key = models.CharField(max_length=64, unique=True, default=new_key, editable=False)
    # The CRM's own id of the account (locationId, portalId); "" = not bound to one.
    account_id = models.CharField(max_length=120, blank=True)
    # Known to be the tenant's: the app was installed in it, or an operator linked it. Only such a connection
    # gets what comes to the app's one address: anybody can write down another's account id.
    is_proven = models.BooleanField(default=False, db_default=False, editable=False)
    # The CRM's id of the agency that the account belongs to; "" = not known.
    company_id = models.CharField(max_length=120, blank=True, default="", editable=False)
    # When the app was last installed in the account.
    installed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Sealed by tenants.secrets: newest signing secret first, the others until their overlap ends.
    sealed_secrets = models.BinaryField(null=True, editable=False)
    # Sealed by tenants.secrets: what we call the CRM's API with; None = we only listen.
    sealed_credentials = models.BinaryField(null=True, editable=False)
    # Rules by which fields are put right that the CRM renamed or retyped: see triggers.mapping.
    mapping: models.JSONField[list[dict[str, Any]]] = models.JSONField(
        default=list, blank=True, db_default=models.Value([], models.JSONField()), editable=False
    )
    # Public keys (base64 SPKI) that replace the CRM's published ones; empty = the published ones.
    public_keys = models.JSONField(default=list, blank=True)
    # GoHighLevel alone: a workflow's Webhook action sends, proven by a shared secret, never by a signature.
    is_workflow = models.BooleanField("sent by a workflow", default=False, db_default=False)
    # Networks (CIDR) that deliveries may come from; empty = any.
    allowed_senders = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), blank=True
    )
    is_active = models.BooleanField(default=True)
    # The CRM no longer lets us in: since when, and why; None = connected.
    reconnect_since = models.DateTimeField(null=True, blank=True, editable=False)
    reconnect_reason = models.CharField(max_length=200, blank=True, default="", editable=False)
    # Its events wait; they go on together, and in order, some time after it was connected again.
    is_held = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_event_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes = [
            # POST /hooks/app/<crm>/ finds the connection by the account in the signed body.
            models.Index(fields=["crm", "account_id"], name="tenants_connection_account"),
            # The beat looks for what lost its access, or has it again: always a few rows.
            models.Index(fields=["id"], name="tenants_connection_held", condition=models.Q(is_held=True)),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.get_crm_display()} {self.account_id}"


class ApiKey(models.Model):
    """A token for the REST API. Only its hash is stored."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # None = an operator's token: it sees all tenants.
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys", null=True, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token, hex
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Secret(models.Model):
    """A named secret that the broker puts into a callout as ``{{secret:NAME}}``; scripts never see it."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="secrets", null=True, blank=True)
    name = models.CharField(max_length=80)
    sealed = models.BinaryField(editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], name="tenants_secret_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AuditEvent(models.Model):
    """Who did what, append-only; each row carries the hash of the one before it."""

    at = models.DateTimeField()
    tenant = models.ForeignKey(Tenant, models.SET_NULL, null=True, blank=True, db_constraint=False)
    actor = models.CharField(max_length=150)
    verb = models.CharField(max_length=80)
    target = models.CharField(max_length=200)
    data: models.JSONField[dict[str, Any]] = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"{self.actor} {self.verb} {self.target}"


class AuditCheck(models.Model):
    """How far the audit log's chain was looked at. One row; the next look goes on from there."""

    checked_at = models.DateTimeField()
    rows = models.PositiveBigIntegerField(default=0)  # looked at since the first
    # The last row that held: it must still be there, as it was, or the log was cut.
    last_id = models.PositiveBigIntegerField(null=True)
    digest = models.CharField(max_length=64, blank=True, default="")
    # When the end was reached, and the row that stood there.
    whole_at = models.DateTimeField(null=True)
    end_id = models.PositiveBigIntegerField(null=True)
    end_digest = models.CharField(max_length=64, blank=True, default="")
    broken_id = models.PositiveBigIntegerField(null=True)
    broken_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"audit log looked at until row {self.last_id}"
