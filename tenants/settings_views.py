"""The portal's settings page, for owners: name, time zone and look; and the look's stylesheet and logo."""

from __future__ import annotations

import zoneinfo
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timezone import now
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tenants import accents, branding
from tenants.errors import CodedError
from tenants.models import Logo, Tenant
from tenants.views import for_owners

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tenants.models import Branding

_FOR_A_YEAR = cache_control(max_age=31_536_000, immutable=True, public=True)


class LookForm(forms.Form):
    name = forms.CharField(max_length=120, label="Name", help_text="On each page and mail.")
    timezone = forms.ChoiceField(label="Time zone", help_text="Your day begins at its midnight: quotas too.")
    accent = forms.CharField(
        max_length=7,
        required=False,
        label="Accent colour",
        help_text="Like #0b6b2a. Made lighter in the dark and darker in the light until it can be read.",
    )
    logo = forms.FileField(required=False, label="Logo", help_text="PNG, JPEG or WebP, at most 200 kB.")
    forgets_logo = forms.BooleanField(required=False, label="Take the logo away")
    sender_name = forms.CharField(
        max_length=80, required=False, label="Sender of mails", help_text="Empty: the name above."
    )
    reply_to = forms.EmailField(
        max_length=150, required=False, label="Answers go to", help_text="An address people may write to."
    )
    frame_ancestors = forms.CharField(
        required=False,
        max_length=3_000,
        label="Sites that may show this portal in a frame",
        help_text="One a line, like https://app.gohighlevel.com. Empty: none.",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zoneinfo.available_timezones())
        self.fields["timezone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@for_owners
def look(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """Shows the settings as they are now, and stores them."""
    # Not the tenant of the request, which may be some seconds old: one sees what one has just saved.
    fresh = Tenant.objects.select_related("tier", "branding").get(pk=tenant.pk)
    request.tenant = fresh  # type: ignore[attr-defined]
    row = branding.of(fresh)
    form = LookForm(request.POST or None, request.FILES or None, initial=_initial(fresh, row))
    if request.method == "POST" and form.is_valid():
        try:
            branding.save(fresh, _look(form), actor=request.user.get_username(), at=now())
        except CodedError as error:
            form.add_error(_FIELDS.get(error.code), str(error))
        else:
            messages.success(request, "Saved. Other pages show it within some seconds.")
            return redirect("portal-settings")
    shown = {"page": "settings", "form": form, "look": row, "shades": _shades(row.accent)}
    return render(request, "portal/settings.html", shown)


@require_safe
@_FOR_A_YEAR
def stylesheet(request: HttpRequest, accent: str) -> HttpResponse:
    """The accent as a stylesheet; its address is its content, so it never grows old."""
    try:
        return HttpResponse(accents.stylesheet(accents.read(accent)), content_type="text/css; charset=utf-8")
    except accents.BadAccent:
        raise Http404 from None


@require_safe
@_FOR_A_YEAR
def logo(request: HttpRequest, digest: str) -> HttpResponse:
    """The tenant's logo."""
    found = Logo.objects.filter(
        tenant=request.tenant,  # type: ignore[attr-defined]
        tenant__branding__logo_digest=digest,
    ).first()
    if found is None:
        raise Http404
    return HttpResponse(bytes(found.data), content_type=found.media_type)


_FIELDS = {
    accents.BadAccent.code: "accent",
    branding.BadLogo.code: "logo",
    branding.BadOrigin.code: "frame_ancestors",
}


def _initial(tenant: Tenant, row: Branding) -> dict[str, Any]:
    return {
        "name": tenant.name,
        "timezone": tenant.timezone,
        "accent": f"#{row.accent}" if row.accent else "",
        "sender_name": row.sender_name,
        "reply_to": row.reply_to,
        "frame_ancestors": "\n".join(row.frame_ancestors),
    }


def _look(form: LookForm) -> branding.Look:
    values = form.cleaned_data
    file = values["logo"]
    return branding.Look(
        name=values["name"],
        timezone=values["timezone"],
        accent=values["accent"],
        sender_name=values["sender_name"],
        reply_to=values["reply_to"],
        frame_ancestors=tuple(values["frame_ancestors"].split()),
        # One byte more than is allowed is enough to refuse it.
        logo=file.read(branding.LARGEST_LOGO + 1) if file else None,
        forgets_logo=values["forgets_logo"],
    )


def _shades(accent: str) -> list[dict[str, str]]:
    if not accent:
        return []
    return [
        {"name": name, "ground": ground, "accent": shade, "ink": accents.text_on(shade)}
        for name, ground, shade in (
            ("In the dark", accents.DARK_GROUND, accents.on_dark(accent)),
            ("In the light", accents.LIGHT_GROUND, accents.on_light(accent)),
        )
    ]
