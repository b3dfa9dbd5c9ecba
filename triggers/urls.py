"""Addresses of webhooks. The REST API's stand beside its views."""

from __future__ import annotations

from django.urls import path

from triggers import oauth_views
from triggers.api import HookView

urlpatterns = [
    # A marketplace app's one address for all its accounts; HooksFirst leads to both.
    path("hooks/app/<str:crm>/", HookView.as_view(), name="app-hook"),
    path("connect/<str:crm>/", oauth_views.begin, name="connect"),
    path("connect/<str:crm>/callback/", oauth_views.callback, name="connect-callback"),
    path("hooks/<str:key>/", HookView.as_view(), name="hook"),
    path("hooks/<str:key>", HookView.as_view()),
]
