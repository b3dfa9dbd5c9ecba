"""The portal's usage page: quotas, what waits, and the wish for a larger plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.members import is_owner
from tenants.models import Tenant
from tenants.views import for_members
from triggers import upgrades, usage_report
from triggers.usage_file import csv_file
from triggers.usage_page import usage_page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@never_cache
@require_GET
@for_members
def usage(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Today, the month, the last days, the triggers, what waits."""
    context = {**usage_page(tenant, at=now()), "is_owner": is_owner(request.user, tenant)}
    return render(request, "portal/usage.html", context)


@never_cache
@require_GET
@for_members
def usage_csv(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The figures of some days as a file; by default of this month."""
    start, end = (request.GET.get(name, "") for name in ("from", "to"))
    try:
        return csv_file(tenant, usage_report.wanted_days(start, end, tenant=tenant, at=now()))
    except CodedError as error:
        messages.error(request, str(error))
        return redirect("portal-usage")


@require_POST
@for_members
def ask_upgrade(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """An owner asks for the larger plan; an operator decides."""
    if not is_owner(request.user, tenant):
        raise PermissionDenied
    # As it is now: the request's tenant may be of some seconds ago.
    fresh = Tenant.objects.select_related("tier__upgrade_to").get(pk=tenant.pk)
    try:
        upgrades.ask(tenant=fresh, actor=request.user.get_username(), at=now())
    except CodedError as error:
        messages.error(request, str(error))
    return redirect("portal-usage")
