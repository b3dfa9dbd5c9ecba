"""Bulk replays in the console: the preview, the start, the progress page, the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now

from logs.pills import moment, pill
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.operators import HistoryAdmin, TenantFilter, admin_url
from tenants.reauthentication import demand
from tenants.scope import every_tenant
from triggers import bulk_preview, bulk_replay, replay_page, replay_verbs
from triggers.choices import Mode, Records
from triggers.models import Replay

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern

LABEL = "triggers.replay"
LIST = "admin:triggers_execution_changelist"


@admin.register(Replay)
class ReplayAdmin(HistoryAdmin):
    class Media:
        css = {"all": ["circuitos/replay.css"]}

    empty = (
        "Nothing was replayed in bulk yet. Filter the executions, or tick some, and choose to replay them: "
        "you see first what it would do."
    )
    list_display = ["what", "state", "progress", "tenant_name", "started"]
    list_display_links = ["what"]
    list_filter = ["status", ("tenant", TenantFilter), "mode"]
    list_select_related = ["tenant"]
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("new/", view(self.new_view), name="triggers_replay_new"),
            path("<uuid:code>/progress/", view(self.progress_view), name="triggers_replay_progress"),
            path("<uuid:code>/cancel/", view(self.cancel_view), name="triggers_replay_cancel"),
            *super().get_urls(),
        ]

    def new_view(self, request: HttpRequest) -> HttpResponse:
        """GET previews what would run; POST starts it, or says why not and previews it again."""
        if not replay_verbs.may_replay(request):
            raise PermissionDenied
        if request.method not in {"GET", "POST"}:
            return HttpResponseNotAllowed(["GET", "POST"])
        said = request.POST if request.method == "POST" else request.GET
        how = {
            "mode": said.get("mode", Mode.LIVE.value),
            "records": said.get("records", Records.ALL.value),
            "release": said.get("release", "live"),
        }
        wanted: dict[str, str] = {}
        wrong = ""
        try:
            with every_tenant():
                wanted = replay_verbs.wanted_of(said)
                bulk_replay.check(**how)
                rows = replay_verbs.rows_of(request, wanted)
                if request.method == "POST":
                    if asked := demand(request, back=_url(wanted, how)):
                        return asked
                    try:
                        return self._start(request, rows, wanted, how)
                    except CodedError as error:
                        wrong = str(error)
                seen = bulk_preview.preview(rows, mode=how["mode"], records=how["records"], at=now())
        except CodedError as error:
            messages.error(request, wrong or str(error))
            query = wanted.get("query", "")
            return HttpResponseRedirect(f"{reverse(LIST)}?{query}" if query else reverse(LIST))
        return self.page(
            request,
            "console/replay_new.html",
            title="Replay",
            wrong=wrong,
            wanted=wanted,
            how=how,
            modes=Mode.choices,
            records=Records.choices,
            releases=bulk_preview.releases(),
            **replay_page.preview_page(seen, wanted),
        )

    def _start(
        self, request: HttpRequest, rows: QuerySet[Any], wanted: dict[str, str], how: dict[str, str]
    ) -> HttpResponse:
        text = request.POST.get("confirm", "").strip().replace(",", "")
        started = bulk_replay.start(
            rows,
            filter=wanted,
            **how,
            token=request.POST.get("token", ""),
            confirm=int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None,
            actor=str(request.user),
            at=now(),
        )
        messages.success(request, f"The replay of {plural(started.total, 'execution')} has started.")
        return HttpResponseRedirect(admin_url(LABEL, started.code))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return self.page(request, "console/replay.html", title="Replay", **self._shown(request, object_id))

    def progress_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """The part of the page that changes, for htmx."""
        return TemplateResponse(request, "console/_replay_progress.html", self._shown(request, str(code)))

    def cancel_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST cancels what has not started."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not replay_verbs.may_replay(request):
            raise PermissionDenied
        try:
            with every_tenant():
                ended = bulk_replay.cancel(
                    bulk_replay.replay_of(str(code)), actor=str(request.user), at=now()
                )
        except bulk_replay.NoReplay:
            raise Http404 from None
        except CodedError as error:
            messages.error(request, str(error))
        else:
            rest = f" {ended.running} under way will finish." if ended.running else ""
            messages.success(request, f"Cancelled: {ended.cancelled} will not be started.{rest}")
        return HttpResponseRedirect(admin_url(LABEL, code))

    def _shown(self, request: HttpRequest, code: str) -> dict[str, Any]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            with every_tenant():
                shown = replay_page.progress_page(bulk_replay.replay_of(code), request.GET)
        except bulk_replay.NoReplay:
            raise Http404 from None
        return {**shown, "may_cancel": replay_verbs.may_replay(request) and shown["is_open"]}

    @admin.display(description="Replay", ordering="id")
    def what(self, replay: Replay) -> str:
        return format_html(
            '<span class="co-strong">{}, {}</span><span class="co-sub co-break">{}</span>',
            plural(replay.total, "execution"),
            replay.get_mode_display().lower(),
            replay_page.said_filter(replay.filter),
        )

    @admin.display(description="State")
    def state(self, replay: Replay) -> str:
        return pill(replay.status)

    @admin.display(description="Progress")
    def progress(self, replay: Replay) -> str:
        failed = (
            format_html('<span class="co-sub co-bad-text">✕ {} failed</span>', replay.failed)
            if replay.failed
            else ""
        )
        return format_html('<span class="co-num">{} / {}</span>{}', replay.done, replay.total, failed)

    @admin.display(description="Tenant")
    def tenant_name(self, replay: Replay) -> str:
        return replay.tenant.name if replay.tenant else "Several"

    @admin.display(description="Started")
    def started(self, replay: Replay) -> str:
        return format_html('{}<span class="co-sub">by {}</span>', moment(replay.created_at), replay.actor)


def _url(wanted: dict[str, str], how: dict[str, str]) -> str:
    """The address of the preview that is shown."""
    return replay_verbs.new_url(ids=wanted.get("ids", ""), matching=wanted.get("query", ""), **how)
