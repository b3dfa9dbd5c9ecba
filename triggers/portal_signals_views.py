"""The portal's page of scoring signals: members look, owners choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.views import for_members, for_owners
from triggers import signals_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Connection, Tenant


@never_cache
@require_GET
@for_members
def signals(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Where each signal comes from, and what is missing."""
    page = signals_page.page_of(tenant, at=now())
    return render(request, "portal/signals.html", {"page": "agents", **page})


@never_cache
@require_POST
@for_owners
def save(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Choose the fields, or confirm guesses."""
    try:
        signals_page.save(request, tenant, at=now())
    except CodedError as error:
        messages.error(request, str(error))
    return redirect("portal-signals")


@never_cache
@require_POST
@for_owners
def read_fields(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Ask the CRM for its fields."""
    return _of_connection(request, tenant, code, signals_page.read_fields)


@never_cache
@require_POST
@for_owners
def create_fields(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Make the fields that scores are written to."""
    return _of_connection(request, tenant, code, signals_page.create_fields)


def _of_connection(
    request: HttpRequest, tenant: Tenant, code: UUID, verb: Callable[..., None]
) -> HttpResponse:
    connection: Connection | None = signals_page.connection_of(tenant, code)
    if connection is None:
        raise Http404
    at: datetime = now()
    try:
        verb(request, connection, at=at)
    except CodedError as error:
        messages.error(request, str(error))
    return redirect("portal-signals")
