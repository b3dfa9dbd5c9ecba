"""The tenant's portal: sign-in and the first page."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.auth import logout
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.addresses import hook_url
from tenants.members import may_enter
from tenants.portal import figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.forms import AuthenticationForm
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


def for_members(view: Callable[[HttpRequest, Tenant], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Only the tenant's members and operators enter; the others are asked to sign in, or refused."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        tenant: Tenant = request.tenant  # type: ignore[attr-defined]
        if not request.user.is_authenticated:
            return redirect("portal-sign-in")
        if not may_enter(request.user, tenant):
            raise PermissionDenied
        return view(request, tenant)

    return guarded


class SignIn(LoginView):
    """Asks for name and password; who does not belong to the tenant is told the same as with a wrong one."""

    template_name = "portal/sign_in.html"

    def get_default_redirect_url(self) -> str:
        return reverse("portal-home")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(tenant=self.request.tenant, **kwargs)  # type: ignore[attr-defined]

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        if not may_enter(form.get_user(), self.request.tenant):  # type: ignore[attr-defined]
            form.add_error(None, form.get_invalid_login_error())
            return self.form_invalid(form)
        return super().form_valid(form)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("portal-sign-in")


@never_cache
@require_GET
@for_members
def home(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The tenant at a glance: what ran, and where its CRMs send to."""
    connections = [
        {"connection": connection, "url": hook_url(connection, request)}
        for connection in tenant.connections.order_by("pk")
    ]
    context = {
        "page": "home",
        "tenant": tenant,
        "figures": figures(tenant),
        "connections": connections,
    }
    return render(request, "portal/home.html", context)
