"""The portal's activity pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404
from django.shortcuts import render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from tenants.views import for_members
from triggers import portal_activity
from triggers.history import NoExecution

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@never_cache
@require_GET
@for_members
def activity(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """What ran, newest first."""
    page = portal_activity.activity_page(tenant, request.GET, at=now())
    return render(request, "portal/activity.html", page)


@never_cache
@require_GET
@for_members
def one(request: HttpRequest, tenant: Tenant, code: str) -> HttpResponse:
    """What came in, what was done, what failed and what happens next."""
    try:
        page = portal_activity.detail_page(tenant, code, at=now())
    except NoExecution:
        raise Http404 from None
    return render(request, "portal/activity_one.html", page)
