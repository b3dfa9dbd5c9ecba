"""Installing an app: ``/connect/<crm>/`` leads to the CRM, ``…/callback/`` takes its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from circuitos.env import env
from tenants.addresses import base_url
from tenants.choices import CRM, Role
from tenants.errors import CodedError
from tenants.members import role_of
from tenants.models import Domain, Tenant
from tenants.operators import admin_url
from triggers import oauth_install, oauth_providers, oauth_state
from triggers.oauth_providers import InstallFailed

if TYPE_CHECKING:
    from django.http import HttpRequest

    from triggers.oauth_providers import Granted
    from triggers.oauth_state import State

MAY_CONNECT = "tenants.change_connection"
INSTALLABLE = (CRM.GOHIGHLEVEL.value, CRM.HUBSPOT.value)
# What CRMs say instead of a code.
_DENIED = frozenset({"access_denied", "user_denied", "consent_required"})


@never_cache
@require_GET
def begin(request: HttpRequest, crm: str) -> HttpResponse:
    """To the CRM: an owner for ``?tenant=<slug>``, an operator also for an agency, without one."""
    _check_crm(crm)
    slug = request.GET.get("tenant", "")[:40]
    tenant = _tenant(slug) if slug else None
    if not request.user.is_authenticated:
        return _sign_in(request, tenant)
    _check_person(request, tenant)
    try:
        if tenant is None and crm != CRM.GOHIGHLEVEL:
            raise oauth_providers.NotSetUp("Name the tenant: only HighLevel installs for a whole agency.")
        oauth_providers.app(crm)
        state = oauth_state.begin(request, crm=crm, tenant=slug)
        target = oauth_providers.authorise_url(crm, redirect_uri=_callback(request, crm), state=state)
    except CodedError as error:
        return _say(request, error, tenant)
    return HttpResponseRedirect(target)


@never_cache
@require_GET
def callback(request: HttpRequest, crm: str) -> HttpResponse:
    """The CRM's answer, at the address that is registered there; it goes on where the person came from."""
    _check_crm(crm)
    tenant: Tenant | None = None
    try:
        state = oauth_state.read(request.GET.get("state", ""))
        if state.crm != crm:
            raise oauth_state.BadState("The answer is of another CRM than was asked. Begin again.")
        if state.origin != f"{request.scheme}://{request.get_host()}":
            # Its session is on another host name. Only to one of ours does a code go on.
            if not _is_ours(state.origin):
                raise oauth_state.BadState("Begin again at your portal's own address.")
            return HttpResponseRedirect(f"{state.origin}{request.path}?{request.GET.urlencode()}")
        tenant = Tenant.objects.filter(slug=state.tenant).first() if state.tenant else None
        oauth_state.use(request, state)
        _check_person(request, tenant)
        granted = _granted(request, crm)
        return _accept(request, state, tenant, granted)
    except CodedError as error:
        return _say(request, error, tenant)


def _granted(request: HttpRequest, crm: str) -> Granted:
    if problem := request.GET.get("error", ""):
        if problem in _DENIED:
            raise InstallFailed("You said no, and nothing was connected. You can begin again at any time.")
        raise InstallFailed("The CRM ended the install. Nothing was connected; begin again.")
    code = request.GET.get("code", "")
    if not code or len(code) > 2_000:
        raise InstallFailed("The CRM's answer holds no code. Begin again.")
    return oauth_providers.exchange(crm, code, redirect_uri=_callback(request, crm), at=now())


def _accept(request: HttpRequest, state: State, tenant: Tenant | None, granted: Granted) -> HttpResponse:
    actor = request.user.get_username()
    if granted.is_company:
        agency = oauth_install.accept_agency(
            crm=state.crm, granted=granted, tenant=tenant, actor=actor, at=now()
        )
        if request.user.has_perm(MAY_CONNECT):
            messages.success(request, "The agency is connected. Choose which locations become tenants.")
            return HttpResponseRedirect(admin_url("triggers.agency", agency.code))
        return _page(
            request,
            "Installed for the whole agency",
            "Your service team now says which of its locations are connected here.",
            tenant,
            status=200,
        )
    if tenant is None:
        raise InstallFailed("You chose one location. Begin in its tenant, or choose the agency.")
    if not granted.account_id:
        raise InstallFailed("The CRM did not say which account it is. Begin again.")
    connection = oauth_install.accept(tenant=tenant, crm=state.crm, granted=granted, actor=actor, at=now())
    messages.success(request, f"{connection} is connected. What it sends is scored from now on.")
    return HttpResponseRedirect(f"{_portal(tenant)}connections/{connection.code}/")


def _check_crm(crm: str) -> None:
    if crm not in INSTALLABLE:
        raise Http404


def _tenant(slug: str) -> Tenant:
    found: Tenant | None = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    return found


def _check_person(request: HttpRequest, tenant: Tenant | None) -> None:
    """Owners for their own tenant, operators for any. A stranger learns of no tenant."""
    if request.user.has_perm(MAY_CONNECT):
        return
    role = role_of(request.user, tenant) if tenant else ""
    if not role:
        raise Http404
    if role != Role.OWNER:
        raise PermissionDenied


def _sign_in(request: HttpRequest, tenant: Tenant | None) -> HttpResponse:
    if tenant is not None:
        return HttpResponseRedirect(f"{_portal(tenant)}sign-in/")
    return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': request.get_full_path()})}")


def _portal(tenant: Tenant) -> str:
    # By path: it is there on every host, and this one has the session.
    return f"/t/{tenant.slug}/"


def _callback(request: HttpRequest, crm: str) -> str:
    """What is registered at the CRM as the redirect address."""
    return f"{base_url(request)}/connect/{crm}/callback/"


def _is_ours(origin: str) -> bool:
    """Whether an origin is a host name of this installation; ``ALLOWED_HOSTS`` may well allow any."""
    host = urlsplit(origin).hostname or ""
    domain = env().base_domain
    if host in {urlsplit(env().public_url).hostname, domain} or host.endswith(f".{domain}"):
        return True
    return bool(Domain.objects.filter(domain=host).exists())


def _say(request: HttpRequest, error: CodedError, tenant: Tenant | None) -> HttpResponse:
    return _page(request, "Not connected", str(error), tenant, status=min(error.status, 409))


def _page(
    request: HttpRequest, title: str, sentence: str, tenant: Tenant | None, *, status: int
) -> HttpResponse:
    is_own = tenant is not None and bool(role_of(request.user, tenant))
    back = f"{_portal(tenant)}connections/" if tenant is not None and is_own else ""
    context = {"title": title, "sentence": sentence, "back": back}
    return render(request, "connect.html", context, status=status)
