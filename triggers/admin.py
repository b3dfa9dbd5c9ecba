"""What operators see of events, executions and lanes: read-only history, and the verbs to act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Q
from django.utils.html import format_html

from governor.judgment.masking import mask
from logs import search
from logs.pills import moment, pill, tight_meters
from logs.vocabulary import duration, status_of
from tenants.exports import Exported
from tenants.operators import HistoryAdmin, TenantFilter, exact
from tenants.scope import every_tenant
from triggers import (
    agency_admin,
    app_admin,
    backfill_admin,
    dead_letters_admin,
    execution_filters,
    finding,
    flow_admin,
    hosts_admin,
    override_admin,
    page,
    refused_admin,
    replay_admin,
    saved_views,
    triggers_admin,
    upgrade_admin,
    usage_admin,
)
from triggers.choices import EventStatus, Mode
from triggers.execution_filters import (
    ErrorFilter,
    LimitFilter,
    RecordFilter,
    ReleaseFilter,
    StatusFilter,
    TimeFilter,
    TriggerFilter,
)
from triggers.execution_verbs import ExecutionVerbs
from triggers.group_filter import GroupFilter
from triggers.mapping_admin import MappingPages
from triggers.models import Event, Execution
from triggers.quarantine_admin import QuarantinePages
from triggers.replay_verbs import ReplayVerbs

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

# Django looks here for all of them.
__all__ = [
    "EventAdmin",
    "ExecutionAdmin",
    "agency_admin",
    "app_admin",
    "backfill_admin",
    "dead_letters_admin",
    "flow_admin",
    "hosts_admin",
    "override_admin",
    "refused_admin",
    "replay_admin",
    "triggers_admin",
    "upgrade_admin",
    "usage_admin",
]


@admin.register(Event)
class EventAdmin(MappingPages, QuarantinePages, Exported, HistoryAdmin):
    export_columns = {
        "id": "code", "tenant": "tenant__slug", "crm": "crm", "kind": "kind", "object": "object",
        "operation": "operation", "record_id": "record_id", "status": "status", "reason": "reason",
        "received_at": "received_at", "finished_at": "finished_at", "attempts": "attempts",
    }  # fmt: skip
    export_masked = staticmethod(mask)
    empty = (
        "No webhook has come in yet. Point a CRM at a connection's address, or send a signed sample: "
        "python manage.py send gohighlevel ContactCreate"
    )
    list_display = ["record", "tenant", "kind", "state", "reason", "received"]
    list_display_links = ["record"]
    list_filter = [
        "status",
        ("tenant", TenantFilter),
        exact("object", "object"),
        "operation",
        exact("record", "record", "record_id"),
        exact("reason", "reason"),
    ]
    list_select_related = ["tenant", "lane"]
    list_defer = ("body", "before", "error", "pending")
    search_fields = ["record_id"]
    search_help_text = "An event's id or a record's id, whole"
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        return [*self.quarantine_urls(), *self.mapping_urls(), *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        text = search_term.strip().replace("\x00", "")
        if not text:
            return queryset, False
        code = search.as_uuid(text)
        wanted = Q(record_id=text) | Q(code=code) if code else Q(record_id=text)
        return queryset.filter(wanted), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        event = self.get_object(request, object_id)
        if event is None:
            return _missing(self, request, object_id)
        with every_tenant():
            shown = page.event_page(event)
        return self.page(request, "console/event.html", title=str(event), **shown)

    @admin.display(description="Record", ordering="id")
    def record(self, event: Event) -> str:
        return format_html(
            '<span class="co-strong">{}</span> <span class="co-quiet-text">{} {}</span>',
            event.record_id or "–",
            event.object,
            event.operation,
        )

    @admin.display(description="Status")
    def state(self, event: Event) -> str:
        held = event.lane.parked_reason if event.lane and event.status == EventStatus.QUEUED else ""
        return pill("parked", held) if held else pill(event.status)

    @admin.display(description="Received")
    def received(self, event: Event) -> str:
        return moment(event.received_at)


@admin.register(Execution)
class ExecutionAdmin(ReplayVerbs, ExecutionVerbs, Exported, HistoryAdmin):
    export_columns = {
        "id": "code", "tenant": "tenant__slug", "trigger": "trigger", "object": "object",
        "operation": "operation", "status": "status", "with_errors": "with_errors", "mode": "mode",
        "release": "release", "error_code": "error_code", "error_detail": "error_detail",
        "limit": "limit_name", "size": "size", "ok": "ok", "failed": "failed", "skipped": "skipped",
        "attempts": "attempts", "created_at": "created_at", "started_at": "started_at",
        "finished_at": "finished_at", "wall_ms": "wall_ms", "cpu_ms": "cpu_ms", "usage": "usage",
    }  # fmt: skip
    export_masked = staticmethod(mask)

    class Media:
        css = {"all": ["circuitos/executions.css", "circuitos/replay.css"]}
        js = ("circuitos/executions.js",)

    list_before_template = "console/executions_head.html"
    actions = ["replay_selected"]
    empty = (
        "Nothing has run yet. An execution appears when a trigger wants an event that came in. "
        "To see one at once: python manage.py send gohighlevel ContactCreate"
    )
    list_display = ["trigger_and_id", "state", "records", "took", "limits", "started"]
    list_display_links = ["trigger_and_id"]
    list_filter = [
        StatusFilter,
        "with_errors",
        TimeFilter,
        ("tenant", TenantFilter),
        TriggerFilter,
        ErrorFilter,
        LimitFilter,
        ReleaseFilter,
        "mode",
        RecordFilter,
        GroupFilter,
    ]
    list_select_related = ["tenant"]
    list_defer = ("event_ids", "event_codes", "record_ids", "terms", "error_detail")
    search_fields = ["code"]
    search_help_text = "Execution, record, event or delivery id, e-mail, phone, or words of the error"
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        return [*self.replay_urls(), *self.verbs(), *super().get_urls()]

    def get_ordering(self, request: HttpRequest) -> list[str]:
        return execution_filters.ordering(request)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # The filters work out bounds and searches before the list is read.
        with every_tenant():
            views = saved_views.context(owner=request.user, query=request.META.get("QUERY_STRING", ""))
            answer: HttpResponse = super().changelist_view(
                request, {**(extra_context or {}), **views, "may_replay": self.has_replay_permission(request)}
            )
        return answer

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        with every_tenant():
            return queryset.filter(finding.condition(search_term)), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        execution = self.get_object(request, object_id)
        if execution is None:
            return _missing(self, request, object_id)
        with every_tenant():
            shown = page.execution_page(execution, request.GET)
            shown |= self.replay_context(execution)
        return self.page(
            request,
            "console/execution.html",
            title=execution.trigger,
            may_test=self.has_view_permission(request),
            may_reveal=self.may_reveal(request),
            may_replay=self.has_replay_permission(request) and shown["is_finished"],
            **shown,
        )

    @admin.display(description="Execution", ordering="id")
    def trigger_and_id(self, execution: Execution) -> str:
        note = "" if execution.mode == Mode.LIVE else f" · {execution.get_mode_display().lower()}"
        return format_html(
            '<span class="co-strong">{}</span><span class="co-sub">{} · <code>{}</code>{}{}</span>',
            execution.trigger,
            execution.tenant.name,
            str(execution.code)[-12:],
            note,
            " · replay" if execution.replay_of_id else "",
        )

    @admin.display(description="Status")
    def state(self, execution: Execution) -> str:
        return pill(status_of(execution), execution.error_code or execution.limit_name)

    @admin.display(description="Records")
    def records(self, execution: Execution) -> str:
        failed = (
            format_html('<span class="co-sub co-bad-text">✕ {} failed</span>', execution.failed)
            if execution.failed
            else ""
        )
        return format_html('<span class="co-num">{} / {}</span>{}', execution.ok, execution.size, failed)

    @admin.display(description="Took")
    def took(self, execution: Execution) -> str:
        return format_html('<span class="co-num">{}</span>', duration(execution.wall_ms))

    @admin.display(description="Nearest limits")
    def limits(self, execution: Execution) -> str:
        return tight_meters(execution.usage)

    @admin.display(description="Started")
    def started(self, execution: Execution) -> str:
        return moment(execution.started_at or execution.created_at)


def _missing(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Back to the start, with a sentence."""
    answer: HttpResponse = model_admin._get_obj_does_not_exist_redirect(request, model_admin.opts, object_id)  # noqa: SLF001
    return answer
