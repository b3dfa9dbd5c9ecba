"""How each CRM installs an app: where one is sent, and what comes back for the code."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings

from circuitos.env import env
from governor import egress
from tenants.choices import CRM
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = {"version": "2021-07-28"}  # HighLevel wants to be told
SECONDS = 15.0
PAGE, MOST_LOCATIONS = 100, 1_000
# The least that receiving, mirroring, scoring and writing back need.
SCOPES = {
    CRM.GOHIGHLEVEL: (
        *("contacts.readonly", "contacts.write", "opportunities.readonly", "opportunities.write"),
        *("calendars.readonly", "calendars/events.readonly"),
        *("locations/customFields.readonly", "locations/customFields.write"),
        # To list the locations of an agency, and to have the token of each.
        *("oauth.readonly", "oauth.write"),
    ),
    CRM.HUBSPOT: (
        "oauth",
        *("crm.objects.contacts.read", "crm.objects.contacts.write"),
        *("crm.objects.deals.read", "crm.objects.deals.write"),
        *("crm.schemas.contacts.read", "crm.schemas.contacts.write", "crm.schemas.deals.read"),
    ),
}


class NotSetUp(CodedError):
    """This installation has no app of the CRM."""

    code = "triggers.app-not-set-up"
    status = 409


class InstallFailed(CodedError):
    """The CRM did not give what an install gives."""

    code = "triggers.install-failed"
    status = 502


class Refused(InstallFailed):
    """The CRM says no: what was shown to it is used up, taken back, or another app's."""

    code = "triggers.install-refused"


@dataclass(frozen=True, slots=True)
class Granted:
    """What the CRM gave for a code: tokens, and whose they are."""

    token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None
    scopes: tuple[str, ...]
    account_id: str = ""  # a location or portal
    company_id: str = ""
    is_company: bool = False  # the token is a whole agency's


@dataclass(frozen=True, slots=True)
class Location:
    """A location in which the app is installed."""

    id: str
    name: str
    address: str = ""


def app(crm: str) -> tuple[str, str]:
    """The app's client id and secret. Raises ``NotSetUp``."""
    known = {
        CRM.GOHIGHLEVEL.value: (env().gohighlevel_client_id, env().gohighlevel_client_secret),
        CRM.HUBSPOT.value: (env().hubspot_client_id, env().hubspot_client_secret),
    }
    client_id, secret = known.get(crm, ("", ""))
    if not client_id or not secret:
        raise NotSetUp(
            f"No app is set up here: set {crm.upper()}_CLIENT_ID and {crm.upper()}_CLIENT_SECRET,"
            " and start again."
        )
    return client_id, secret


def is_set_up(crm: str) -> bool:
    """Whether an app of this CRM can be installed from here."""
    try:
        return bool(app(crm))
    except NotSetUp:
        return False


def authorise_url(crm: str, *, redirect_uri: str, state: str) -> str:
    """Where a person says yes. Raises ``NotSetUp``."""
    client_id, _ = app(crm)
    base = settings.GOHIGHLEVEL_AUTHORIZE_URL if crm == CRM.GOHIGHLEVEL else settings.HUBSPOT_AUTHORIZE_URL
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(SCOPES[CRM(crm)]),
        "state": state,
    }
    return f"{base}?{urlencode(query)}"


def exchange(crm: str, code: str, *, redirect_uri: str, at: datetime) -> Granted:
    """The tokens for a code. Raises ``NotSetUp`` or ``InstallFailed``."""
    return _granted(
        crm, {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}, at=at
    )


def renew(crm: str, refresh_token: str, *, at: datetime) -> Granted:
    """New tokens for a refresh token, which is used up by it.

    Raises ``NotSetUp``, ``Refused`` when the access was taken back, or ``InstallFailed``.
    """
    return _tokens(crm, {"grant_type": "refresh_token", "refresh_token": refresh_token}, at=at)


