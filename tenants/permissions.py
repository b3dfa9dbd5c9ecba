"""What a token may do, and which tenants it sees."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rest_framework import exceptions, permissions

from tenants.models import ApiKey, Tenant
from tenants.scope import every_tenant, tenant_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_framework.request import Request
    from rest_framework.views import APIView


class HasToken(permissions.BasePermission):
    """Any valid token, a tenant's or an operator's."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, ApiKey)


class IsOperator(permissions.BasePermission):
    """An operator's token: one that belongs to no tenant."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, ApiKey) and request.auth.tenant_id is None


@contextmanager
def token_scope(request: Request) -> Iterator[Tenant | None]:
    """Open what the token may see: its tenant; for operators all, or the one named by ``?tenant=<slug>``."""
    key: Any = request.auth
    assert isinstance(key, ApiKey)
    slug = request.query_params.get("tenant")
    tenant = key.tenant
    if slug and tenant is None and "\x00" not in slug:
        tenant = Tenant.objects.filter(slug=slug).first()
    if slug and (tenant is None or tenant.slug != slug):
        raise exceptions.NotFound("There is no such tenant.")
    if tenant is None:
        with every_tenant():
            yield None
    else:
        with tenant_scope(tenant.pk):
            yield tenant
