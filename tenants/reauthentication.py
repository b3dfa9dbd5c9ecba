"""Asking again who somebody is, before what would hurt most in the wrong hands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.timezone import now
from django_htmx.http import HttpResponseClientRedirect

from tenants import audit, lockout, second_factor

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

FRESH_SECONDS = 600
_KEY = "proved_at"


def demand(request: HttpRequest, *, back: str = "") -> HttpResponse | None:
    """None when the person proved who they are in the last 10 minutes, else the way to a page that asks.

    It leads back to ``back``: without it to this page, or for a POST to the page it came from. A POST is not
    done later: the person is told to press again.
    """
    age = time.time() - request.session.get(_KEY, 0)
    if 0 <= age < FRESH_SECONDS:
        return None
    is_deed = request.method not in {"GET", "HEAD"}
    if not back:
        came_from = request.headers.get("Referer", "") if is_deed else ""
        back = local(request, came_from) or request.get_full_path()
    name = "portal-confirm" if getattr(request, "tenant", None) else "console-confirm"
    query = {"next": back, **({"again": "1"} if is_deed else {})}
    target = f"{reverse(name)}?{urlencode(query)}"
    is_htmx = bool(getattr(request, "htmx", False))
    return HttpResponseClientRedirect(target) if is_htmx else HttpResponseRedirect(target)


def local(request: HttpRequest, url: str) -> str:
    """The path and query of an address on this host; "" for any other."""
    hosts = {request.get_host()}
    if not url or not url_has_allowed_host_and_scheme(url, hosts, require_https=request.is_secure()):
        return ""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def prove(request: HttpRequest, typed: str) -> bool:
    """Whether what was typed is the person's: the code of their second factor, or else their password."""
    user: Any = request.user
    by_code = second_factor.has(user)
    if by_code:
        is_right = second_factor.accepts(request, user, typed)
    else:
        found = authenticate(request, username=user.get_username(), password=typed)
        is_right = found is not None and found.pk == user.pk
        if is_right:
            lockout.passed(request, user)
    if is_right:
        note(request)
        audit.record(
            actor=user.get_username(),
            verb="confirmed who they are as",
            target=f"person {user}",
            tenant=getattr(request, "tenant", None),
            data={"by": "second factor" if by_code else "password"},
            at=now(),
        )
    return is_right


def note(request: HttpRequest) -> None:
    """From now on the proof is fresh."""
    request.session[_KEY] = time.time()


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, **_: Any) -> None:
    note(request)
