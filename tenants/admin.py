"""What operators see and do of tenants: plans, connections and their secrets, tokens, the audit log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timezone import now
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminPasswordWidget

from tenants import audit, invitation_mail
from tenants.addresses import hook_url, portal_url
from tenants.clock import time_column
from tenants.connections import rotate_secret, set_credentials
from tenants.errors import CodedError
from tenants.exports import Exported
from tenants.models import ApiKey, AuditEvent, Connection, Domain, Membership, Tenant, Tier
from tenants.new_tenant import open_tenant
from tenants.operators import HistoryAdmin, OperatorAdmin, TenantFilter
from tenants.reauthentication import demand
from tenants.tenant_forms import NewTenantForm, TenantForm
from tenants.tokens import issue, revoke

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Invitation


class AuditedAdmin(OperatorAdmin):
    """Each change by an operator leaves a row in the audit log: which fields, and of some the values."""

    audited: tuple[str, ...] = ()  # fields whose old and new values are noted

    def save_model(self, request: HttpRequest, obj: Model, form: forms.ModelForm[Any], change: bool) -> None:  # noqa: FBT001
        self.store(request, obj, form, is_new=not change)
        changed = [name for name in self.audited if change and name in form.changed_data]
        values = (
            {
                "before": {name: _plain(form.initial.get(name)) for name in changed},
                "after": {name: _plain(form.cleaned_data.get(name)) for name in changed},
            }
            if changed
            else {}
        )
        fields = sorted(form.changed_data)
        self.note(request, obj, "changed" if change else "created", fields=fields, **values)

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
        obj.save()

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.note(request, obj, "deleted")
        super().delete_model(request, obj)

    def note(self, request: HttpRequest, obj: Any, verb: str, **data: Any) -> None:
        tenant = obj if isinstance(obj, Tenant) else getattr(obj, "tenant", None)
        audit.record(
            actor=request.user.get_username(),
            verb=verb,
            target=f"{self.opts.model_name} {obj}",
            tenant=tenant,
            data=data,
            at=now(),
        )


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value


@admin.register(Tier)
class TierAdmin(AuditedAdmin):
    audited = tuple(field.name for field in Tier._meta.concrete_fields)  # noqa: SLF001
    empty = "No tier yet. Add one: a tenant's quotas come from its tier."
    list_display = [
        "name", "slug", "executions_per_day", "api_calls_per_day", "concurrent_executions", "weight",
        "upgrade_to",
    ]  # fmt: skip
    list_select_related = ["upgrade_to"]
    ordering = ["executions_per_day"]
    fieldsets = [
        (None, {"fields": ["slug", "name", "upgrade_to"]}),
        (
            "A day",
            {
                "fields": ["executions_per_day", "api_calls_per_day", "ai_tokens_per_day"],
                "description": "Of the tenant's own calendar. Beyond it events wait in order; none is lost.",
            },
        ),
        (
            "A month",
            {
                "fields": ["executions_per_month", "api_calls_per_month"],
                "description": "Left empty, 30 times the day's.",
            },
        ),
        (
            "Share of the machine",
            {
                "fields": ["concurrent_executions", "weight"],
                "description": "A tenant's own values are set under Limits & quotas.",
            },
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> list[str]:
        return ["slug"] if obj else []


class DomainInline(TabularInline):  # type: ignore[misc]  # unfold ships no types
    model = Domain
    extra = 0


class MembershipInline(TabularInline):  # type: ignore[misc]
    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Tenant)
class TenantAdmin(AuditedAdmin):
    form = TenantForm
    audited = ("tier", "status", "timezone")
    empty = "No tenant yet. Add one, or: python manage.py createtenant"
    list_display = ["name", "slug", "tier", "status", "timezone", "portal"]
    list_filter = ["status", "tier"]
    list_select_related = ["tier"]
    search_fields = ["slug", "name"]
    ordering = ["slug"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        return super().get_form(request, obj, change, **kwargs, **({} if obj else {"form": NewTenantForm}))

    def get_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        if obj is None:
            return ["name", "slug", "tier", "timezone", "owner", "template", "host", "settings"]
        return ["slug", "name", "tier", "timezone", "settings", "status", "schema_name", "portal", "limits"]

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        return ["slug", "schema_name", "portal", "limits"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Tenant | None) -> list[Any]:
        return [DomainInline, MembershipInline] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # it drops a schema: a command's work, not a click's

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
        except CodedError as error:  # what only creating it could tell: another took the name meanwhile
            messages.error(request, f"Nothing was created: {error}")
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
        if not is_new:
            obj.save(update_fields=form.changed_data)
            return
        at = now()
        opened = open_tenant(
            slug=obj.slug,
            name=obj.name,
            tier=obj.tier,
            timezone=obj.timezone,
            settings=obj.settings,
            host=form.cleaned_data["host"] or None,
            owner=form.cleaned_data["owner"],
            template=form.cleaned_data["template"],
            actor=request.user.get_username(),
            at=at,
        )
        obj.__dict__.update(opened.tenant.__dict__)
        if opened.invitation:
            url = f"{portal_url(obj, request)}invitation/{opened.token}/"
            said = "The owner, {}, gets this link by e-mail. It is shown this once: <code>{}</code>"
            messages.info(request, format_html(said, opened.invitation.email, url))
            transaction.on_commit(partial(_mail_owner, request, opened.invitation, url, at))

    @admin.display(description="Portal")
    def portal(self, tenant: Tenant) -> str:
        return format_html('<a href="{}">{}</a>', f"/t/{tenant.slug}/", portal_url(tenant))

    @admin.display(description="Governor")
    def limits(self, tenant: Tenant) -> str:
        return format_html(
            '<a class="co-verb" href="{}">Limits and quotas</a> · <a class="co-verb" href="{}">Usage</a>',
            reverse("admin:governor_override_effective", args=[tenant.code]),
            reverse("admin:governor_usage_tenant", args=[tenant.code]),
        )


def _mail_owner(request: HttpRequest, invitation: Invitation, url: str, at: datetime) -> None:
    """Send the mail, when the tenant stands."""
    problem = invitation_mail.send(invitation, url=url, at=at)
    if problem:
        messages.warning(request, f"The invitation was not mailed: {problem}. Give the link on yourself.")


FORGET = "-"


class ConnectionForm(forms.ModelForm[Connection]):
    """Secrets go in and never come out."""

    signing_secret = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="As the CRM shows it. The one before it still verifies for 24 hours. Empty: no change.",
    )
    api_token = forms.CharField(
        required=False,
        label="API token",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="To write to the CRM: a HubSpot private app's token. Empty: no change; -: forget it.",
    )


@admin.register(Connection)
class ConnectionAdmin(AuditedAdmin):
    form = ConnectionForm
    actions = ["rotate"]
    empty = "No CRM is connected. Open a tenant and link one; its page then shows the address for webhooks."
    list_display = ["__str__", "tenant", "crm", "account_id", "is_active", "last_event"]
    last_event = time_column("last_event_at", "Last event")
    list_filter = ["crm", "is_active", ("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    search_fields = ["account_id", "name"]
    autocomplete_fields = ["tenant"]
    ordering = ["-id"]

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        fields = ["tenant", "crm", "name", "account_id", "signing_secret", "public_keys", "api_token"]
        fields.append("is_active")
        return ["address", *fields, "last_event_at"] if obj else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> list[str]:
        return ["address", "tenant", "crm", "last_event_at"] if obj else []

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
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


@admin.register(AuditEvent)
class AuditEventAdmin(Exported, HistoryAdmin):
    export_columns = {
        "at": "at", "actor": "actor", "verb": "verb", "target": "target", "tenant": "tenant__slug",
        "data": "data", "previous": "previous", "digest": "digest",
    }  # fmt: skip
    empty = "Nobody has changed anything yet. Whatever an operator or a tenant changes is noted here."
    list_display = ["happened", "actor", "verb", "target", "tenant"]
    happened = time_column("at", "When", order="id")
    list_filter = [("tenant", TenantFilter), "verb"]
    list_select_related = ["tenant"]
    search_fields = ["=actor", "=target"]
    fields = ["at", "actor", "verb", "target", "tenant", "data", "previous", "digest"]
    ordering = ["-id"]
