"""The page that asks again who one is, in the console and in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import logout
from django.http import HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tenants import second_factor
from tenants.reauthentication import local, prove
from tenants.views import for_members

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def console(request: HttpRequest) -> HttpResponse:
    """Asks an operator."""
    frame = admin.site.each_context(request)
    return _ask(request, "console/confirm.html", home="admin:index", sign_in="admin:login", **frame)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
@for_members
def portal(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Asks a member of a tenant."""
    return _ask(request, "portal/confirm.html", home="portal-home", sign_in="portal-sign-in", tenant=tenant)


def _ask(request: HttpRequest, template: str, *, home: str, sign_in: str, **frame: Any) -> HttpResponse:
    person: Any = request.user
    back = local(request, request.GET.get("next", "")) or reverse(home)
    if request.method == "POST" and "leave" in request.POST:
        logout(request)
        return HttpResponseRedirect(f"{reverse(sign_in)}?{urlencode({'next': back})}")
    problem = ""
    by_code = second_factor.has(person)
    if request.method == "POST":
        if prove(request, request.POST.get("proof", "")):
            if "again" in request.GET:
                messages.info(request, "Confirmed. Nothing has been done yet: press the button again.")
            return HttpResponseRedirect(back)
        problem = (
            "This is not the code of now, nor an unused recovery code." if by_code else "Wrong password."
        )
    shown = {
        **frame,
        "title": "Confirm that it is you",
        "by_code": by_code,
        # Who signs in by e-mail has no password to ask for.
        "has_password": by_code or person.has_usable_password(),
        "back": back,
        "again": "again" in request.GET,
        "problem": problem,
    }
    return render(request, template, shown)
