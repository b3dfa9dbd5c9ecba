"""Addresses of the portal's pages about what ran."""

from __future__ import annotations

from django.urls import path

from triggers import portal_home_views, portal_views

urlpatterns = [
    path("", portal_home_views.home, name="portal-home"),
    path("usage/", portal_views.usage, name="portal-usage"),
    path("usage/upgrade/", portal_views.ask_upgrade, name="portal-upgrade"),
    path("usage.csv", portal_views.usage_csv, name="portal-usage-csv"),
]
