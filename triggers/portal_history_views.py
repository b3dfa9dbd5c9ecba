"""The portal's part of a connection's page that tells of its import, and the verb that starts it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.views import for_members, for_owners
from triggers import backfill, connection_history

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Connection, Tenant


@never_cache
@require_GET
@for_members
def history(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """The part that is asked for again while an import is under way."""
    connection = _connection(tenant, code)
    found = connection_history.of(connection, at=now())
    if not found.is_known:
        raise Http404
    return render(request, "portal/_history.html", {"connection": connection, "history": found})


@never_cache
@require_POST
@for_owners
def import_again(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Go on with an import that failed, or import all anew."""
    connection = _connection(tenant, code)
    try:
        is_new = backfill.start_again(connection, actor=request.user.get_username(), at=now())
    except CodedError as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            "All is imported anew. What is newer here stays."
            if is_new
            else "The import goes on where it stopped.",
        )
    return redirect("portal-connection", code=code)


def _connection(tenant: Tenant, code: UUID) -> Connection:
    found: Connection = get_object_or_404(tenant.connections.select_related("tenant"), code=code)
    return found
