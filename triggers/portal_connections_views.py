"""The portal's connection pages: each verb is one call, a row in the audit log, and a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tenants import connection_changes
from tenants.addresses import hook_url
from tenants.choices import CRM
from tenants.connection_forms import NewConnectionForm, SecretForm, TokenForm
from tenants.connections import BadConnection
from tenants.errors import CodedError
from tenants.reauthentication import demand
from tenants.views import for_members, for_owners
from triggers import connection_news, crm_fields, portal_connections, test_event, token_check, usage_words

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from tenants.models import Connection, Tenant
    from triggers.connection_health import Health


@never_cache
@require_GET
@for_members
def connections(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """All of them, with their health."""
    return render(request, "portal/connections.html", portal_connections.list_page(tenant, at=now()))


@never_cache
@require_http_methods(["GET", "POST"])
@for_owners
def new(request: HttpRequest, tenant: Tenant, crm: str) -> HttpResponse:
    """Link an account of this CRM."""
    if crm not in CRM.values:
        raise Http404
    form = NewConnectionForm(CRM(crm), request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            connection, secret = connection_changes.link(
                tenant=tenant,
                crm=crm,
                name=form.cleaned_data["name"],
                account_id=form.cleaned_data.get("account_id", ""),
                secret=form.cleaned_data.get("secret", ""),
                is_workflow=form.cleaned_data.get("way") == "workflow",
                actor=request.user.get_username(),
                at=now(),
            )
        except CodedError as error:
            form.add_error(None, str(error))
        else:
            if secret:
                # Not redirected to: the secret is nowhere to be read again.
                return _show(request, tenant, _health(tenant, connection.code), new_secret=secret)
            messages.success(request, f"{connection} is connected. Follow the steps below in your CRM.")
            return redirect("portal-connection", code=connection.code)
    context = {
        "page": "connections",
        "form": form,
        "crm": crm,
        "crm_name": CRM(crm).label,
        "events_to_tick": portal_connections.EVENTS_TO_TICK[CRM(crm)],
    }
    return render(request, "portal/connection_new.html", context)


@never_cache
@require_GET
@for_members
def one(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """One connection: what came last, how it is set up, its secret."""
    return _show(request, tenant, _health(tenant, code))


@never_cache
@require_GET
@for_members
def arrived(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """The part of the page that is asked for again while something is expected."""
    connection = _health(tenant, code).connection
    news = connection_news.latest(connection)
    context = portal_connections.arrived(tenant, connection, news, at=now())
    return render(request, "portal/_arrived.html", context)


@never_cache
@require_POST
@for_owners
def send_test(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Send a test event, as the CRM would."""
    connection = _health(tenant, code).connection
    try:
        test_event.send(
            connection=connection,
            url=hook_url(connection, request),
            actor=request.user.get_username(),
            at=now(),
        )
    except CodedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "A test event is on its way. It is not counted, and marked as a test.")
    return redirect("portal-connection", code=code)


@never_cache
@require_POST
@for_owners
def rotate(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """A new signing secret, shown this once; asks again who it is."""
    asked = demand(request, back=reverse("portal-connection", args=[code]))
    if asked is not None:
        return asked
    connection = _health(tenant, code).connection
    form = SecretForm(request.POST)
    at = now()
    try:
        if not form.is_valid():
            raise BadConnection("This cannot be a secret.")
        rotated = connection_changes.rotate(
            connection=connection,
            new=form.cleaned_data["secret"],
            actor=request.user.get_username(),
            at=at,
        )
    except CodedError as error:
        messages.error(request, str(error))
        return redirect("portal-connection", code=code)
    until = usage_words.moment(rotated.until, tenant.timezone, at=at)
    # One that the CRM gave is known; one made here is shown, and nowhere to be read again.
    made = "" if form.cleaned_data["secret"] else rotated.secret
    messages.success(request, f"The secret is new. The old one still verifies until {until}.")
    if not made:
        return redirect("portal-connection", code=code)
    return _show(request, tenant, _health(tenant, code), new_secret=made, old_until=until)


@never_cache
@require_POST
@for_owners
def switch(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Pause the connection, or resume it."""
    connection = _health(tenant, code).connection
    is_active = request.POST.get("is_active") == "yes"
    connection_changes.switch(
        connection=connection, is_active=is_active, actor=request.user.get_username(), at=now()
    )
    messages.success(
        request,
        f"{connection} is on: what its CRM sends is taken."
        if is_active
        else f"{connection} is switched off: what its CRM sends is refused, and not kept.",
    )
    return redirect("portal-connection", code=code)


@never_cache
@require_POST
@for_owners
def token(request: HttpRequest, tenant: Tenant, code: UUID) -> HttpResponse:
    """Keep the API token for writing back, or forget it; asks again who it is."""
    asked = demand(request, back=reverse("portal-connection", args=[code]))
    if asked is not None:
        return asked
    connection = _health(tenant, code).connection
    is_forgetting = request.POST.get("forget") == "yes"
    form = TokenForm(request.POST)
    try:
        actor = request.user.get_username()
        if is_forgetting:
            connection_changes.keep_token(connection=connection, token=None, actor=actor, at=now())
        elif form.is_valid():
            token_check.keep(connection, form.cleaned_data["token"], actor=actor, at=now())
        else:
            raise BadConnection(f"Write the token that {connection.get_crm_display()} shows.")
    except CodedError as error:
        messages.error(request, str(error))
    else:
        if not is_forgetting:
            crm_fields.read_soon(connection)
        said = "The token is forgotten. Nothing is written to the CRM from now on."
        if not is_forgetting:
            said = "The token works, and is kept sealed. From now on changes are written to the CRM."
            if not portal_connections.writes_to(connection.crm):
                said = "The token works, and is kept sealed."
        messages.success(request, said)
    return redirect("portal-connection", code=code)


def _health(tenant: Tenant, code: UUID) -> Health:
    health = portal_connections.find(tenant, str(code), at=now())
    if health is None:
        raise Http404
    return health


def _show(request: HttpRequest, tenant: Tenant, health: Health, **more: str) -> HttpResponse:
    connection: Connection = health.connection
    page = portal_connections.detail_page(tenant, health, url=hook_url(connection, request), at=now())
    return render(request, "portal/connection.html", {**page, **more})
