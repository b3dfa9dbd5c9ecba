"""The portal's members page: who is here, who is invited, and an owner's verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants import invitation_mail, invitations, mail, roles
from tenants.choices import Role
from tenants.errors import CodedError
from tenants.views import for_members, for_owners

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Invitation, Tenant

MOST_SHOWN = 500


@never_cache
@require_GET
@for_members
def members(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """All members, owners first; open invitations."""
    return render(request, "portal/members.html", _page(request, tenant))


@require_POST
@for_owners
def invite(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Ask somebody in by e-mail."""
    at = now()
    email, role = request.POST.get("email", ""), request.POST.get("role", "")
    try:
        made, token = invitations.invite(tenant=tenant, email=email, role=role, actor=_who(request), at=at)
    except CodedError as error:
        shown = {**_page(request, tenant), "problem": str(error), "email": email[:150], "chosen": role}
        return render(request, "portal/members.html", shown, status=error.status)
    _tell(request, made, invitation_mail.send(made, url=link(request, token), at=at))
    return redirect("portal-members")


@require_POST
@for_owners
def resend(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Mail a new link; the one before it stops working."""
    at = now()
    invitation = _invitation(tenant, code)
    try:
        token = invitations.renew(invitation, actor=_who(request), at=at)
    except CodedError as error:
        messages.error(request, str(error))
        return redirect("portal-members")
    invitation.refresh_from_db()
    _tell(request, invitation, invitation_mail.send(invitation, url=link(request, token), at=at))
    return redirect("portal-members")


@require_POST
@for_owners
def withdraw(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Take an invitation back."""
    invitation = _invitation(tenant, code)
    try:
        invitations.withdraw(invitation, actor=_who(request), at=now())
    except CodedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The invitation of {invitation.email} no longer works.")
    return redirect("portal-members")


@require_POST
@for_owners
def change_role(request: HttpRequest, tenant: Tenant, member: int) -> HttpResponse:
    """Make a member an owner, or an owner a member."""
    role = request.POST.get("role", "")
    try:
        changed = roles.change(tenant=tenant, member_id=member, role=role, actor=_who(request), at=now())
    except CodedError as error:
        return _refused(request, error)
    messages.success(request, f"{changed.user} is {changed.get_role_display().lower()} now.")
    return redirect("portal-members")


@require_POST
@for_owners
def remove(request: HttpRequest, tenant: Tenant, member: int) -> HttpResponse:
    """Take a member out; oneself too, if another owner stays."""
    try:
        gone = roles.remove(tenant=tenant, member_id=member, actor=_who(request), at=now())
    except CodedError as error:
        return _refused(request, error)
    if gone.user_id == request.user.pk:
        messages.success(request, f"You have left {tenant.name}.")
        return redirect("portal-left")
    messages.success(request, f"{gone.user} is no longer a member.")
    return redirect("portal-members")


def link(request: HttpRequest, token: str) -> str:
    """The address of an invitation, on the host that the portal is used on."""
    return request.build_absolute_uri(reverse("portal-invitation", args=[token]))


def _page(request: HttpRequest, tenant: Tenant) -> dict[str, Any]:
    at = now()
    rows = tenant.memberships.select_related("user").order_by("-role", "user__username")[: MOST_SHOWN + 1]
    people = list(rows)
    is_owner = request.role == Role.OWNER  # type: ignore[attr-defined]
    waiting = list(invitations.pending(tenant).order_by("email")) if is_owner else []
    return {
        "page": "members",
        "people": people[:MOST_SHOWN],
        "is_cut": len(people) > MOST_SHOWN,
        "invited": [{"row": row, "is_late": row.expires_at <= at} for row in waiting],
        "roles": Role.choices,
        "chosen": Role.MEMBER,
        "has_mail": mail.is_there(),
    }


def _tell(request: HttpRequest, invitation: Invitation, problem: str) -> None:
    if problem:
        messages.warning(
            request,
            f"{invitation.email} is invited, but no mail went out: {problem}"
            " Send it again once that is mended.",
        )
        return
    where = f" It lies in {mail.folder()}." if mail.folder() else ""
    messages.success(request, f"An invitation is on its way to {invitation.email}.{where}")


def _refused(request: HttpRequest, error: CodedError) -> HttpResponse:
    if error.status == 404:
        raise Http404
    messages.error(request, str(error))
    return redirect("portal-members")


def _invitation(tenant: Tenant, code: UUID) -> Invitation:
    found = invitations.pending(tenant).select_related("tenant").filter(code=code).first()
    if found is None:
        raise Http404
    return found


def _who(request: HttpRequest) -> str:
    return request.user.get_username()
