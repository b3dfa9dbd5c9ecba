"""Agencies: their locations, and which of them become tenants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction

from tenants.errors import CodedError
from tenants.models import Connection, Tenant, Tier
from tenants.new_tenant import open_tenant
from tenants.secrets import unseal
from triggers import oauth_install, oauth_providers
from triggers.models import Agency

if TYPE_CHECKING:
    from triggers.oauth_providers import Granted, Location

AHEAD = timedelta(minutes=5)  # a token that ends so soon is renewed first
MOST_AT_ONCE = 20


class NotChosen(CodedError):
    """What was ticked cannot be done as it stands."""

    code = "triggers.not-chosen"


@dataclass(frozen=True, slots=True)
class Choice:
    """A location that was ticked: a tenant that is there, or the slug of a new one."""

    location: Location
    slug: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A location as it is offered."""

    location: Location
    connection: Connection | None  # it is connected already


def offered(agency: Agency, *, at: datetime) -> list[Row]:
    """The agency's locations with what is connected of them. Raises ``InstallFailed``."""
    found = oauth_providers.locations(token(agency, at=at), agency.company_id)
    linked = {
        each.account_id: each
        for each in Connection.objects.select_related("tenant").filter(
            crm=agency.crm, account_id__in=[location.id for location in found], is_proven=True
        )
    }
    return [Row(location, linked.get(location.id)) for location in found]


def take_in(
    agency: Agency, choice: Choice, *, tier: str, actor: str, at: datetime
) -> tuple[Tenant, Connection]:
    """Connect one location to its tenant, which is made if it is to be new: both or neither.

    Raises ``InstallFailed``, ``LinkedElsewhere``, ``NotChosen``, ``BadTenant`` or ``TenantExists``.
    """
    granted = oauth_providers.location_token(
        token(agency, at=at), agency.company_id, choice.location.id, at=at
    )
    with transaction.atomic():
        tenant = _tenant(choice, tier=tier, actor=actor, at=at)
        connection = oauth_install.accept(
            tenant=tenant,
            crm=agency.crm,
            granted=granted,
            name=choice.location.name,
            actor=actor,
            at=at,
        )
    return tenant, connection


def token_for(connection: Connection, *, at: datetime) -> Granted:
    """A new token for a location of an agency. Raises ``NotChosen`` or ``InstallFailed``."""
    agency = Agency.objects.filter(crm=connection.crm, company_id=connection.company_id).first()
    if agency is None or not connection.company_id:
        raise NotChosen("No agency installed the app for this connection.")
    return oauth_providers.location_token(
        token(agency, at=at), agency.company_id, connection.account_id, at=at
    )


def token(agency: Agency, *, at: datetime) -> str:
    """The agency's token, renewed when it is about to end. Raises ``InstallFailed``."""
    with transaction.atomic():
        # Of all who find it old, one renews: a refresh token works once.
        locked = Agency.objects.select_for_update().get(pk=agency.pk)
        said = _opened(locked)
        ends = datetime.fromisoformat(said["expires_at"]) if said.get("expires_at") else None
        if ends is None or ends > at + AHEAD:
            return str(said["token"])
        if not said.get("refresh_token"):
            raise oauth_providers.InstallFailed("The agency's access has ended. Install the app again.")
        granted = oauth_providers.renew(agency.crm, said["refresh_token"], at=at)
        kept = oauth_providers.Granted(
            granted.token,
            granted.refresh_token or said["refresh_token"],
            granted.expires_at,
            granted.scopes,
            company_id=agency.company_id,
        )
        locked.sealed_credentials = oauth_install.sealed(agency.crm, kept)
        locked.save(update_fields=["sealed_credentials"])
    return granted.token


def _opened(agency: Agency) -> dict[str, Any]:
    sealed = unseal(agency.sealed_credentials, context=f"agency:0:{agency.crm}:{agency.company_id}")
    said: dict[str, Any] = json.loads(sealed)
    return said


def _tenant(choice: Choice, *, tier: str, actor: str, at: datetime) -> Tenant:
    if not choice.is_new:
        found: Tenant | None = Tenant.objects.filter(slug=choice.slug).first()
        if found is None:
            raise NotChosen(f"There is no tenant {choice.slug!r}.")
        return found
    plan = Tier.objects.filter(slug=tier).first()
    if plan is None:
        raise NotChosen("Choose the tier of the new tenants.")
    return open_tenant(
        slug=choice.slug,
        name=choice.location.name or choice.slug,
        tier=plan,
        timezone="UTC",
        settings={},
        actor=actor,
        at=at,
    ).tenant
