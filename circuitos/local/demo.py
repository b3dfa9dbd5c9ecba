"""The demo: two tenants with their connections, people and tokens, told in ``demo.json``."""

from __future__ import annotations

import base64
import json
import secrets as random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.contrib.auth import get_user_model
from django.db import transaction

from circuitos.env import env
from circuitos.local import home as homes
from tenants.choices import CRM, Role
from tenants.connections import connect, new_secret
from tenants.models import ApiKey, Connection, Membership, Tenant
from tenants.provision import create_tenant
from tenants.tokens import issue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TOKEN_NAME = "demo"  # noqa: S105 - the name of a token, not one
# Custom fields come as ids; a tenant gives them the names that scripts read.
FIELD_MAP = {
    "Kx3dTq8Vb1nRw5Zy7Lm2": "site_visits",
    "Pf6hJc9Sg4eUa0Xo8Bt1": "email_opens",
    "Wm2kQv7Dn5rIy3Ez6Cs9": "email_clicks",
    "Hb8tLx1Gp4oNf7Ru0Ja5": "appointment",
    "Zc5wEk9Yd2vMs6Qi3Tg8": "pages_viewed",
    "Vn4sBr7Ol0fPj1Xh9Ku6": "minutes_on_site",
    "Tg1yUa6Me3zCw8Rd5Fb2": "actions_7d",
    "Jq7pIo2Xk9lNv4Hs1Ey6": "reads_reviews",
    "Sd0gWb5Zr8tAc3Mf6Lx7": "industry",
    "Ye9uKh3Vq6jPn2Oi7Gt4": "called",
    "Rm5xCz1Tf8wBs4Dl0Va9": "proactive_contact",
    "Ou2eGy7Jk3rHq6Nx5Pi1": "last_activity_at",
    "Lb6nSv9Wd0aEm4Zt8Cf3": "values_match",
    "Xi8oRu5Qg2yKj7Ph1Ts4": "reviews_read",
    "Bd3wFz6Ia9tUm1Vc5Qe8": "branded_search",
    "Nh7kLp2Sx4yGo0Rj9Wb3": "download",
    "Cu5vTi8Ez1qMd6Ka4Hn0": "form_submitted",
    "Fa9xYo3Jg7sBl2Pw6Ur1": "social_engagement",
    "Gw1zQc4Nk8hXe5Tv0Sm7": "reply_minutes",
    "Iy6bRd0Vp3lOj9Fu2Za4": "company_size",
    "Eq2mHs7Cw5gKn8Xy1Li6": "growth_stage",
    "Ak4tUf9Db1vJr3Oz7Pe5": "employment_years",
    "Mo8yGi5Sq2aWh6Lc0Xn3": "content_pattern",
    "Ps0dEv1Kt6uZb4Yj8Rf9": "actions_30d",
}


@dataclass(frozen=True)
class Persona:
    """One demo tenant."""

    slug: str
    name: str
    tier: str
    timezone: str
    location_id: str
    portal_id: int
    settings: dict[str, Any]


PERSONAS = (
    Persona(
        slug="demo",
        name="Lakeside Dental",
        tier="free",
        timezone="America/Chicago",
        location_id="dEm0LakesideDental01",
        portal_id=7100001,
        settings={
            "latitude": 33.0774,
            "longitude": -96.8056,
            "industry": "dental",
            "lpr": {
                "ideal_industries": ["education", "healthcare"],
                "season": {"peak": [1, 8, 12], "high": [3, 5, 9, 11]},
            },
            "field_map": FIELD_MAP,
        },
    ),
    Persona(
        slug="globex",
        name="Globex Fitness",
        tier="paid",
        timezone="America/New_York",
        location_id="gL0bexFitnessClub001",
        portal_id=7200002,
        settings={
            "latitude": 40.7506,
            "longitude": -73.9972,
            "industry": "fitness",
            "field_map": FIELD_MAP,
        },
    ),
)


