"""Public addresses: where a connection's webhooks and a tenant's portal are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuitos.env import env

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tenants.models import Connection, Tenant


def base_url(request: HttpRequest | None = None) -> str:
    """``PUBLIC_URL``; without one, the host the request came to, or this machine."""
    if env().public_url:
        return env().public_url
    return request.build_absolute_uri("/").rstrip("/") if request else f"http://127.0.0.1:{env().port}"


def hook_url(connection: Connection, request: HttpRequest | None = None) -> str:
    """Where the CRM sends this connection's webhooks."""
    return f"{base_url(request)}/hooks/{connection.key}/"


def portal_url(tenant: Tenant, request: HttpRequest | None = None) -> str:
    """The tenant's portal by path, which needs no host name of its own."""
    return f"{base_url(request)}/t/{tenant.slug}/"
