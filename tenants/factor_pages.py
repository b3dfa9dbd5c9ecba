"""The console's pages of the second factor: the code after the password, and setting it up."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import qrcode  # type: ignore[import-untyped]
from django.contrib import admin
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from qrcode.image.svg import SvgPathImage  # type: ignore[import-untyped]

from tenants import audit, second_factor
from tenants.door import pass_through
from tenants.reauthentication import demand, local, note

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_PENDING = "new_factor"


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Asks for the code, once after each sign-in."""
    person = _staff(request)
    if person is None:
        return _sign_in(request)
    back = _back(request)
    if request.session.get("code_given") or not second_factor.has(person):
        return HttpResponseRedirect(back)
    problem = ""
    if request.method == "POST":
        if second_factor.accepts(request, person, request.POST.get("code", "")):
            pass_through(request)
            note(request)
            audit.record(
                actor=person.get_username(), verb="gave a code as", target=f"person {person}", at=now()
            )
            return HttpResponseRedirect(back)
        problem = "This is not the code of now, nor an unused recovery code."
    return _page(request, "console/code.html", title="Your code", problem=problem)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows what the app needs, and keeps it when the app shows the right code."""
    person = _staff(request)
    if person is None:
        return _sign_in(request)
    has_one = second_factor.has(person)
    if has_one and not request.session.get("code_given"):
        return HttpResponseRedirect(f"{reverse('console-code')}?{urlencode({'next': request.path})}")
    if asks := demand(request):
        return asks
    keeper = second_factor.Adapter()
    if _PENDING not in request.session:
        request.session[_PENDING] = keeper.encrypt(second_factor.new_secret())
    secret = keeper.decrypt(request.session[_PENDING])
    problem = ""
    if request.method == "POST":
        codes = second_factor.enrol(person, secret=secret, code=request.POST.get("code", ""))
        if codes:
            del request.session[_PENDING]
            pass_through(request)
            return _page(
                request,
                "console/recovery_codes.html",
                title="Keep these codes",
                codes=codes,
                back=_back(request),
            )
        problem = (
            "This is not the code the app shows now. Scan the picture again, and check the phone's clock."
        )
    return _page(
        request,
        "console/second_factor.html",
        title="Second factor",
        problem=problem,
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=_picture(second_factor.address(person, secret)),
        has_one=has_one,
        is_required=second_factor.is_required(person),
    )


def _staff(request: HttpRequest) -> Any:
    person: Any = request.user
    if not person.is_authenticated:
        return None
    if not person.is_staff:
        raise Http404
    return person


def _sign_in(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': request.path})}")


def _back(request: HttpRequest) -> str:
    return local(request, request.GET.get("next", "")) or reverse("admin:index")


def _page(request: HttpRequest, template: str, *, title: str, **shown: Any) -> HttpResponse:
    # Before the code, nothing of the console: neither its pages nor its figures.
    frame = admin.site.each_context(request)
    return render(request, template, {**frame, "title": title, **shown})


def _picture(text: str) -> str:
    """A QR code as a ``data:`` address."""
    out = BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=2).save(out)
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode()
