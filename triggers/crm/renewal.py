"""Renewing OAuth tokens: one worker does it, the others use what it got.

The connection's row is locked while the provider is asked, so a refresh token that works once is used once.
It is kept before anybody uses the new token. If we die between the provider's answer and our commit, the old
pair stands: the provider refuses it, and the connection says that it needs reconnecting.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction

from circuitos.env import env
from governor import egress
from tenants import credentials
from tenants.choices import CRM
from tenants.connections import needs_reconnecting
from tenants.errors import CodedError
from tenants.models import Connection

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.credentials import Credentials

SECONDS = 10.0
REVOKED = "The CRM no longer accepts our access; somebody took it back, or it ended."


class NotRenewed(CodedError):
    """The provider did not give a new token just now; the old one may still do."""

    code = "triggers.not-renewed"
    status = 503


class Revoked(CodedError):
    """The access was taken back: the connection has to be made again."""

    code = "triggers.access-revoked"
    status = 409


@dataclass(frozen=True)
class Provider:
    """Where a CRM gives tokens, and who we are there."""

    path: str
    client_id: str
    client_secret: str


def provider(crm: str) -> Provider | None:
    """The OAuth provider of a CRM; None when it has none, or our app is not set up."""
    known = {
        CRM.GOHIGHLEVEL.value: Provider(
            "/oauth/token", env().gohighlevel_client_id, env().gohighlevel_client_secret
        ),
        CRM.HUBSPOT.value: Provider("/oauth/v1/token", env().hubspot_client_id, env().hubspot_client_secret),
    }
    found = known.get(crm)
    return found if found is not None and found.client_id and found.client_secret else None


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
    of = provider(connection.crm)
    if known.refresh_token is None and connection.company_id:
        return _of_agency(connection, known, at=at)
    if known.refresh_token is None or of is None:
        raise Revoked("The CRM refused the token, and nothing renews it.")
    said = {
        "grant_type": "refresh_token",
        "client_id": of.client_id,
        "client_secret": of.client_secret,
        "refresh_token": known.refresh_token,
    }
    try:
        answer = egress.send(
            "POST",
            base_url(connection.crm) + of.path,
            headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
            body=urlencode(said).encode(),
            timeout=SECONDS,
        )
    except (egress.CalloutFailed, egress.EgressRefused) as error:
        raise NotRenewed(f"The CRM gave no new token: {error}") from None
    document = _document(answer.body)
    if answer.status in {400, 401, 403}:
        raise Revoked(REVOKED)
    token = document.get("access_token")
    if answer.status != 200 or not isinstance(token, str) or not token:
        raise NotRenewed(f"The CRM gave no new token; it answered {answer.status}.")
    return received(document, at=at, before=known)


def _of_agency(connection: Connection, known: Credentials, *, at: datetime) -> Credentials:
    """A location's token of an agency has no refresh token: the agency's gives another."""
    from triggers import agencies, oauth_providers  # they install, and an install reads the CRM with us

    try:
        granted = agencies.token_for(connection, at=at)
    except agencies.NotChosen:
        raise Revoked(REVOKED) from None
    except oauth_providers.InstallFailed as error:
        raise NotRenewed(f"The CRM gave no new token: {error}") from None
    return credentials.Credentials(
        granted.token, granted.refresh_token, granted.expires_at, granted.scopes or known.scopes
    )


def received(document: dict[str, Any], *, at: datetime, before: Credentials | None = None) -> Credentials:
    """The credentials in a token endpoint's answer; what it leaves out stays as it was."""
    seconds = document.get("expires_in")
    scopes = document.get("scope")
    given = document.get("refresh_token")
    kept = before.refresh_token if before else None
    return credentials.Credentials(
        token=document["access_token"],
        refresh_token=given if isinstance(given, str) else kept,
        expires_at=at + timedelta(seconds=seconds) if isinstance(seconds, int | float) else None,
        scopes=tuple(scopes.split()) if isinstance(scopes, str) else before.scopes if before else (),
    )


def base_url(crm: str) -> str:
    """Where the CRM's API is."""
    return str(getattr(settings, {"gohighlevel": "GOHIGHLEVEL_API_URL", "hubspot": "HUBSPOT_API_URL"}[crm]))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
