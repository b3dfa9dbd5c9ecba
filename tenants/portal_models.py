"""Rows behind a tenant's portal: who was invited, and what it looks like."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.choices import Role


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
