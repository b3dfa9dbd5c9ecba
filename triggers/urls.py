"""Addresses of webhooks. The REST API's stand beside its views."""

from __future__ import annotations

from django.urls import path

from triggers.api import HookView

urlpatterns = [
    # A marketplace app's one address for all its accounts will be hooks/app/<crm>/.
    path("hooks/<str:key>/", HookView.as_view(), name="hook"),
    path("hooks/<str:key>", HookView.as_view()),
]
