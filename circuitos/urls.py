"""Addresses on every host but a tenant's portal, which has its own (``portal_urls``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from circuitos import (
    errors,
    health,
    jail_page,
    schema,  # noqa: F401 — registers how one proves who one is
    tail_page,
)
from tenants import confirm, factor_pages
from triggers import console_signals

if TYPE_CHECKING:
    from django.urls import URLPattern, URLResolver

_OPEN: dict[str, Any] = {"authentication_classes": [], "permission_classes": []}
_schema = SpectacularAPIView.as_view(**_OPEN)
_docs = SpectacularSwaggerSplitView.as_view(**_OPEN, url_name="schema")

# Here and not when Django starts: worker and commands do without the admin's modules.
admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/confirm/", admin.site.admin_view(confirm.console), name="console-confirm"),
    path("admin/tail/", admin.site.admin_view(tail_page.page), name="tail"),
    path("admin/tail/rows/", admin.site.admin_view(tail_page.rows), name="tail-rows"),
    path("admin/code/", factor_pages.code, name="console-code"),
    path("admin/second-factor/", factor_pages.set_up, name="console-second-factor"),
    path("admin/signals/<uuid:code>/", admin.site.admin_view(console_signals.page), name="console-signals"),
    path("admin/jail/", admin.site.admin_view(jail_page.page), name="jail"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("healthz/", health.healthz),
    path("readyz", health.readyz, name="readyz"),
    path("readyz/", health.readyz),
    path("metrics", health.metrics, name="metrics"),
    path("metrics/", health.metrics),
    path("", include("triggers.urls")),
    path("api/v1/", include("triggers.rest_urls")),
    path("api/v1/", include("tenants.rest_urls")),
    path("api/schema/", _schema, name="schema"),
    path("api/schema", _schema),
    path("api/docs/", _docs, name="docs"),
    path("api/docs", _docs),
    # Last: what is not here is told in our words, in DEBUG too.
    re_path("", errors.not_found),
]

handler400 = "circuitos.errors.bad_request"
handler403 = "circuitos.errors.forbidden"
handler404 = "circuitos.errors.not_found"
handler500 = "circuitos.errors.internal"
