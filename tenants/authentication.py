"""Who calls the REST API: a bearer token, looked up by its hash."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.utils.timezone import now
from rest_framework import authentication, exceptions

from tenants.models import ApiKey
from tenants.tokens import digest

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser
    from rest_framework.request import Request

# One write an hour for a token in use is enough to see which ones are.
_TOUCH = timedelta(hours=1)


class TokenAuthentication(authentication.BaseAuthentication):
    """``Authorization: Bearer …``. ``request.auth`` is the ``ApiKey``; the view opens the scope."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser | AnonymousUser, ApiKey] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        at = now()
        key = (
            ApiKey.objects.select_related("tenant", "user")
            .filter(digest=digest(token.strip()), revoked_at=None)
            .first()
        )
        # A key without tenant is an operator's, and only as long as its person is one.
        if (
            key is None
            or (key.user and not key.user.is_active)
            or (key.tenant_id is None and not (key.user and key.user.is_staff))
        ):
            raise exceptions.AuthenticationFailed("This token is not known, or was revoked.")
        stale = Q(last_used_at=None) | Q(last_used_at__lt=at - _TOUCH)
        if key.last_used_at is None or key.last_used_at < at - _TOUCH:
            ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)
        return key.user or AnonymousUser(), key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
