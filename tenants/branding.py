"""How a tenant's portal and mails look, and which sites may show the portal in a frame."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from tenants import accents, audit
from tenants.errors import CodedError
from tenants.models import Branding, Logo, Tenant
from tenants.provision import check_timezone

if TYPE_CHECKING:
    from datetime import datetime

LARGEST_LOGO = 200_000  # bytes
MOST_ANCESTORS = 10
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# An origin, whole: no path, no wildcard, and nothing that could end the directive it is written into.
_ORIGIN = re.compile(rf"https://(?:{_LABEL}\.)+{_LABEL}(?::[1-9]\d{{0,4}})?")


class BadLogo(CodedError):
    """The file is no logo that can be shown."""

    code = "tenants.bad-logo"


class BadOrigin(CodedError):
    """This is no https origin."""

    code = "tenants.bad-origin"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What an owner decides."""

    name: str
    timezone: str
    accent: str = ""
    sender_name: str = ""
    reply_to: str = ""
    frame_ancestors: tuple[str, ...] = ()
    logo: bytes | None = None  # None = as it is
    forgets_logo: bool = False


def of(tenant: Tenant) -> Branding:
    """The tenant's look as it is now."""
    return Branding.objects.filter(tenant=tenant).first() or Branding(tenant=tenant)


def save(tenant: Tenant, look: Look, *, actor: str, at: datetime) -> Branding:
    """Store the look, or nothing. Raises ``BadAccent``, ``BadLogo``, ``BadOrigin`` or ``BadTenant``."""
    check_timezone(look.timezone)
    accent = accents.read(look.accent) if look.accent else ""
    origins = list(dict.fromkeys(read_origin(origin) for origin in look.frame_ancestors))
    if len(origins) > MOST_ANCESTORS:
        raise BadOrigin(f"At most {MOST_ANCESTORS} sites.")
    media_type = read_logo(look.logo) if look.logo is not None else ""
    with transaction.atomic():
        # A lock of its own on the tenant: two owners who save at once follow each other.
        Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)
        Tenant.objects.filter(pk=tenant.pk).update(name=look.name, timezone=look.timezone)
        row, _ = Branding.objects.get_or_create(tenant=tenant)
        row.accent, row.frame_ancestors = accent, origins
        row.sender_name, row.reply_to = look.sender_name, look.reply_to
        if look.logo is not None:
            values = {"data": look.logo, "media_type": media_type}
            Logo.objects.update_or_create(tenant=tenant, defaults=values)
            row.logo_digest = hashlib.sha256(look.logo).hexdigest()[:16]
        elif look.forgets_logo:
            Logo.objects.filter(tenant=tenant).delete()
            row.logo_digest = ""
        row.save()
        data = {
            "name": look.name,
            "timezone": look.timezone,
            "accent": accent,
            "sender_name": look.sender_name,
            "reply_to": look.reply_to,
            "frame_ancestors": origins,
            "logo": row.logo_digest,
        }
        audit.record(
            actor=actor,
            verb="set the look of",
            target=f"tenant {tenant.slug}",
            tenant=tenant,
            data=data,
            at=at,
        )
    return row


def read_logo(data: bytes) -> str:
    """The media type, by the file's own first bytes. Raises ``BadLogo``."""
    if len(data) > LARGEST_LOGO:
        raise BadLogo("The logo is larger than 200 kB.")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise BadLogo("The logo is no PNG, JPEG or WebP image.")


def read_origin(text: str) -> str:
    """An https origin. Raises ``BadOrigin``."""
    origin = text.strip().lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin) or len(origin) > 200:
        raise BadOrigin(f"{text.strip()[:100]!r} is no site like https://app.example.com.")
    return origin
