"""API tokens: issued once in clear, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets as random
from typing import TYPE_CHECKING

from tenants.models import ApiKey, Tenant

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

PREFIX = "cos_"


def issue(*, tenant: Tenant | None, user: User | None, name: str) -> tuple[ApiKey, str]:
    """Make a token for a tenant, or with ``tenant=None`` for an operator. The token is shown this once."""
    token = PREFIX + random.token_urlsafe(32)
    key = ApiKey.objects.create(tenant=tenant, user=user, name=name, prefix=token[:12], digest=digest(token))
    return key, token


def digest(token: str) -> str:
    """What is stored of a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def revoke(key: ApiKey, *, at: datetime) -> None:
    """From now on the token opens nothing."""
    key.revoked_at = at
    key.save(update_fields=["revoked_at"])
