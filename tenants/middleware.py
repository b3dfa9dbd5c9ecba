"""What a request passes: who speaks for the caller, a slot for the database, the tenant of its portal."""

from __future__ import annotations

import copy
import ipaddress
import re
import time
from functools import cache
from typing import TYPE_CHECKING

from django.core.exceptions import BadRequest, DisallowedHost
from django.http import Http404, HttpRequest, JsonResponse
from django.http.request import split_domain_port
from django.urls import get_script_prefix, set_script_prefix

from circuitos.env import env
from tenants import framing
from tenants.models import Tenant
from tenants.slots import Busy, database_slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponseBase

    GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Addresses that mean the same on every host; none of them asks for a portal's tenant.
PLATFORM = ("/hooks/", "/api/", "/admin/", "/static/", "/connect/", "/healthz", "/readyz", "/metrics")
# They never use the database, or take their slot themselves.
WITHOUT_SLOT = ("/hooks/", "/static/", "/healthz", "/readyz", "/metrics")
PORTAL_URLS = "circuitos.portal_urls"
CACHE_SECONDS = 5.0
CACHE_SIZE = 10_000

_PATH = re.compile(r"/t/(?P<slug>[a-z][a-z0-9-]{0,39})(?P<rest>/.*|)")
_FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO")


class TrustedProxies:
    """Lets the proxies of ``TRUSTED_PROXIES`` speak for the caller; from others the headers are dropped."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        chain, host, scheme = (request.META.pop(name, "") for name in _FORWARDED)
        if (chain or host or scheme) and _is_trusted(request.META.get("REMOTE_ADDR", "")):
            # From the right: each trusted proxy vouches for the address to its left.
            for address in reversed([part.strip() for part in chain.split(",") if part.strip()]):
                request.META["REMOTE_ADDR"] = address
                if not _is_trusted(address):
                    break
            if host:
                request.META["HTTP_HOST"] = host.rpartition(",")[2].strip()
            if scheme in {"http", "https"}:
                request.environ["wsgi.url_scheme"] = scheme  # type: ignore[attr-defined]  # a WSGIRequest
        return self.get_response(request)


class DatabaseSlots:
    """Lets few requests use the database at once; webhooks go by the group commit's own connection."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(WITHOUT_SLOT):
            return self.get_response(request)
        try:
            with database_slot():
                return self.get_response(request)
        except Busy as error:
            body = {"code": error.code, "detail": str(error)}
            return JsonResponse(body, status=error.status, headers=error.headers)


class Portal:
    """Routes ``<slug>.<BASE_DOMAIN>``, a tenant's own host name and ``/t/<slug>/`` to the tenant's portal."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._cache: dict[tuple[str, str], tuple[float, Tenant | None]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.tenant = None  # type: ignore[attr-defined]
        path = request.path_info
        # NUL names nothing, and the database would not take it. The API's filters say so by name.
        if "\x00" in path:
            raise Http404
        if "%00" in request.META.get("QUERY_STRING", "") and not path.startswith("/api/"):
            raise BadRequest
        if path.startswith(PLATFORM):
            return self.get_response(request)
        match = _PATH.fullmatch(path)
        if match:
            tenant = self._tenant("slug", match["slug"])
            if tenant is None:
                raise Http404
            request.path_info = match["rest"] or "/"
            prefix = get_script_prefix()
            set_script_prefix(f"/t/{tenant.slug}/")
            try:
                return self._enter(request, tenant)
            finally:
                set_script_prefix(prefix)
        tenant = self._of_host(request)
        return self._enter(request, tenant) if tenant else self.get_response(request)

    def _enter(self, request: HttpRequest, tenant: Tenant) -> HttpResponseBase:
        request.tenant = tenant  # type: ignore[attr-defined]
        request.urlconf = PORTAL_URLS
        response = self.get_response(request)
        framing.allow(response, framing.ancestors(tenant))  # type: ignore[arg-type]
        return response

    def _of_host(self, request: HttpRequest) -> Tenant | None:
        try:
            host, _ = split_domain_port(request.get_host())
        except DisallowedHost:
            return None  # CommonMiddleware answers it
        domain = "." + env().base_domain
        if host.endswith(domain) and host.count(".") == domain.count("."):
            return self._tenant("slug", host.removesuffix(domain))
        return self._tenant("domains__domain", host)

    def _tenant(self, field: str, value: str) -> Tenant | None:
        """The tenant, as it was at most five seconds ago; also that there is none is remembered."""
        now = time.monotonic()
        known = self._cache.get((field, value))
        if known is None or known[0] < now:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()  # host names are the caller's to invent
            tenant = Tenant.objects.select_related("tier", "branding").filter(**{field: value}).first()
            known = self._cache[field, value] = (now + CACHE_SECONDS, tenant)
        return copy.copy(known[1])


@cache
def _proxies() -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(proxy, strict=False) for proxy in env().trusted_proxies)


def _is_trusted(address: str) -> bool:
    if not _proxies():
        return False
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in _proxies())
