"""Addresses of the portal's first pages (``circuitos.portal_urls`` has all)."""

from __future__ import annotations

from django.urls import path

from tenants import views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="portal-sign-in"),
    path("sign-out/", views.sign_out, name="portal-sign-out"),
]
