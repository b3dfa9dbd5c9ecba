"""The tenant's portal: who enters its pages."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.utils import timezone

from tenants.choices import Role
from tenants.members import role_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


def for_members(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Only the tenant's members and operators enter; others are asked to sign in, or find nothing here.

    The view gets the tenant after the request; ``request.role`` says who they are to it, and times are said
    in the tenant's time zone.
    """

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        tenant: Tenant = request.tenant  # type: ignore[attr-defined]
        if not request.user.is_authenticated:
            return redirect("portal-sign-in")
        role = role_of(request.user, tenant)
        if not role:
            raise Http404
        request.role = role  # type: ignore[attr-defined]
        with timezone.override(_zone(tenant.timezone)):
            return view(request, tenant, **kwargs)

    return guarded


def for_owners(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """As ``for_members``, and refuses whoever is no owner. An operator decides in the console instead."""

    @wraps(view)
    def guarded(request: HttpRequest, tenant: Tenant, **kwargs: Any) -> HttpResponse:
        if request.role != Role.OWNER:  # type: ignore[attr-defined]
            raise PermissionDenied
        return view(request, tenant, **kwargs)

    return for_members(guarded)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
