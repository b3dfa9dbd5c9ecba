"""The REST API of tenants and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants import api_serializers as shapes
from tenants import audit, audit_chain
from tenants.connections import change, rotate_secret
from tenants.errors import CodedError
from tenants.models import ApiKey, Connection, Tenant
from tenants.openapi import ID, NAMED_TENANT, PAGING, SLUG, TENANT, ErrorSerializer
from tenants.paging import Newest
from tenants.permissions import HasToken, IsOperator, token_scope
from tenants.setup import link, read_connection, read_plan, set_up

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


_SLUG = OpenApiParameter("slug", SLUG, "path", description="The tenant's slug.")
_ONE = [ID, TENANT]


class TenantList(APIView):
    """Tenants: all for operators, its own for a tenant's token. Operators create them."""

    def get_permissions(self) -> list[Any]:
        return [IsOperator()] if self.request.method == "POST" else [HasToken()]

    @extend_schema(
        operation_id="tenants_list",
        summary="List the tenants",
        parameters=PAGING,
        responses=shapes.TenantPage,
    )
    def get(self, request: Request) -> Response:
        paginator = Newest()
        rows = paginator.paginate_queryset(_tenants(request), request, view=self) or []
        return paginator.get_paginated_response(shapes.TenantSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="tenants_create",
        summary="Create a tenant",
        description="Operators create a tenant whole: its schema, its owner, a token and its connections."
        " The token, the owner's password and the signing secrets are shown this once.",
        request=shapes.NewTenantSerializer,
        responses={201: shapes.MadeTenantSerializer, 403: ErrorSerializer, 409: ErrorSerializer},
    )
    def post(self, request: Request) -> Response:
        plan = read_plan(request.data if isinstance(request.data, dict) else {})
        made = set_up(plan, actor=_actor(request), at=now())
        connections = [
            {**shapes.ConnectionSerializer(connection, context={"request": request}).data, "secrets": secrets}
            for connection, secrets in made.connections
        ]
        once = {
            "api_token": made.token,
            "owner_password": made.owner_password,
            "connections": connections,
        }
        return Response({**shapes.TenantSerializer(made.tenant).data, **once}, status.HTTP_201_CREATED)


