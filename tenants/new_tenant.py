"""A new tenant as an operator opens it: schema, what another tenant lends, and an invitation to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from tenants import invitations
from tenants.choices import Role
from tenants.lending import lend
from tenants.provision import create_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Invitation, Tenant, Tier


@dataclass(frozen=True)
class Opened:
    """The tenant; with an owner, the invitation and its token, which is shown this once."""

    tenant: Tenant
    invitation: Invitation | None
    token: str


def open_tenant(
    *,
    slug: str,
    name: str,
    tier: Tier,
    timezone: str,
    settings: Mapping[str, Any],
    host: str | None = None,
    owner: str = "",
    template: Tenant | None = None,
    actor: str,
    at: datetime,
) -> Opened:
    """Create all of it, or nothing. Settings given win over those of the template.

    People, connections and secrets are never copied. Raises ``BadTenant``, ``TenantExists`` or
    ``BadInvitation``.
    """
    lent = template.settings if template else {}
    with transaction.atomic():
        tenant = create_tenant(
            slug=slug, name=name, tier=tier, timezone=timezone, settings={**lent, **settings}, host=host
        )
        if template:
            lend(template, tenant, actor=actor, at=at)
        invitation, token = None, ""
        if owner:
            invitation, token = invitations.invite(
                tenant=tenant, email=owner, role=Role.OWNER, actor=actor, at=at
            )
    return Opened(tenant, invitation, token)
