"""The portal's API keys: listed, made and revoked by owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from tenants import keys
from tenants.addresses import base_url
from tenants.choices import Role
from tenants.errors import CodedError
from tenants.reauthentication import demand
from tenants.views import for_members, for_owners

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant


class KeyForm(forms.Form):
    """What a key is called."""

    name = forms.CharField(
        max_length=120,
        label="What is it for?",
        help_text="Such as the program that will use it: you see here when it last did.",
    )


@never_cache
@require_GET
@for_members
def api_keys(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The keys, without their tokens."""
    if request.role == Role.MEMBER:  # type: ignore[attr-defined]
        raise PermissionDenied
    return _show(request, tenant, KeyForm())


@never_cache
@require_POST
@for_owners
def create(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """A new key; its token is on this answer and nowhere else. Asks again who it is."""
    asked = demand(request, back=reverse("portal-keys"))
    if asked is not None:
        return asked
    form = KeyForm(request.POST)
    if not form.is_valid():
        return _show(request, tenant, form)
    try:
        key, token = keys.create(
            tenant=tenant, name=form.cleaned_data["name"], actor=request.user.get_username(), at=now()
        )
    except CodedError as error:
        messages.error(request, str(error))
        return redirect("portal-keys")
    messages.success(request, f"The key {key.name} is made.")
    return _show(request, tenant, KeyForm(), token=token)


@never_cache
@require_POST
@for_owners
def revoke(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """End a key."""
    try:
        key = keys.revoke(tenant=tenant, code=code, actor=request.user.get_username(), at=now())
    except keys.NoKey:
        raise Http404 from None
    messages.success(request, f"The key {key.name} is revoked: it opens nothing any more.")
    return redirect("portal-keys")


def _show(request: HttpRequest, tenant: Tenant, form: KeyForm, *, token: str = "") -> HttpResponse:
    context = {
        "page": "keys",
        "keys": keys.of_tenant(tenant),
        "form": form,
        "token": token,
        "base": base_url(request),
    }
    return render(request, "portal/keys.html", context)
