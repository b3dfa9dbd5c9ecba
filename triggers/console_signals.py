"""The console's page of a tenant's scoring signals: the portal's, for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_http_methods

from tenants.errors import CodedError
from tenants.models import Tenant
from triggers import signals_page

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

MAY_LOOK, MAY_CHOOSE = "tenants.view_tenant", "tenants.change_tenant"


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, code: UUID) -> HttpResponse:
    """Shows it; POST does what the pressed button says."""
    if not request.user.has_perm(MAY_LOOK):
        raise PermissionDenied
    tenant = get_object_or_404(Tenant, code=code)
    may_choose = request.user.has_perm(MAY_CHOOSE)
    if request.method == "POST":
        if not may_choose:
            raise PermissionDenied
        _do(request, tenant)
        return HttpResponseRedirect(reverse("console-signals", args=[code]))
    shown = {
        **admin.site.each_context(request),
        "title": f"Signals of {tenant.name}",
        "may_choose": may_choose,
        **signals_page.page_of(tenant, at=now()),
    }
    return TemplateResponse(request, "console/signals.html", shown)


def _do(request: HttpRequest, tenant: Tenant) -> None:
    verbs = {"read": signals_page.read_fields, "create": signals_page.create_fields}
    try:
        for name, verb in verbs.items():
            if asked := request.POST.get(name):
                connection = signals_page.connection_of(tenant, _uuid(asked))
                if connection is None:
                    raise Http404
                verb(request, connection, at=now())
                return
        signals_page.save(request, tenant, at=now())
    except CodedError as error:
        messages.error(request, str(error))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