def locations(token: str, company_id: str) -> list[Location]:
    """The locations in which an agency has the app. Raises ``InstallFailed``."""
    found: list[Location] = []
    while len(found) < MOST_LOCATIONS:
        query = {"companyId": company_id, "isInstalled": "true", "limit": PAGE, "skip": len(found)}
        if env().gohighlevel_app_id:
            query["appId"] = env().gohighlevel_app_id
        said = _ask(
            "GET", f"{settings.GOHIGHLEVEL_API_URL}/oauth/installedLocations", token=token, query=query
        )
        page = said.get("locations")
        rows = [row for row in page if type(row) is dict] if type(page) is list else []
        found += [
            Location(_text(row, "_id"), _text(row, "name")[:120], _text(row, "address")[:200])
            for row in rows
            if _text(row, "_id")
        ]
        if len(rows) < PAGE:
            break
    return found[:MOST_LOCATIONS]


def location_token(token: str, company_id: str, location_id: str, *, at: datetime) -> Granted:
    """A location's own token, by its agency's. Raises ``InstallFailed``."""
    said = _ask(
        "POST",
        f"{settings.GOHIGHLEVEL_API_URL}/oauth/locationToken",
        token=token,
        form={"companyId": company_id, "locationId": location_id},
    )
    granted = _read(said, at=at)
    if _text(said, "locationId") not in {"", location_id}:
        raise InstallFailed("HighLevel gave the token of another location.")
    return Granted(
        granted.token, granted.refresh_token, granted.expires_at, granted.scopes, location_id, company_id
    )


def _granted(crm: str, form: dict[str, str], *, at: datetime) -> Granted:
    granted = _tokens(crm, form, at=at)
    if crm == CRM.HUBSPOT:
        about = _ask("GET", f"{settings.HUBSPOT_API_URL}/oauth/v1/access-tokens/{granted.token}")
        hub = about.get("hub_id")
        if type(hub) is not int:
            raise InstallFailed("HubSpot did not say whose the token is.")
        scopes = about.get("scopes")
        named = tuple(str(scope) for scope in scopes) if type(scopes) is list else ()
        return Granted(granted.token, granted.refresh_token, granted.expires_at, named, str(hub))
    return granted


def _tokens(crm: str, form: dict[str, str], *, at: datetime) -> Granted:
    client_id, secret = app(crm)
    form = {**form, "client_id": client_id, "client_secret": secret}
    if crm == CRM.HUBSPOT:
        return _read(_ask("POST", f"{settings.HUBSPOT_API_URL}/oauth/v1/token", form=form), at=at)
    return _read(_ask("POST", f"{settings.GOHIGHLEVEL_API_URL}/oauth/token", form=form), at=at)


def _read(said: Mapping[str, Any], *, at: datetime) -> Granted:
    token = _text(said, "access_token")
    if not token:
        raise InstallFailed("The CRM answered without a token.")
    seconds = said.get("expires_in")
    is_number = type(seconds) is int and 0 < seconds < 10**9
    location, company = _text(said, "locationId"), _text(said, "companyId")
    return Granted(
        token=token,
        refresh_token=_text(said, "refresh_token") or None,
        expires_at=at + timedelta(seconds=int(str(seconds))) if is_number else None,
        scopes=tuple(_text(said, "scope").split()),
        account_id=location,
        company_id=company,
        is_company=_text(said, "userType") == "Company" and not location,
    )


def _ask(
    method: str,
    url: str,
    *,
    token: str = "",
    form: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    headers = dict(VERSION) if url.startswith(settings.GOHIGHLEVEL_API_URL) else {}
    headers["accept"] = "application/json"
    if token:
        headers["authorization"] = f"Bearer {token}"
    if form:
        headers["content-type"] = "application/x-www-form-urlencoded"
    body = urlencode(form).encode() if form else None
    try:
        answer = egress.send(
            method, url, headers=headers, params=query, body=body, timeout=SECONDS, is_operators=True
        )
    except (egress.CalloutFailed, egress.EgressRefused):
        raise InstallFailed("The CRM cannot be reached just now. Try again in a minute.") from None
    if answer.status >= 500 or answer.status == 429:
        raise InstallFailed(f"The CRM answered {answer.status}. Try again in a minute.")
    if answer.status >= 400:
        raise Refused(
            f"The CRM refused ({answer.status}): the code was used before, is too old, or is of another app."
        )
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if type(said) is not dict:
        raise InstallFailed("The CRM answered something that is no JSON object.")
    return said


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if type(value) is str else ""
