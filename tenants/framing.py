"""A tenant's portal inside the CRM: which sites may show it in a frame, and cookies that work there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from circuitos.csp import STRICT

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


def ancestors(tenant: Tenant | None) -> list[str]:
    """The sites that may show the tenant's portal."""
    look = getattr(tenant, "branding", None)
    return list(look.frame_ancestors) if look else []


def allow(response: HttpResponse, sites: list[str]) -> None:
    """Let the sites show the answer in a frame; without any it stays forbidden."""
    if not sites:
        return
    policy = STRICT.replace("frame-ancestors 'none'", f"frame-ancestors 'self' {' '.join(sites)}")
    response.headers.setdefault("Content-Security-Policy", policy)
    response.xframe_options_exempt = True  # it knows no list of sites


class FramedCookies:
    """Lets a browser send the portal's cookies from within a frame of another site.

    Over https only, only for tenants that named such sites, and never for staff, whose session opens the
    console. Forms are safe all the same: each carries its token, and Django checks where it came from.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        names = [settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME]
        if not any(name in response.cookies for name in names) or not request.is_secure():
            return response
        user = getattr(request, "user", None)
        if ancestors(getattr(request, "tenant", None)) and not getattr(user, "is_staff", False):
            for name in names:
                if name in response.cookies:
                    response.cookies[name]["samesite"] = "None"
                    response.cookies[name]["secure"] = True
        return response
