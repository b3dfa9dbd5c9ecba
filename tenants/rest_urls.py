"""Addresses of the REST API of tenants, each with and without its last slash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from tenants import api

if TYPE_CHECKING:
    from django.urls import URLPattern
    from rest_framework.views import APIView


def both(route: str, view: type[APIView], name: str) -> list[URLPattern]:
    """The address with its last slash, which the schema tells, and without."""
    return [path(f"{route}/", view.as_view(), name=name), path(route, view.as_view(schema=None))]


urlpatterns = [
    *both("tenants", api.TenantList, "tenants"),
    *both("tenants/<str:slug>", api.TenantDetail, "tenant"),
    *both("audit/chain", api.AuditChain, "audit-chain"),
    *both("connections", api.ConnectionList, "connections"),
    *both("connections/<str:code>", api.ConnectionDetail, "connection"),
    *both("connections/<str:code>/rotate-secret", api.RotateSecret, "rotate-secret"),
]
