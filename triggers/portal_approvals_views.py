"""The portal's approvals page and its one verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants.errors import CodedError
from tenants.members import is_owner
from tenants.views import for_members
from triggers import approvals, portal_approvals
from triggers.models.approval import Approval

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


@never_cache
@require_GET
@for_members
def waiting(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """What waits for somebody's word."""
    return render(request, "portal/approvals.html", portal_approvals.approvals_page(tenant, at=now()))


@never_cache
@require_POST
@for_members
def decide(request: HttpRequest, tenant: Tenant, code: str) -> HttpResponse:
    """Approve or reject one."""
    is_approved = request.POST.get("approve") == "yes"
    try:
        found = approvals.decide(
            tenant=tenant,
            code=code,
            approve=is_approved,
            is_owner=is_owner(request.user, tenant),
            actor=request.user.get_username(),
            text=request.POST.get("text"),
            note=request.POST.get("note", ""),
            at=now(),
        )
    except Approval.DoesNotExist:
        raise Http404 from None
    except approvals.BadApproval as error:
        page = portal_approvals.approvals_page(
            tenant, at=now(), problem={"code": str(code), "said": str(error)}
        )
        return render(request, "portal/approvals.html", page)
    except CodedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{found.subject}: {found.get_status_display().lower()}.")
    return redirect("portal-approvals")
