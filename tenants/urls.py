"""Addresses of a tenant's portal, below its host name or ``/t/<slug>/``."""

from __future__ import annotations

from django.urls import path

from tenants import views

urlpatterns = [
    path("", views.home, name="portal-home"),
    path("sign-in/", views.SignIn.as_view(), name="portal-sign-in"),
    path("sign-out/", views.sign_out, name="portal-sign-out"),
]

handler400 = "circuitos.errors.bad_request"
handler403 = "circuitos.errors.forbidden"
handler404 = "circuitos.errors.not_found"
handler500 = "circuitos.errors.internal"
