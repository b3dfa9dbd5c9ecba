"""What operators see of events, executions and lanes: read-only history, and the verbs to act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import F, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.timezone import now

from logs import search
from logs.pills import pill, tight_meters
from logs.vocabulary import duration, status_of
from tenants.errors import CodedError
from tenants.operators import HistoryAdmin, OperatorAdmin, TenantFilter, admin_url, exact
from tenants.scope import every_tenant
from triggers import history, page, replay
from triggers.choices import EventStatus, Mode
from triggers.models import Event, Execution, Lane, LiveEvent, OutboxWrite, RefusedDelivery, TriggerConfig

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet
    from django.urls import URLPattern

EXECUTION = "triggers.execution"
MOST_REPLAYS = 50  # of one action, so that a careless tick does not flood a tenant's quota


@admin.register(Event)
class EventAdmin(HistoryAdmin):
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
        return _page(self, request, "console/event.html", title=str(event), **shown)

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
        return _moment(event.received_at)


@admin.register(Execution)
class ExecutionAdmin(HistoryAdmin):
    actions = ["replay_live"]
    list_display = ["trigger_and_id", "state", "records", "took", "limits", "started"]
    list_display_links = ["trigger_and_id"]
    list_filter = [
        "status",
        "with_errors",
        ("tenant", TenantFilter),
        exact("trigger", "trigger"),
        exact("release", "release"),
        "mode",
        exact("error code", "error", "error_code"),
        exact("limit", "limit", "limit_name"),
        exact("record", "record", "record_ids__contains"),
    ]
    list_select_related = ["tenant"]
    list_defer = ("event_ids", "event_codes", "record_ids", "terms", "error_detail")
    search_fields = ["code"]
    search_help_text = "An execution's id, a record's id, an e-mail address or a phone number"
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        verb = path(
            "<uuid:code>/replay/",
            self.admin_site.admin_view(self.replay_view),
            name="triggers_execution_replay",
        )
        return [verb, *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        with every_tenant():
            return queryset.filter(history.matching(search_term)), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser) or request.user.has_perm(
            "triggers.change_execution"
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        execution = self.get_object(request, object_id)
        if execution is None:
            return _missing(self, request, object_id)
        with every_tenant():
            shown = page.execution_page(execution)
        return _page(
            self,
            request,
            "console/execution.html",
            title=execution.trigger,
            may_replay=self.has_replay_permission(request) and shown["is_finished"],
            modes=Mode.choices,
            **shown,
        )

    def replay_view(self, request: HttpRequest, code: Any) -> HttpResponse:
        """POST starts a replay and leads to it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_replay_permission(request):
            return HttpResponse(status=403)
        mode = request.POST.get("mode", Mode.LIVE)
        back = admin_url(EXECUTION, code)
        if mode not in Mode.values:
            messages.error(request, "There is no such mode.")
            return HttpResponseRedirect(back)
        try:
            with every_tenant():
                started = _replay(history.execution_of(str(code)), request, mode=mode)
        except CodedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(back)
        messages.success(
            request, "Replay queued. This page is the new execution; it fills in when it has run."
        )
        return HttpResponseRedirect(admin_url(EXECUTION, started.code))

    @admin.action(description="Replay live", permissions=["replay"])
    def replay_live(self, request: HttpRequest, queryset: QuerySet[Execution]) -> None:
        chosen = list(queryset.order_by("pk")[: MOST_REPLAYS + 1])
        if len(chosen) > MOST_REPLAYS:
            messages.error(
                request, f"At most {MOST_REPLAYS} executions are replayed at once; nothing was started."
            )
            return
        refused = []
        with every_tenant():
            for execution in chosen:
                try:
                    _replay(execution, request, mode=Mode.LIVE)
                except CodedError as error:
                    refused.append(str(error))
        if len(chosen) > len(refused):
            messages.success(request, f"{len(chosen) - len(refused)} replays queued.")
        if refused:
            messages.warning(request, f"{len(refused)} were not started: {refused[0]}")

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
        return _moment(execution.started_at or execution.created_at)