def create() -> dict[str, Any]:
    """Make what is missing, give everything fresh passwords and keys, and write ``demo.json``.

    Run again after a half-finished run, or when the file was lost: tenants and their events stay.
    """
    settings = env()
    base_url = f"http://127.0.0.1:{settings.port}"
    with transaction.atomic():
        password = random.token_urlsafe(12)
        operator = _person("operator", "operator@circuitos.test", password)
        operator.is_staff = operator.is_superuser = True
        operator.save(update_fields=["is_staff", "is_superuser"])
        document = {
            "base_url": base_url,
            "admin": {"url": f"{base_url}/admin/", "username": "operator", "password": password},
            "api_token": _token(None, operator),
            "tenants": [_tenant(persona, base_url, settings.port) for persona in PERSONAS],
        }
    homes.write_private(settings.home / "demo.json", json.dumps(document, indent=2) + "\n")
    return document


def _tenant(persona: Persona, base_url: str, port: int) -> dict[str, Any]:
    tenant = Tenant.objects.filter(slug=persona.slug).first() or create_tenant(
        slug=persona.slug,
        name=persona.name,
        tier=persona.tier,
        timezone=persona.timezone,
        settings=persona.settings,
        host=f"{persona.slug}.localhost",
    )
    # Where the demo's scripts call out to; up allows exactly this address.
    tenant.settings["demo_url"] = base_url
    tenant.save(update_fields=["settings"])
    password = random.token_urlsafe(12)
    owner = _person(f"owner@{persona.slug}.test", f"owner@{persona.slug}.test", password)
    Membership.objects.update_or_create(tenant=tenant, user=owner, defaults={"role": Role.OWNER})
    host = f"{persona.slug}.localhost"
    return {
        "slug": persona.slug,
        "tier": persona.tier,
        "host": host,
        "portal": {"url": f"http://{host}:{port}/", "username": owner.username, "password": password},
        "api_token": _token(tenant, owner),
        "hooks": {
            "gohighlevel": _gohighlevel(tenant, persona, base_url),
            "hubspot": _hubspot(tenant, persona, base_url),
            "standard": _standard(tenant, base_url),
        },
    }


def _gohighlevel(tenant: Tenant, persona: Persona, base_url: str) -> dict[str, Any]:
    # A throw-away key: a real connection pins the one HighLevel publishes.
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    connection = _connection(
        tenant, CRM.GOHIGHLEVEL, persona.location_id, public_key=base64.b64encode(public).decode()
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    url = f"{base_url}/hooks/{connection.key}/"
    return {"url": url, "signing": "ed25519", "private_key": pem, "location_id": persona.location_id}


def _hubspot(tenant: Tenant, persona: Persona, base_url: str) -> dict[str, Any]:
    secret = new_secret(CRM.HUBSPOT)
    connection = _connection(tenant, CRM.HUBSPOT, str(persona.portal_id), secret=secret)
    url = f"{base_url}/hooks/{connection.key}/"
    return {"url": url, "signing": "hubspot-v3", "secret": secret, "portal_id": persona.portal_id}


def _standard(tenant: Tenant, base_url: str) -> dict[str, Any]:
    secret = new_secret(CRM.STANDARD)
    connection = _connection(tenant, CRM.STANDARD, "", secret=secret)
    return {"url": f"{base_url}/hooks/{connection.key}/", "signing": "standard-webhooks", "secret": secret}


def _connection(
    tenant: Tenant, crm: CRM, account_id: str, *, secret: str = "", public_key: str = ""
) -> Connection:
    # The secrets of an earlier demo are lost with its file; its address and events stay.
    earlier = Connection.objects.filter(tenant=tenant, crm=crm, name=TOKEN_NAME).first()
    fresh = connect(
        tenant=tenant,
        crm=crm,
        account_id=account_id,
        secrets=[secret] if secret else [],
        public_keys=[public_key] if public_key else [],
        name=TOKEN_NAME,
        is_proven=True,
    )
    if earlier is not None:
        earlier.is_active = False
        earlier.name = f"{TOKEN_NAME}, replaced"
        earlier.save(update_fields=["is_active", "name"])
    return fresh


def _person(username: str, email: str, password: str) -> User:
    person, _ = get_user_model().objects.get_or_create(username=username, defaults={"email": email})
    person.set_password(password)
    person.is_active = True
    person.save(update_fields=["password", "is_active"])
    return person


def _token(tenant: Tenant | None, person: User) -> str:
    ApiKey.objects.filter(tenant=tenant, user=person, name=TOKEN_NAME).delete()
    return issue(tenant=tenant, user=person, name=TOKEN_NAME)[1]
