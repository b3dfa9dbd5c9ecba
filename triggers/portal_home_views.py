"""The portal's first page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from tenants.views import for_members
from triggers.portal_home import home_page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@never_cache
@require_GET
@for_members
def home(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The tenant at a glance."""
    return render(request, "portal/home.html", home_page(tenant, at=now()))