@admin.register(Lane)
class LaneAdmin(HistoryAdmin):
    list_display = ["tenant", "object", "kind", "state", "waiting_since", "last_served", "leased_by"]
    list_filter = ["kind", ("tenant", TenantFilter), exact("object", "object")]
    list_select_related = ["tenant"]
    fields = [
        "tenant", "object", "shard", "kind", "parked_reason", "parked_until",
        "leased_by", "lease_until", "lease_token", "last_served_at",
    ]  # fmt: skip
    ordering = ["-id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Lane]:
        queryset: QuerySet[Lane] = super().get_queryset(request)
        with every_tenant():
            waiting = LiveEvent.objects.filter(lane=OuterRef("pk"), status=EventStatus.QUEUED)
        oldest = waiting.order_by("id")
        return queryset.annotate(oldest_waiting_at=Subquery(oldest.values("received_at")[:1]))

    @admin.display(description="State")
    def state(self, lane: Lane) -> str:
        if lane.parked_reason:
            until = f" until {lane.parked_until:%H:%M} UTC" if lane.parked_until else ""
            return format_html("{} <span>{}{}</span>", pill("parked"), lane.parked_reason, until)
        if lane.lease_until and lane.lease_until > now():
            return pill("running")
        return pill("queued") if lane.oldest_waiting_at else pill("idle")  # type: ignore[attr-defined]

    @admin.display(description="Oldest waiting event")
    def waiting_since(self, lane: Lane) -> str:
        return _moment(lane.oldest_waiting_at)  # type: ignore[attr-defined]

    @admin.display(description="Last served", ordering=F("last_served_at"))
    def last_served(self, lane: Lane) -> str:
        return _moment(lane.last_served_at)


@admin.register(TriggerConfig)
class TriggerConfigAdmin(OperatorAdmin):
    list_display = ["trigger", "tenant", "state", "order", "paused_until", "pause_reason"]
    list_filter = ["is_enabled", ("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    search_fields = ["trigger"]
    fields = ["trigger", "tenant", "is_enabled", "order", "paused_until", "pause_reason", "settings"]
    ordering = ["trigger", "tenant_id"]

    @admin.display(description="State")
    def state(self, config: TriggerConfig) -> str:
        if not config.is_enabled:
            return pill("closed", "switched off")
        return pill("paused" if config.paused_until and config.paused_until > now() else "active")


@admin.register(OutboxWrite)
class OutboxWriteAdmin(HistoryAdmin):
    list_display = ["record", "tenant", "state", "execution_link", "created", "sent_at"]
    list_filter = ["status", ("tenant", TenantFilter), exact("record", "record", "record_id")]
    list_select_related = ["tenant"]
    list_defer = ("sealed",)
    fields = [
        "tenant", "object", "record_id", "operation", "status", "problem", "attempts", "remote_id",
        "created_at", "sent_at",
    ]  # fmt: skip
    ordering = ["-id"]

    @admin.display(description="Write")
    def record(self, write: OutboxWrite) -> str:
        return f"{write.operation} {write.object} {write.record_id}"

    @admin.display(description="Status")
    def state(self, write: OutboxWrite) -> str:
        return pill(write.status, write.problem)

    @admin.display(description="Execution")
    def execution_link(self, write: OutboxWrite) -> str:
        short = str(write.execution)[-12:]
        return format_html('<a href="{}"><code>{}</code></a>', admin_url(EXECUTION, write.execution), short)

    @admin.display(description="Created")
    def created(self, write: OutboxWrite) -> str:
        return _moment(write.created_at)


@admin.register(RefusedDelivery)
class RefusedDeliveryAdmin(HistoryAdmin):
    list_display = ["error_code", "tenant", "connection", "detail", "size", "received"]
    list_filter = [("tenant", TenantFilter), exact("error code", "error", "error_code")]
    list_select_related = ["tenant", "connection"]
    list_defer = ("body",)
    fields = ["tenant", "connection", "received_at", "error_code", "detail", "headers", "size"]
    ordering = ["-id"]

    @admin.display(description="Received")
    def received(self, refused: RefusedDelivery) -> str:
        return _moment(refused.received_at)


def _replay(execution: Execution, request: HttpRequest, *, mode: str) -> Execution:
    return replay.replay(
        execution=execution, mode=mode, release="live", records="all", actor=str(request.user), at=now()
    )


def _page(
    model_admin: Any, request: HttpRequest, template: str, *, title: str, **context: Any
) -> HttpResponse:
    return TemplateResponse(
        request,
        template,
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "title": title,
            "has_view_permission": True,
            **context,
        },
    )


def _missing(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse:
    """Back to the start, with a sentence."""
    answer: HttpResponse = model_admin._get_obj_does_not_exist_redirect(request, model_admin.opts, object_id)  # noqa: SLF001
    return answer


def _moment(at: datetime | None) -> str:
    """A time with its exact form on hover."""
    if at is None:
        return "–"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%F %T} UTC", f"{at:%d %b %H:%M:%S}"
    )
