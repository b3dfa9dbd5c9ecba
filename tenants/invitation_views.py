"""The pages behind an invitation's link: a new person sets a password, one who has an account joins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tenants import invitations, mail
from tenants.errors import CodedError
from tenants.members import may_enter

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Invitation, Tenant

_FORM = require_http_methods(["GET", "HEAD", "POST"])
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@_FORM
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """What the link opens."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    try:
        found = invitations.find(tenant, token, at=now())
    except invitations.NoInvitation as error:
        return render(request, "portal/invitation.html", {"sentence": str(error)}, status=404)
    if request.user.is_authenticated:
        mine = invitations.open_for(request.user, tenant)
        if mine is not None and mine.pk == found.pk:
            return redirect("portal-join")
        return render(request, "portal/invitation.html", {"invitation": found, "is_other": True})
    if invitations.person(found) is not None:
        shown = {"invitation": found, "has_account": True, "has_mail": mail.is_there()}
        return render(request, "portal/invitation.html", shown)
    return _welcome(request, found)


@never_cache
@_FORM
def join(request: HttpRequest) -> HttpResponse:
    """A person who is signed in and invited confirms."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    if not request.user.is_authenticated:
        return redirect("portal-sign-in")
    found = invitations.open_for(request.user, tenant)
    if found is None:
        if may_enter(request.user, tenant):
            return redirect("portal-home")
        raise Http404
    if request.method == "POST":
        try:
            invitations.accept_as(found, request.user, at=now())
        except CodedError as error:
            return render(request, "portal/invitation.html", {"sentence": str(error)}, status=404)
        messages.success(request, f"Welcome to {tenant.name}.")
        return redirect("portal-home")
    return render(request, "portal/invitation.html", {"invitation": found, "is_mine": True})


@never_cache
def left(request: HttpRequest) -> HttpResponse:
    """Where one ends who has left the tenant."""
    return render(request, "portal/left.html")


def _welcome(request: HttpRequest, found: Invitation) -> HttpResponse:
    form = SetPasswordForm(_nobody(found), request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = invitations.accept_new(found, password=form.cleaned_data["new_password1"], at=now())
        except invitations.NoInvitation as error:
            return render(request, "portal/invitation.html", {"sentence": str(error)}, status=404)
        login(request, user, backend=_BACKEND)
        messages.success(request, f"Welcome to {found.tenant.name}. From now on you sign in as {user}.")
        return redirect("portal-home")
    return render(request, "portal/invitation.html", {"invitation": found, "form": form})


def _nobody(found: Invitation) -> User:
    return User(username=found.email, email=found.email)  # not saved: to judge the password by