class TenantDetail(APIView):
    """One tenant. Operators change its name, tier, status, timezone and settings."""

    permission_classes = (HasToken,)

    @extend_schema(
        operation_id="tenants_retrieve",
        summary="Show a tenant",
        description="A tenant's token sees its own.",
        parameters=[_SLUG],
        responses=shapes.TenantSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        return Response(shapes.TenantSerializer(_tenant(request, slug)).data)

    @extend_schema(
        operation_id="tenants_update",
        summary="Change a tenant",
        description="Operators change name, tier, status, timezone and settings; what is left out stays.",
        parameters=[_SLUG],
        request=shapes.TenantSerializer,
        responses={200: shapes.TenantSerializer, 403: ErrorSerializer},
    )
    def patch(self, request: Request, slug: str) -> Response:
        tenant = _tenant(request, slug)  # first: of another's, nobody learns that it is there
        if not IsOperator().has_permission(request, self):
            raise exceptions.PermissionDenied
        serializer = shapes.TenantSerializer(tenant, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            serializer.save()
            audit.record(
                actor=_actor(request),
                verb="changed",
                target=f"tenant {tenant.slug}",
                tenant=tenant,
                data={"fields": sorted(serializer.validated_data)},
                at=now(),
            )
        return Response(serializer.data)


class AuditChain(APIView):
    """Whether the audit log still holds, as the last look found."""

    permission_classes = (IsOperator,)

    @extend_schema(
        operation_id="audit_chain",
        summary="Show whether the audit log holds",
        description="For operators. The log is looked at every hour, up to 50,000 rows at a time;"
        " `manage.py doctor` looks at all of it.",
        responses={200: shapes.AuditChainSerializer, 403: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        return Response(shapes.AuditChainSerializer(audit_chain.state()).data)


class NoTenantNamed(CodedError):
    """An operator's token belongs to no tenant: the request must name one."""

    code = "api.bad-filter"


class ConnectionList(APIView):
    """Connections of the token's tenant; of all, or of ``?tenant=<slug>``, for operators."""

    @extend_schema(
        operation_id="connections_list",
        summary="List the connections",
        parameters=[TENANT, *PAGING],
        responses=shapes.ConnectionPage,
    )
    def get(self, request: Request) -> Response:
        paginator = Newest()
        rows = paginator.paginate_queryset(_connections(request), request, view=self) or []
        data = shapes.ConnectionSerializer(rows, many=True, context={"request": request}).data
        return paginator.get_paginated_response(data)

    @extend_schema(
        operation_id="connections_create",
        summary="Link a CRM account",
        description="The address and the signing secrets stand in the answer, the secrets this once.",
        parameters=[NAMED_TENANT],
        request=shapes.NewConnectionSerializer,
        responses={201: shapes.MadeConnectionSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = shapes.NewConnectionSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        plan = read_connection(wanted.validated_data)
        with token_scope(request) as tenant:
            if tenant is None:
                raise NoTenantNamed("tenant: name the tenant that the connection is for.", filter="tenant")
            # What an operator links is known to be the tenant's; what a tenant links, it says so.
            key = request.auth
            is_proven = isinstance(key, ApiKey) and key.tenant_id is None
            connection, secrets = link(tenant, plan, is_proven=is_proven, actor=_actor(request), at=now())
        shown = shapes.ConnectionSerializer(connection, context={"request": request}).data
        return Response({**shown, "secrets": secrets}, status.HTTP_201_CREATED)


class ConnectionDetail(APIView):
    """One connection."""

    @extend_schema(
        operation_id="connections_retrieve",
        summary="Show a connection",
        parameters=_ONE,
        responses=shapes.ConnectionSerializer,
    )
    def get(self, request: Request, code: str) -> Response:
        connection = _connection(request, code)
        return Response(shapes.ConnectionSerializer(connection, context={"request": request}).data)

    @extend_schema(
        operation_id="connections_update",
        summary="Change a connection",
        description="Its name, whether it is active, and the token we write to the CRM with. A connection is"
        " switched off, not deleted: events keep pointing to it.",
        parameters=_ONE,
        request=shapes.ChangedConnectionSerializer,
        responses=shapes.ConnectionSerializer,
    )
    def patch(self, request: Request, code: str) -> Response:
        connection = _connection(request, code)
        wanted = shapes.ChangedConnectionSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        change(connection, wanted.validated_data, actor=_actor(request), at=now())
        return Response(shapes.ConnectionSerializer(connection, context={"request": request}).data)


class RotateSecret(APIView):
    """A new signing secret; the ones before it still verify for a day."""

    @extend_schema(
        operation_id="connections_rotate_secret",
        summary="Rotate the signing secret",
        parameters=_ONE,
        request=shapes.NewSecretSerializer,
        responses=shapes.SecretSerializer,
    )
    def post(self, request: Request, code: str) -> Response:
        connection = _connection(request, code)
        wanted = shapes.NewSecretSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        with transaction.atomic():
            secret = rotate_secret(connection=connection, new=wanted.validated_data.get("secret"), at=now())
            audit.record(
                actor=_actor(request),
                verb="rotated the secret of",
                target=f"connection {connection.code}",
                tenant=connection.tenant,
                at=now(),
            )
        return Response({"secret": secret})


def _tenants(request: Request) -> QuerySet[Tenant]:
    key = request.auth
    assert isinstance(key, ApiKey)
    rows: QuerySet[Tenant] = Tenant.objects.select_related("tier")
    return rows if key.tenant_id is None else rows.filter(pk=key.tenant_id)


def _tenant(request: Request, slug: str) -> Tenant:
    tenant = _tenants(request).filter(slug=slug).first()
    if tenant is None:
        raise exceptions.NotFound("There is no such tenant.")
    return tenant


def _connections(request: Request) -> QuerySet[Connection]:
    with token_scope(request) as tenant:
        rows = Connection.objects.select_related("tenant")
        return rows if tenant is None else rows.filter(tenant=tenant)


def _connection(request: Request, code: str) -> Connection:
    try:
        found = _connections(request).filter(code=UUID(code)).first()
    except ValueError:
        found = None
    if found is None:
        raise exceptions.NotFound("There is no such connection.")
    return found


def _actor(request: Request) -> str:
    key = request.auth
    assert isinstance(key, ApiKey)
    return f"token {key.prefix}" + (f" of {key.user.get_username()}" if key.user else "")
