"""The door of the console: who is no staff finds nothing, staff prove their second factor, sessions end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils.timezone import now
from django_htmx.http import HttpResponseClientRedirect

from tenants import audit, second_factor

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponseBase

CONSOLE = "/admin/"
IDLE_SECONDS = 60 * 60
LONGEST_SECONDS = 8 * 60 * 60
SEEN_EACH_SECONDS = 60  # how exactly idleness is known: a write a minute is enough
# These let one in, or out; all of them look after themselves.
OPEN = ("/admin/login/", "/admin/logout/", "/admin/code/", "/admin/second-factor/")
# Django's own pages that show nothing of anybody.
_PLAIN = frozenset({"confirm", "console-confirm", "jsi18n", "password_change", "password_change_done"})
# Pages that are not named for the model they show; what is not here shows executions.
_OTHER = (("triggers_trigger_", "triggers.view_triggerconfig"),)


class Door:
    """Stands inside of ``Portal``: operators pass it on the way into a portal too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        in_console = request.path.startswith(CONSOLE)
        if not in_console and getattr(request, "tenant", None) is None:
            return self.get_response(request)
        if request.path.startswith(OPEN) or not request.user.is_authenticated:
            return self.get_response(request)
        if in_console and not request.user.is_staff:
            raise Http404
        if request.user.is_staff:
            turned = _expired(request) if in_console else None
            # Where a password is asked for again, for the page that sets the factor up.
            if not turned and not request.path.startswith("/admin/confirm/"):
                turned = _unproved(request, request.user)
            if turned:
                return turned
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Whoever may not see a model sees none of its pages, whatever page it is."""
        match = request.resolver_match
        if match is None or not request.path.startswith(CONSOLE) or request.path.startswith(OPEN):
            return
        if not request.user.is_authenticated or not request.user.is_staff:
            return
        if (match.url_name or "") not in _PLAIN and not _may_see(request, match.url_name or ""):
            raise PermissionDenied


def _may_see(request: HttpRequest, name: str) -> bool:
    for model, page in admin.site._registry.items():  # noqa: SLF001 - there is no other way to ask
        if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):  # noqa: SLF001
            return bool(page.has_view_or_change_permission(request) or page.has_add_permission(request))
    wanted = next((may for start, may in _OTHER if name.startswith(start)), "triggers.view_execution")
    return request.user.has_perm(wanted)


def _expired(request: HttpRequest) -> HttpResponseBase | None:
    at, session = time.time(), request.session
    entered, seen = session.get("entered_at", 0), session.get("seen_at", 0)
    if at - entered > LONGEST_SECONDS or at - seen > IDLE_SECONDS:
        logout(request)
        messages.info(request, "You were signed out after an hour without a click, or eight hours in all.")
        return _to(request, reverse("admin:login"))
    if at - seen > SEEN_EACH_SECONDS:
        session["seen_at"] = at
    return None


def _unproved(request: HttpRequest, user: Any) -> HttpResponseBase | None:
    session = request.session
    if session.get("code_given"):
        return None
    if session.get("has_factor"):
        return _to(request, "/admin/code/")
    if second_factor.is_required(user):
        return _to(request, "/admin/code/" if second_factor.has(user) else "/admin/second-factor/")
    return None


def _to(request: HttpRequest, page: str) -> HttpResponseBase:
    back = request.get_full_path() if request.method in {"GET", "HEAD"} else ""
    target = f"{page}?{urlencode({'next': back})}" if back else page
    is_htmx = bool(getattr(request, "htmx", False))
    return HttpResponseClientRedirect(target) if is_htmx else HttpResponseRedirect(target)


def pass_through(request: HttpRequest) -> None:
    """The second factor was given: the session gets a new name, so that one from before opens nothing."""
    request.session.cycle_key()
    request.session["code_given"] = request.session["has_factor"] = True


@receiver(user_logged_in)
def _enter(request: HttpRequest, user: User, **_: Any) -> None:
    request.session["entered_at"] = request.session["seen_at"] = time.time()
    request.session.pop("code_given", None)
    request.session["has_factor"] = bool(user.is_staff and second_factor.has(user))
    if not request.path:  # nobody came by a page
        return
    audit.record(
        actor=user.get_username(),
        verb="signed in as",
        target=f"person {user}",
        tenant=getattr(request, "tenant", None),
        data={
            "to": "console" if request.path.startswith(CONSOLE) else "portal",
            "address": request.META.get("REMOTE_ADDR", ""),
        },
        at=now(),
    )
