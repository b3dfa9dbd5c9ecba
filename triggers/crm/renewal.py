"""Renewing OAuth tokens: one worker does it, the others use what it got.

The connection's row is locked while the provider is asked, so a refresh token that works once is used once.
It is kept before anybody uses the new token. If we die between the provider's answer and our commit, the old
pair stands: the provider refuses it, and the connection says that it needs reconnecting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from tenants import credentials
from tenants.connections import needs_reconnecting
from tenants.errors import CodedError
from tenants.models import Connection
from triggers import oauth_providers

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.credentials import Credentials

REVOKED = "The CRM no longer accepts our access; somebody took it back, or it ended."


class NotRenewed(CodedError):
    """The provider did not give a new token just now; the old one may still do."""

    code = "triggers.not-renewed"
    status = 503


class Revoked(CodedError):
    """The access was taken back: the connection has to be made again."""

    code = "triggers.access-revoked"
    status = 409


def is_renewable(connection: Connection, known: Credentials) -> bool:
    """Whether there is something to renew it by: a refresh token, or the agency it is a location of."""
    return known.refresh_token is not None or bool(connection.company_id)


def renew(connection: Connection, stale: Credentials, *, at: datetime) -> Credentials:
    """A fresh token in place of ``stale``, which another worker may have got already.

    Raises ``NotRenewed`` and ``Revoked``; the latter notes that the connection needs reconnecting.
    """
    try:
        with transaction.atomic():
            locked = (
                Connection.objects.select_for_update(of=("self",))
                .select_related("tenant")
                .get(pk=connection.pk)
            )
            known = credentials.load(locked)
            if known is None:
                raise Revoked("The connection has no access any more.")
            if known.token != stale.token:
                fresh = known
            else:
                fresh = _asked(locked, known, at=at)
                credentials.store(locked, fresh)
    except Revoked:
        needs_reconnecting(connection, REVOKED, at)
        raise
    connection.sealed_credentials = locked.sealed_credentials
    return fresh


def _asked(connection: Connection, known: Credentials, *, at: datetime) -> Credentials:
    from triggers import agencies  # it installs, and an install reads the CRM with us

    try:
        if known.refresh_token is not None:
            granted = oauth_providers.renew(connection.crm, known.refresh_token, at=at)
        else:
            # A location's token has no refresh token of its own: its agency's gives another.
            granted = agencies.token_for(connection, at=at)
    except (oauth_providers.NotSetUp, oauth_providers.Refused, agencies.NotChosen):
        raise Revoked(REVOKED) from None
    except oauth_providers.InstallFailed as error:
        raise NotRenewed(f"The CRM gave no new token. {error}") from None
    return credentials.Credentials(
        granted.token,
        granted.refresh_token or known.refresh_token,
        granted.expires_at,
        granted.scopes or known.scopes,
    )


def base_url(crm: str) -> str:
    """Where the CRM's API is."""
    return str(getattr(settings, {"gohighlevel": "GOHIGHLEVEL_API_URL", "hubspot": "HUBSPOT_API_URL"}[crm]))
