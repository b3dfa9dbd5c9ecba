"""A new tenant as an operator opens it: schema, what another tenant lends, and an invitation to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from tenants import audit, invitations
from tenants.choices import Role
from tenants.provision import create_tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tenants.models import Invitation, Tenant, Tier

    Lend = Callable[[Tenant, Tenant], int]

_lenders: dict[str, Lend] = {}


@dataclass(frozen=True)
class Opened:
    """The tenant; with an owner, the invitation and its token, which is shown this once."""

    tenant: Tenant
    invitation: Invitation | None
    token: str
    copied: dict[str, int]


def register(name: str, lend: Lend) -> None:
    """Add what else is copied from a template, besides its settings. ``lend(source, target)`` counts rows."""
    if name in _lenders:
        raise ValueError(f"What a template lends as {name!r} is registered already.")
    _lenders[name] = lend


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
        copied = {what: lend(template, tenant) for what, lend in _lenders.items()} if template else {}
        invitation, token = None, ""
        if owner:
            invitation, token = invitations.invite(
                tenant=tenant, email=owner, role=Role.OWNER, actor=actor, at=at
            )
        if template:
            audit.record(
                actor=actor,
                verb="copied a template to",
                target=f"tenant {tenant.slug}",
                tenant=tenant,
                data={"from": template.slug, **copied},
                at=at,
            )
    return Opened(tenant, invitation, token, copied)
