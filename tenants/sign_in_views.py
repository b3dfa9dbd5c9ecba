"""The portal's sign-in: by password, by a code that is mailed; sign-out; a new password by mail.

Codes, their expiry and the rate limits are allauth's. Whoever does not belong to the tenant is answered as
with a wrong password, and as if a mail had gone out.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import redis
from allauth.account.forms import ConfirmLoginCodeForm, RequestLoginCodeForm
from allauth.account.internal.flows.login_by_code import LoginCodeVerificationProcess
from allauth.account.stages import LoginByCodeStage, LoginStageController
from django.contrib import messages
from django.contrib.auth import logout, signals
from django.contrib.auth.views import LoginView
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from tenants import invitations, mail, sign_in
from tenants.members import may_enter

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.forms import AuthenticationForm
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    from tenants.models import Tenant

_FORM = require_http_methods(["GET", "HEAD", "POST"])


def landing(request: HttpRequest) -> str:
    """Where a person who has just signed in goes on: the home, or the invitation that waits for them."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    is_asked = not may_enter(request.user, tenant) and invitations.open_for(request.user, tenant)
    return reverse("portal-join" if is_asked else "portal-home")


@method_decorator(never_cache, name="dispatch")
class SignIn(LoginView):
    """Asks for the e-mail address (or name) and password."""

    template_name = "portal/sign_in.html"
    extra_context = {"has_mail": mail.is_there}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated and sign_in.belongs(request.user, request.tenant):  # type: ignore[attr-defined]
            return redirect(landing(request))
        return super().get(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        return landing(self.request)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        tenant: Tenant = self.request.tenant  # type: ignore[attr-defined]
        person = form.get_user()
        if sign_in.may_sign_in(person, tenant):
            return super().form_valid(form)
        if person.is_staff and sign_in.belongs(person, tenant):
            # Their session opens the console as well, so the console asks, with its second factor.
            return redirect(f"{_console()}?{urlencode({'next': reverse('portal-home')})}")
        # Counted as a wrong password is, or the count would tell that it was right.
        credentials = {"username": form.cleaned_data["username"]}
        signals.user_login_failed.send(sender=__name__, credentials=credentials, request=self.request)
        form.add_error(None, form.get_invalid_login_error())
        return self.form_invalid(form)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("portal-sign-in")


def needs_mail(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponseBase]:
    """What works by mail: there is none without a mail server, and it is not counted without Redis."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not mail.is_there():
            raise Http404
        try:
            return view(request, **kwargs)
        except (redis.RedisError, ConnectionError):
            messages.error(request, "This does not work just now. Sign in with your password, or try later.")
            return redirect("portal-sign-in")

    return guarded


@never_cache
@_FORM
@needs_mail
def ask_code(request: HttpRequest) -> HttpResponse:
    """Asks for the address, and mails a code to it if somebody here has it."""
    tenant: Tenant = request.tenant  # type: ignore[attr-defined]
    if request.user.is_authenticated and sign_in.belongs(request.user, tenant):
        return redirect(landing(request))
    form = RequestLoginCodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"].lower()
        person = sign_in.person_by_address(email, tenant)
        LoginCodeVerificationProcess.initiate(request=request, user=person, email=email)
        return redirect("portal-enter-code")
    return render(request, "portal/ask_code.html", {"form": form})


@never_cache
@_FORM
@needs_mail
def enter_code(request: HttpRequest) -> HttpResponse:
    """Takes the code; three wrong ones, or ten minutes, and another has to be asked for."""
    stage = LoginStageController.enter(request, LoginByCodeStage.key)
    process = LoginCodeVerificationProcess.resume(stage) if stage else None
    if process is None:
        messages.error(request, "Ask for a code first; one works for ten minutes.")
        return redirect("portal-ask-code")
    form = ConfirmLoginCodeForm(request.POST or None, code=process.code)
    if request.method == "POST":
        if form.is_valid():
            answer: HttpResponse = process.finish(reverse("portal-landing"))
            return answer
        if not process.record_invalid_attempt():
            messages.error(request, "That was wrong too often. Ask for a new code.")
            return redirect("portal-ask-code")
    shown = {"form": form, "email": process.state.get("email"), "mail_folder": mail.folder()}
    return render(request, "portal/enter_code.html", shown)


@never_cache
def after_code(request: HttpRequest) -> HttpResponse:
    """Sends on whoever has signed in by code."""
    if not request.user.is_authenticated:
        return redirect("portal-sign-in")
    return redirect(landing(request))


def _console() -> str:
    # Not below the portal's prefix: the console is at the same place on every host.
    return "/admin/login/"
