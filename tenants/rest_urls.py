"""Addresses of the REST API of tenants, each with and without its last slash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from tenants import api

if TYPE_CHECKING:
    from django.urls import URLPattern
    from rest_framework.views import APIView


def _both(route: str, view: type[APIView], name: str) -> list[URLPattern]:
    return [path(f"{route}/", view.as_view(), name=name), path(route, view.as_view(schema=None))]


urlpatterns = [
    *_both("tenants", api.TenantList, "tenants"),
    *_both("tenants/<str:slug>", api.TenantDetail, "tenant"),
    *_both("connections", api.ConnectionList, "connections"),
    *_both("connections/<str:code>", api.ConnectionDetail, "connection"),
    *_both("connections/<str:code>/rotate-secret", api.RotateSecret, "rotate-secret"),
]
