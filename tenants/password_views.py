"""A new password by mail. Links are Django's tokens by way of allauth: for an hour, until used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.forms import ResetPasswordForm, ResetPasswordKeyForm, UserTokenForm
from allauth.core import ratelimit
from django.contrib import messages
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tenants import mail, sign_in
from tenants.sign_in_views import needs_mail

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant

_FORM = require_http_methods(["GET", "HEAD", "POST"])
_IN_SESSION = "set-password"
_SESSION = "portal_reset_key"


@never_cache
@_FORM
@needs_mail
def ask_reset(request: HttpRequest) -> HttpResponse:
    """Asks for the address, and mails a link to it if somebody here has it."""
    form = ResetPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        if not ratelimit.consume(request, action="reset_password", key=email):
            form.add_error("email", "Too many tries. Wait some minutes, then try again.")
            return render(request, "portal/ask_reset.html", {"form": form}, status=429)
        person = sign_in.person_by_address(email, request.tenant)  # type: ignore[attr-defined]
        form.users = [person] if person else []
        form.save(request)
        return redirect("portal-reset-sent")
    return render(request, "portal/ask_reset.html", {"form": form})


@never_cache
def reset_sent(request: HttpRequest) -> HttpResponse:
    """Says the same whether there is such a person or not."""
    return render(request, "portal/reset_sent.html", {"mail_folder": mail.folder()})


@never_cache
@_FORM
@needs_mail
def reset_key(request: HttpRequest, uid: str, key: str) -> HttpResponse:
    """Takes the new password. The link's key goes to the session first, so that no address shows it."""
    if key != _IN_SESSION:
        if _person(request, uid, key) is None:
            return render(request, "portal/reset_key.html", {"form": None}, status=404)
        request.session[_SESSION] = key
        return redirect("portal-reset-key", uid=uid, key=_IN_SESSION)
    key = request.session.get(_SESSION, "")
    person = _person(request, uid, key)
    if person is None:
        return render(request, "portal/reset_key.html", {"form": None}, status=404)
    form = ResetPasswordKeyForm(request.POST or None, user=person, temp_key=key)
    if request.method == "POST" and form.is_valid():
        form.save()
        del request.session[_SESSION]
        messages.success(request, "Your password is changed. Sign in with it.")
        return redirect("portal-sign-in")
    return render(request, "portal/reset_key.html", {"form": form})


def _person(request: HttpRequest, uid: str, key: str) -> User | None:
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    token = UserTokenForm(data={"uidb36": uid, "key": key})
    if not token.is_valid() or not sign_in.may_sign_in(token.reset_user, tenant):
        return None
    person: User = token.reset_user
    return person
