"""The REST API of tenants and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants import audit
from tenants.addresses import hook_url
from tenants.choices import TenantStatus
from tenants.connections import rotate_secret
from tenants.models import ApiKey, Connection, Tenant, Tier
from tenants.paging import Newest
from tenants.permissions import HasToken, IsOperator, token_scope
from tenants.provision import BadTenant, check_timezone
from tenants.setup import read_plan, set_up

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant. Its slug is its address and does not change."""

    id = serializers.UUIDField(source="code", read_only=True)
    slug = serializers.SlugField(read_only=True)
    tier = serializers.SlugRelatedField(slug_field="slug", queryset=Tier.objects.all())
    status = serializers.ChoiceField(choices=TenantStatus.choices)

    class Meta:
        model = Tenant
        fields = ["id", "slug", "name", "tier", "status", "timezone", "settings", "created_at"]
        read_only_fields = ["created_at"]

    def validate_timezone(self, value: str) -> str:
        try:
            check_timezone(value)
        except BadTenant as error:
            raise serializers.ValidationError(str(error)) from error
        return value

    def validate_settings(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise serializers.ValidationError("Settings are an object.")
        return value


class NewConnectionSerializer(serializers.Serializer[Any]):
    """A CRM account to link."""

    crm = serializers.CharField()
    account_id = serializers.CharField(required=False, allow_blank=True)
    name = serializers.CharField(required=False, allow_blank=True)
    secrets = serializers.ListField(child=serializers.CharField(), required=False)
    api_token = serializers.CharField(required=False, help_text="To write to the CRM.")
    public_keys = serializers.ListField(child=serializers.CharField(), required=False)


class NewTenantSerializer(serializers.Serializer[Any]):
    """A tenant to create."""

    slug = serializers.CharField()
    name = serializers.CharField(required=False)
    tier = serializers.CharField(required=False)
    timezone = serializers.CharField(required=False)
    host = serializers.CharField(required=False)
    settings = serializers.DictField(required=False)
    owner = serializers.EmailField(required=False)
    connections = NewConnectionSerializer(many=True, required=False)


class NewSecretSerializer(serializers.Serializer[Any]):
    """The secret the CRM gave; without one, a random one is made."""

    secret = serializers.CharField(required=False, max_length=500)


class SecretSerializer(serializers.Serializer[Any]):
    """The new secret, shown this once."""

    secret = serializers.CharField()


class MadeTenantSerializer(TenantSerializer):
    """A new tenant with its token and the owner's password, shown this once."""

    api_token = serializers.CharField()
    owner_password = serializers.CharField(allow_null=True)
    connections = serializers.ListField()

    class Meta(TenantSerializer.Meta):
        fields = [*TenantSerializer.Meta.fields, "api_token", "owner_password", "connections"]


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """A connection; its secrets never come out."""

    id = serializers.UUIDField(source="code", read_only=True)
    tenant: serializers.SlugRelatedField[Tenant] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True
    )
    status = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Connection
        fields = ["id", "tenant", "crm", "name", "account_id", "status", "url", "created_at", "last_event_at"]

    def get_status(self, connection: Connection) -> str:
        return "active" if connection.is_active else "inactive"

    def get_url(self, connection: Connection) -> str:
        return hook_url(connection, self.context["request"]._request)  # noqa: SLF001  # the plain request


class TenantList(APIView):
    """Tenants: all for operators, its own for a tenant's token. Operators create them."""

    def get_permissions(self) -> list[Any]:
        return [IsOperator()] if self.request.method == "POST" else [HasToken()]

    @extend_schema(operation_id="tenants_list", responses=TenantSerializer(many=True))
    def get(self, request: Request) -> Response:
        paginator = Newest()
        rows = paginator.paginate_queryset(_tenants(request), request, view=self) or []
        return paginator.get_paginated_response(TenantSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="tenants_create", request=NewTenantSerializer, responses={201: MadeTenantSerializer}
    )
    def post(self, request: Request) -> Response:
        plan = read_plan(request.data if isinstance(request.data, dict) else {})
        made = set_up(plan, actor=_actor(request), at=now())
        connections = [
            {**ConnectionSerializer(connection, context={"request": request}).data, "secrets": secrets}
            for connection, secrets in made.connections
        ]
        once = {
            "api_token": made.token,
            "owner_password": made.owner_password,
            "connections": connections,
        }
        return Response({**TenantSerializer(made.tenant).data, **once}, status.HTTP_201_CREATED)


class TenantDetail(APIView):
    """One tenant. Operators change its name, tier, status, timezone and settings."""

    def get_permissions(self) -> list[Any]:
        return [IsOperator()] if self.request.method == "PATCH" else [HasToken()]

    @extend_schema(operation_id="tenants_retrieve", responses=TenantSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TenantSerializer(_tenant(request, slug)).data)

    @extend_schema(operation_id="tenants_update", request=TenantSerializer, responses=TenantSerializer)
    def patch(self, request: Request, slug: str) -> Response:
        tenant = _tenant(request, slug)
        serializer = TenantSerializer(tenant, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
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


class ConnectionList(APIView):
    """Connections of the token's tenant; of all, or of ``?tenant=<slug>``, for operators."""

    @extend_schema(operation_id="connections_list", responses=ConnectionSerializer(many=True))
    def get(self, request: Request) -> Response:
        paginator = Newest()
        rows = paginator.paginate_queryset(_connections(request), request, view=self) or []
        data = ConnectionSerializer(rows, many=True, context={"request": request}).data
        return paginator.get_paginated_response(data)


class ConnectionDetail(APIView):
    """One connection."""

    @extend_schema(operation_id="connections_retrieve", responses=ConnectionSerializer)
    def get(self, request: Request, code: str) -> Response:
        connection = _connection(request, code)
        return Response(ConnectionSerializer(connection, context={"request": request}).data)


class RotateSecret(APIView):
    """A new signing secret; the ones before it still verify for a day."""

    @extend_schema(
        operation_id="connections_rotate_secret", request=NewSecretSerializer, responses=SecretSerializer
    )
    def post(self, request: Request, code: str) -> Response:
        connection = _connection(request, code)
        wanted = NewSecretSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
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
