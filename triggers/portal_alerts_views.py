"""The portal's alerts page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from governor import alert_settings
from tenants.views import for_members, for_owners
from triggers import portal_alerts

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@never_cache
@require_GET
@for_members
def alerts(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Who is told of what, what stands, and what was sent."""
    return render(request, "portal/alerts.html", portal_alerts.alerts_page(tenant, at=now()))


@never_cache
@require_POST
@for_owners
def save(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Change the rules and recipients."""
    form = portal_alerts.AlertForm(request.POST)
    if not form.is_valid():
        page = portal_alerts.alerts_page(tenant, form=form, at=now())
        return render(request, "portal/alerts.html", page)
    alert_settings.save(tenant, form.wanted(), actor=request.user.get_username(), at=now())
    messages.success(request, "Saved. The rules are looked at every half minute.")
    return redirect("portal-alerts")


@never_cache
@require_POST
@for_owners
def send_test(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Send a test alert, and say what became of it."""
    at = now()
    notice = alert_settings.send_test(tenant, actor=request.user.get_username(), at=at)
    has_slack = alert_settings.of(tenant).sealed_slack is not None
    ways = portal_alerts.ways(notice, tenant, has_slack=has_slack, at=at)
    said = "; ".join(words for _, words in ways)
    if all(tone == "good" for tone, _ in ways):
        messages.success(request, f"The test alert is sent. {said}")
    else:
        messages.error(request, f"The test alert did not go everywhere. {said}")
    return redirect("portal-alerts")
