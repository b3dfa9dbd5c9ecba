"""Rows behind a tenant's portal: who was invited, what it looks like, and how a tenant came to be."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from tenants.choices import CreationStatus, Role


class Invitation(models.Model):
    """A person asked into a tenant. Only the hash of the link's token is stored; each link works once."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=150)  # in small letters; becomes the person's name
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the token, hex
    invited_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # When the mail server last took it, and why it last did not.
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                condition=Q(accepted_at=None, withdrawn_at=None),
                name="tenants_invitation_one_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.tenant_id}"


class Branding(models.Model):
    """How a tenant's portal and mails look, and which sites may show the portal in a frame."""

    tenant = models.OneToOneField("tenants.Tenant", models.CASCADE, related_name="branding")
    accent = models.CharField(max_length=6, blank=True)  # hex; each scheme derives its own shade
    sender_name = models.CharField(max_length=80, blank=True)
    reply_to = models.EmailField(max_length=150, blank=True)
    # Operators set it, once the domain's mail records name our server.
    sender_address = models.EmailField(max_length=150, blank=True)
    frame_ancestors: models.JSONField[list[str]] = models.JSONField(default=list, blank=True)
    logo_digest = models.CharField(max_length=16, blank=True)  # "" = no logo; a part of its address

    def __str__(self) -> str:
        return f"the look of {self.tenant_id}"


class Logo(models.Model):
    """A tenant's logo. Apart from ``Branding``, which every request of the portal reads."""

    tenant = models.OneToOneField("tenants.Tenant", models.CASCADE, related_name="+")
    data = models.BinaryField()
    media_type = models.CharField(max_length=20)

    def __str__(self) -> str:
        return f"the logo of {self.tenant_id}"


class TenantCreation(models.Model):
    """An operator's wish for a tenant, and how far it came. A worker makes it whole or not at all."""

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    plan: models.JSONField[dict[str, Any]] = models.JSONField(default=dict)  # as tenants.setup reads it
    owner = models.EmailField(max_length=150, blank=True)
    status = models.CharField(max_length=10, choices=CreationStatus, default=CreationStatus.WAITING)
    problem_code = models.CharField(max_length=60, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, null=True, blank=True, related_name="+")
    invitation = models.ForeignKey(Invitation, models.SET_NULL, null=True, blank=True, related_name="+")
    # The owner's link, sealed, until an operator has copied it.
    sealed_token = models.BinaryField(null=True, editable=False)

    class Meta:
        indexes = [
            # For the worker's round: those that wait, and those whose worker died.
            models.Index(
                fields=["requested_at"],
                name="tenants_creation_unmade",
                condition=Q(status__in=[CreationStatus.WAITING, CreationStatus.MAKING]),
            ),
        ]

    def __str__(self) -> str:
        return self.slug
