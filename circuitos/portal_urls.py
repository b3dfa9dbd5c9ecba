"""Addresses of a tenant's portal, below its host name or ``/t/<slug>/``."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("tenants.urls")),
    path("", include("triggers.portal_urls")),
]

handler400 = "circuitos.errors.bad_request"
handler403 = "circuitos.errors.forbidden"
handler404 = "circuitos.errors.not_found"
handler500 = "circuitos.errors.internal"
