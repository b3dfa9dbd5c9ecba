"""Addresses of the portal's first pages (``circuitos.portal_urls`` has all)."""

from __future__ import annotations

from django.urls import path

from tenants import confirm, portal_keys, views

urlpatterns = [
    path("confirm/", confirm.portal, name="portal-confirm"),
    path("sign-in/", views.SignIn.as_view(), name="portal-sign-in"),
    path("sign-out/", views.sign_out, name="portal-sign-out"),
    path("keys/", portal_keys.api_keys, name="portal-keys"),
    path("keys/new/", portal_keys.create, name="portal-key-new"),
    path("keys/<uuid:code>/revoke/", portal_keys.revoke, name="portal-key-revoke"),
]
