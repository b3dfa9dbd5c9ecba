"""What the REST API says and takes of tenants and connections; the shapes stand in its OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from tenants.addresses import hook_url
from tenants.choices import CRM, TenantStatus
from tenants.models import Connection, Tenant, Tier
from tenants.openapi import PageSerializer
from tenants.provision import BadTenant, check_timezone
from tenants.strict import Strict


class TenantSerializer(Strict, serializers.ModelSerializer[Tenant]):
    """A tenant. Its slug is its address and does not change."""

    id = serializers.UUIDField(source="code", read_only=True)
    slug = serializers.SlugField(read_only=True)
    tier = serializers.SlugRelatedField(slug_field="slug", queryset=Tier.objects.all())
    status = serializers.ChoiceField(choices=TenantStatus.choices)
    settings = serializers.DictField(help_text="business facts and settings of the agents")

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


class NewConnectionSerializer(Strict):
    """A CRM account to link."""

    crm = serializers.ChoiceField(CRM.choices)
    account_id = serializers.CharField(
        required=False, allow_blank=True, max_length=120, help_text="the CRM's own id: locationId, portalId"
    )
    name = serializers.CharField(required=False, allow_blank=True, max_length=120)
    secrets = serializers.ListField(
        child=serializers.CharField(max_length=500),
        required=False,
        max_length=10,
        help_text="that sign its webhooks, newest first; where we make it, one is made when you give none",
    )
    api_token = serializers.CharField(
        required=False, max_length=2000, help_text="to write to the CRM; never comes out"
    )
    public_keys = serializers.ListField(
        child=serializers.CharField(max_length=2000),
        required=False,
        max_length=10,
        help_text="base64 SPKI, in place of the CRM's published ones",
    )
    is_workflow = serializers.BooleanField(
        required=False, help_text="GoHighLevel: a workflow's Webhook action sends, proven by a shared secret"
    )
    allowed_senders = serializers.ListField(
        child=serializers.CharField(max_length=50),
        required=False,
        max_length=50,
        help_text="networks (CIDR) that deliveries may come from; empty: any",
    )


class NewTenantSerializer(Strict):
    """A tenant to create."""

    slug = serializers.CharField(max_length=40, help_text="its address; does not change")
    name = serializers.CharField(required=False, max_length=120)
    tier = serializers.CharField(required=False, max_length=40)
    timezone = serializers.CharField(required=False, max_length=64, help_text="such as America/Denver")
    host = serializers.CharField(required=False, max_length=253, help_text="a host name of its portal")
    settings = serializers.DictField(required=False)
    owner = serializers.EmailField(required=False, max_length=150, help_text="who is made its owner")
    connections = NewConnectionSerializer(many=True, required=False)


class NewSecretSerializer(Strict):
    """The secret the CRM gave; without one, a random one is made."""

    secret = serializers.CharField(required=False, max_length=500)


class SecretSerializer(serializers.Serializer[Any]):
    """The new secret, shown this once."""

    secret = serializers.CharField()


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """A connection; its secrets never come out."""

    id = serializers.UUIDField(source="code", read_only=True)
    tenant: serializers.SlugRelatedField[Tenant] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True
    )
    status = serializers.SerializerMethodField(
        help_text="active, inactive (its address answers 404), or needs-reconnecting: the CRM no longer lets"
        " us in, its events and our writes wait"
    )
    url = serializers.SerializerMethodField(help_text="where the CRM sends its webhooks")

    class Meta:
        model = Connection
        fields = [
            *("id", "tenant", "crm", "name", "account_id", "status", "url", "created_at", "last_event_at"),
            *("reconnect_since", "reconnect_reason"),
        ]

    def get_status(self, connection: Connection) -> str:
        if connection.is_active and connection.reconnect_since is not None:
            return "needs-reconnecting"
        return "active" if connection.is_active else "inactive"

    def get_url(self, connection: Connection) -> str:
        return hook_url(connection, self.context["request"]._request)  # noqa: SLF001  # the plain request


class MadeConnectionSerializer(ConnectionSerializer):
    """A new connection with its signing secrets, shown this once."""

    secrets = serializers.ListField(child=serializers.CharField())

    class Meta(ConnectionSerializer.Meta):
        fields = [*ConnectionSerializer.Meta.fields, "secrets"]


class ChangedConnectionSerializer(Strict):
    """What of a connection to change."""

    name = serializers.CharField(required=False, allow_blank=True, max_length=120)
    is_active = serializers.BooleanField(required=False, help_text="false: its address answers 404")
    api_token = serializers.CharField(
        required=False, allow_null=True, max_length=2000, help_text="null forgets it; never comes out"
    )


class MadeTenantSerializer(TenantSerializer):
    """A new tenant with its token and the owner's password, shown this once."""

    api_token = serializers.CharField()
    owner_password = serializers.CharField(allow_null=True)
    connections = MadeConnectionSerializer(many=True)

    class Meta(TenantSerializer.Meta):
        fields = [*TenantSerializer.Meta.fields, "api_token", "owner_password", "connections"]


class AuditChainSerializer(serializers.Serializer[Any]):
    """What the last look at the audit log found."""

    holds = serializers.BooleanField()
    sentence = serializers.CharField()
    rows = serializers.IntegerField(help_text="looked at since the first")
    checked_at = serializers.DateTimeField(allow_null=True)
    whole_at = serializers.DateTimeField(allow_null=True, help_text="when its end was reached last")
    broken_id = serializers.IntegerField(allow_null=True, help_text="the first row that does not fit")
    broken_at = serializers.DateTimeField(allow_null=True, help_text="when that was found")


class TenantPage(PageSerializer):
    """A page of tenants."""

    results = TenantSerializer(many=True)


class ConnectionPage(PageSerializer):
    """A page of connections."""

    results = ConnectionSerializer(many=True)
