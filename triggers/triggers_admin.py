"""Triggers in the console: how each does, and the verbs that pause, resume and switch it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import localtime, now
from django.views.decorators.http import require_POST

from logs.pills import pill
from logs.vocabulary import plural
from tenants import audit
from tenants.clock import time_column
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.operators import OperatorAdmin, TenantFilter
from tenants.scope import every_tenant, tenant_scope
from triggers import pausing, trigger_rows, triggers_page
from triggers.models import TriggerConfig
from triggers.pause_form import PauseForm, SwitchForm
from triggers.registry import UnknownTrigger

if TYPE_CHECKING:
    from datetime import datetime

    from django.urls import URLPattern

MAY_CHANGE = "triggers.change_triggerconfig"
MOST_NAMED = 500  # tenants offered while one types


@admin.register(TriggerConfig)
class TriggerConfigAdmin(OperatorAdmin):
    """The entry is the page of all triggers; the rows of configuration stand behind it."""

    empty = (
        "Every trigger runs as its script declares it. "
        "A row switches one off, orders or pauses it, for all tenants or for one."
    )
    list_display = ["trigger", "tenant", "state", "order", "until", "pause_reason"]
    until = time_column("paused_until", "Paused until")
    list_filter = ["is_enabled", ("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    search_fields = ["trigger"]
    fields = ["trigger", "tenant", "is_enabled", "order", "settings", "paused_until", "pause_reason"]
    readonly_fields = ["paused_until", "pause_reason"]
    ordering = ["trigger", "tenant_id"]
    list_title = "Triggers"

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Any, name: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(view)
            made: URLPattern = path(route, wrapped, name=f"triggers_trigger_{name}")
            return made

        return [
            at("rows/", self.rows_view, "rows"),
            at("of/<str:name>/", self.trigger_view, "page"),
            at("of/<str:name>/pause/", require_POST(self.pause_view), "pause"),
            at("of/<str:name>/resume/", require_POST(self.resume_view), "resume"),
            at("of/<str:name>/switch/", require_POST(self.switch_view), "switch"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self._may_view(request)
        tenant = self._tenant(request)
        with tenant_scope(tenant.pk) if tenant else every_tenant():
            shown = triggers_page.triggers_page(tenant=tenant, at=now())
        return self._page(request, "console/triggers.html", "Triggers", tenant=tenant, **shown)

    def rows_view(self, request: HttpRequest) -> HttpResponse:
        """The rows of configuration, as they are stored."""
        return super().changelist_view(request)

    def trigger_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """One trigger."""
        self._may_view(request)
        return self._trigger(request, name)

    def pause_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """POST pauses it."""
        at = self._verb(request)
        form = PauseForm(request.POST, at=at)
        if not form.is_valid():
            return self._trigger(request, name, pause_form=form)
        try:
            made = pausing.pause(trigger=name, **form.wanted(), actor=request.user.get_username(), at=at)
        except UnknownTrigger as error:
            raise Http404 from error
        except CodedError as error:
            form.add_error("until" if error.extra.get("field") == "until" else "reason", str(error))
            return self._trigger(request, name, pause_form=form)
        tenant = form.cleaned_data["tenant"]
        ends = f"until {localtime(made.until):%-d %b %H:%M}" if made.until else "until it is resumed"
        messages.success(
            request,
            f"{name} is paused for {tenant.name if tenant else 'all tenants'} {ends}. What comes waits, in"
            " order; running workers know within 5 seconds.",
        )
        return self._back(name, tenant)

    def resume_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """POST ends the pause."""
        at = self._verb(request)
        tenant = self._tenant(request)
        try:
            with every_tenant():
                (row,) = trigger_rows.rows(tenant=tenant, at=at, name=name)
                pausing.resume(trigger=name, tenant=tenant, actor=request.user.get_username(), at=at)
        except UnknownTrigger as error:
            raise Http404 from error
        except CodedError as error:
            messages.error(request, str(error))
            return self._back(name, tenant)
        waited = plural(row.waiting.events, "event") if row.waiting.events else "No event"
        verb = "that waited runs" if row.waiting.events == 1 else "that waited run"
        said = f"{waited} {verb} now, in order." if row.waiting.events else "No event waited."
        messages.success(request, f"{name} is resumed for {tenant.name if tenant else 'all'}. {said}")
        return self._back(name, tenant)

    def switch_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """POST switches it on or off and sets its place."""
        at = self._verb(request)
        form = SwitchForm(request.POST)
        if not form.is_valid():
            return self._trigger(request, name, switch_form=form)
        try:
            pausing.configure(trigger=name, **form.cleaned_data, actor=request.user.get_username(), at=at)
        except UnknownTrigger as error:
            raise Http404 from error
        except CodedError as error:
            form.add_error("order", str(error))
            return self._trigger(request, name, switch_form=form)
        tenant = form.cleaned_data["tenant"]
        state = "on" if form.cleaned_data["is_enabled"] else "off"
        messages.success(request, f"{name} is {state} for {tenant.name if tenant else 'all tenants'}.")
        return self._back(name, tenant)

    def save_model(self, request: HttpRequest, obj: TriggerConfig, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's
        super().save_model(request, obj, form, change)
        audit.record(
            actor=request.user.get_username(),
            verb="trigger.configure",
            target=f"trigger {obj.trigger}",
            tenant=obj.tenant,
            data={"fields": sorted(form.changed_data)},
            at=now(),
        )

    @admin.display(description="State")
    def state(self, config: TriggerConfig) -> str:
        if not config.is_enabled:
            return pill("closed", "switched off")
        return pill("paused" if pausing.pause_of(config, at=now()) else "active")

    def _trigger(self, request: HttpRequest, name: str, **forms: Any) -> HttpResponse:
        at, tenant = now(), self._tenant(request)
        try:
            with tenant_scope(tenant.pk) if tenant else every_tenant():
                shown = triggers_page.trigger_page(name, tenant=tenant, at=at)
        except UnknownTrigger as error:
            raise Http404 from error
        row = shown["row"]
        chosen = {"tenant": tenant.slug if tenant else ""}
        forms.setdefault("pause_form", PauseForm(at=at, initial=chosen))
        switch = {**chosen, "is_enabled": "off" if row["is_off"] else "on", "order": row["order"]}
        forms.setdefault("switch_form", SwitchForm(initial=switch))
        return self._page(
            request,
            "console/trigger.html",
            name,
            tenant=tenant,
            may_change=request.user.has_perm(MAY_CHANGE),
            tenants=Tenant.objects.order_by("slug").values_list("slug", "name")[:MOST_NAMED],
            **shown,
            **forms,
        )

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        return self.page(request, template, title=title, **context)

    def _may_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _verb(self, request: HttpRequest) -> datetime:
        """Now, if the person may."""
        if not request.user.has_perm(MAY_CHANGE):
            raise PermissionDenied
        return now()

    def _tenant(self, request: HttpRequest) -> Tenant | None:
        slug = (request.GET.get("tenant") or "").strip()[:60].replace("\x00", "")
        if not slug:
            return None
        found: Tenant | None = Tenant.objects.filter(slug=slug).first()
        if found is None:
            raise Http404("There is no such tenant.")
        return found

    def _back(self, name: str, tenant: Tenant | None) -> HttpResponse:
        query = f"?tenant={tenant.slug}" if tenant else ""
        return HttpResponseRedirect(reverse("admin:triggers_trigger_page", args=[name]) + query)
