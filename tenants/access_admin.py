"""What operators see and do of what proves who speaks: connections with their secrets, and API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.utils.html import format_html
from django.utils.timezone import now
from unfold.widgets import UnfoldAdminPasswordWidget

from tenants.addresses import hook_url
from tenants.audited_admin import AuditedAdmin
from tenants.choices import CRM
from tenants.clock import time_column
from tenants.connections import (
    BadConnection,
    check_senders,
    rotate_secret,
    set_credentials,
    uses_secret,
)
from tenants.models import ApiKey, Connection
from tenants.operators import TenantFilter
from tenants.reauthentication import demand
from tenants.tokens import issue, revoke

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

FORGET = "-"


class ConnectionForm(forms.ModelForm[Connection]):
    """Secrets go in and never come out."""

    signing_secret = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="As the CRM shows it. The one before it still verifies for 24 hours. Empty: no change.",
    )
    allowed_senders = forms.JSONField(
        required=False,
        initial=list,
        help_text='Networks that deliveries may come from, such as ["203.0.113.0/24"]. Empty: any.',
    )
    api_token = forms.CharField(
        required=False,
        label="API token",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="To write to the CRM: a HubSpot private app's token. Empty: no change; -: forget it.",
    )

    def clean_allowed_senders(self) -> list[str]:
        texts = self.cleaned_data["allowed_senders"] or []
        try:
            return check_senders(texts if isinstance(texts, list) else [texts])
        except BadConnection as error:
            raise forms.ValidationError(str(error)) from error

    def clean_is_workflow(self) -> bool:
        is_workflow: bool = self.cleaned_data["is_workflow"]
        crm = self.instance.crm or self.cleaned_data.get("crm")
        if is_workflow and crm != CRM.GOHIGHLEVEL:
            raise forms.ValidationError("Only GoHighLevel has workflows that send webhooks.")
        return is_workflow


@admin.register(Connection)
class ConnectionAdmin(AuditedAdmin):
    form = ConnectionForm
    change_form_after_template = "console/connection_history.html"
    actions = ["rotate"]
    empty = "No CRM is connected. Open a tenant and link one; its page then shows the address for webhooks."
    list_display = ["__str__", "tenant", "crm", "account_id", "is_active", "access", "last_event"]
    last_event = time_column("last_event_at", "Last event")
    list_filter = ["crm", "is_active", ("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    search_fields = ["account_id", "name"]
    autocomplete_fields = ["tenant"]
    ordering = ["-id"]

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        fields = ["tenant", "crm", "name", "account_id", "signing_secret", "public_keys", "api_token"]
        fields += ["is_workflow", "allowed_senders", "is_active"]
        return ["address", "access", *fields, "last_event_at"] if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        return ["address", "access", "tenant", "crm", "last_event_at"] if obj else []

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
        # An operator says whose account it is.
        obj.is_proven = obj.is_proven or is_new or "account_id" in form.changed_data
        obj.save()
        secret = form.cleaned_data.get("signing_secret", "").strip()
        if secret:
            rotate_secret(connection=obj, new=secret, at=now())
        token = form.cleaned_data.get("api_token", "").strip()
        if token:
            set_credentials(obj, token=None if token == FORGET else token)

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        """A secret put in is a secret rotated."""
        puts_secret = any(request.POST.get(name) for name in ("signing_secret", "api_token"))
        asks = demand(request) if puts_secret else None
        answer: HttpResponse = asks or super().changeform_view(request, *args, **more)
        return answer

    @admin.display(description="Access")
    def access(self, connection: Connection) -> str:
        since = connection.reconnect_since
        if since is None:
            return "Connected"
        return f"Needs reconnecting since {since:%-d %b %H:%M} UTC: {connection.reconnect_reason}"

    @admin.display(description="Webhook address")
    def address(self, connection: Connection) -> str:
        return format_html(
            '<code>{url}</code> <button type="button" data-url="{url}" x-data'
            ' x-on:click="navigator.clipboard.writeText($el.dataset.url)" class="underline">Copy</button>',
            url=hook_url(connection),
        )

    @admin.action(description="Rotate secret", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[Connection]) -> HttpResponse | None:
        if asks := demand(request):
            return asks
        for connection in queryset.select_related("tenant"):
            if not uses_secret(connection.crm, is_workflow=connection.is_workflow):
                messages.warning(
                    request, f"{connection} is signed with GoHighLevel's own key: nothing to rotate."
                )
                continue
            secret = rotate_secret(connection=connection, at=now())
            self.note(request, connection, "rotated the secret of")
            messages.success(
                request,
                format_html(
                    "{}: the new secret, shown this once, is <code>{}</code>. The old verifies for 24 hours.",
                    connection,
                    secret,
                ),
            )
        return None


@admin.register(ApiKey)
class ApiKeyAdmin(AuditedAdmin):
    actions = ["revoke"]
    empty = "No token yet. Issue one to call the REST API; it is shown once."
    list_display = ["name", "prefix", "tenant", "user", "created", "last_used", "revoked"]
    created = time_column("created_at", "Created")
    last_used = time_column("last_used_at", "Last used")
    revoked = time_column("revoked_at", "Revoked")
    list_filter = [("tenant", TenantFilter)]
    list_select_related = ["tenant", "user"]
    fields = ["name", "tenant", "user"]
    autocomplete_fields = ["tenant", "user"]
    search_fields = ["=prefix", "name"]
    ordering = ["-id"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("tenants.change_apikey"))

    def add_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        # Asked before the form is filled in, and again when it stood open too long.
        asks = demand(request) if self.has_add_permission(request) else None
        answer: HttpResponse = asks or super().add_view(request, *args, **more)
        return answer

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"user": request.user.pk}

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
        key, token = issue(tenant=obj.tenant, user=obj.user, name=obj.name)
        obj.__dict__.update(key.__dict__)
        messages.warning(request, format_html("The token is <code>{}</code>. It is shown this once.", token))

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        keys = list(queryset.filter(revoked_at=None))
        for key in keys:
            revoke(key, at=now())
            self.note(request, key, "revoked")
        messages.success(request, f"{len(keys)} tokens no longer work.")
