"""What operators see and do of tenants: plans, the tenants themselves, and the audit log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.views.decorators.http import require_POST
from unfold.admin import TabularInline

from tenants import access_admin, audit, audit_chain, invitation_mail
from tenants.addresses import portal_url
from tenants.audited_admin import AuditedAdmin
from tenants.clock import time_column
from tenants.errors import CodedError
from tenants.exports import Exported
from tenants.models import AuditEvent, Domain, Membership, Tenant, Tier
from tenants.new_tenant import open_tenant
from tenants.operators import HistoryAdmin, TenantFilter
from tenants.tenant_forms import MembersFormSet, NewTenantForm, TenantForm

if TYPE_CHECKING:
    from datetime import datetime

    from django import forms
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from tenants.models import Invitation

# Django looks here for all of them.
__all__ = ["AuditEventAdmin", "TenantAdmin", "TierAdmin", "access_admin"]


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
    formset = MembersFormSet
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

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        super().save_formset(request, form, formset, change)
        verbs = {
            "added": formset.new_objects,
            "changed": [row for row, _ in formset.changed_objects],
            "removed": formset.deleted_objects,
        }
        for verb, rows in verbs.items():
            for row in rows:
                said = (
                    {"row": str(row), "role": row.role} if isinstance(row, Membership) else {"row": str(row)}
                )
                self.note(request, form.instance, f"{verb} a {row._meta.verbose_name} of", **said)  # noqa: SLF001

    @admin.display(description="Portal")
    def portal(self, tenant: Tenant) -> str:
        return format_html('<a href="{}">{}</a>', f"/t/{tenant.slug}/", portal_url(tenant))

    @admin.display(description="Governor")
    def limits(self, tenant: Tenant) -> str:
        return format_html(
            '<a class="co-verb" href="{}">Limits and quotas</a> · <a class="co-verb" href="{}">Usage</a>'
            ' · <a class="co-verb" href="{}">Signals</a>',
            reverse("admin:governor_override_effective", args=[tenant.code]),
            reverse("admin:governor_usage_tenant", args=[tenant.code]),
            reverse("console-signals", args=[tenant.code]),
        )


def _mail_owner(request: HttpRequest, invitation: Invitation, url: str, at: datetime) -> None:
    """Send the mail, when the tenant stands."""
    problem = invitation_mail.send(invitation, url=url, at=at)
    if problem:
        messages.warning(request, f"The invitation was not mailed: {problem}. Give the link on yourself.")


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
    list_before_template = "console/audit_chain.html"

    def get_urls(self) -> list[URLPattern]:
        look = self.admin_site.admin_view(require_POST(self.look_view))
        return [path("look/", look, name="tenants_auditevent_look"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        may_look = request.user.has_perm("tenants.change_auditevent")
        shown = {**(extra_context or {}), "chain": audit_chain.state(), "may_look": may_look}
        answer: HttpResponse = super().changelist_view(request, shown)
        return answer

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """Look at the chain now, as the beat does every hour."""
        if not request.user.has_perm("tenants.change_auditevent"):
            raise PermissionDenied
        at = now()
        chain = audit_chain.look(at=at)
        said = {"holds": chain.holds, "rows": chain.rows}
        audit.record(
            actor=request.user.get_username(), verb="looked at", target="the audit log", data=said, at=at
        )
        (messages.success if chain.holds else messages.error)(request, chain.sentence)
        return HttpResponseRedirect(reverse("admin:tenants_auditevent_changelist"))
