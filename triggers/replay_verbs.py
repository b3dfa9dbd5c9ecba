"""Replay, as the console's executions offer it: the form on one, and the ways to many."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.urls import path, reverse
from django.utils.timezone import now

from logs.search import as_uuid
from tenants.errors import CodedError
from tenants.operators import admin_url
from tenants.scope import every_tenant
from triggers import bulk_preview, bulk_replay, history, replay, saved_views
from triggers.bulk_line import line_of
from triggers.choices import Mode, Records
from triggers.models import Execution

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern

EXECUTION = "triggers.execution"


class ReplayVerbs:
    """Mixed into the admin of executions."""

    admin_site: Any

    def replay_urls(self) -> list[URLPattern]:
        """Its addresses, to stand before the admin's own."""
        view = self.admin_site.admin_view(self.replay_view)
        return [path("<uuid:code>/replay/", view, name="triggers_execution_replay")]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return may_replay(request)

    def replay_context(self, execution: Execution) -> dict[str, Any]:
        """What the form on one execution shows. Call with every tenant in scope."""
        return {
            "replay_choices": {
                "modes": Mode.choices,
                "records": Records.choices,
                "releases": bulk_preview.releases(),
                "line": line_of(execution, at=now()),
            },
            "bulk_replays": bulk_replay.replays_with(execution),
        }

    def replay_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST starts a replay and leads to it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_replay_permission(request):
            return HttpResponse(status=403)
        back = admin_url(EXECUTION, code)
        try:
            with every_tenant():
                started = replay.replay(
                    execution=history.execution_of(str(code)),
                    mode=request.POST.get("mode", Mode.LIVE),
                    release=request.POST.get("release", replay.LIVE_RELEASE),
                    records=request.POST.get("records", Records.ALL),
                    actor=str(request.user),
                    at=now(),
                )
        except CodedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(back)
        messages.success(
            request, "Replay queued. This page is the new execution; it fills in when it has run."
        )
        return HttpResponseRedirect(admin_url(EXECUTION, started.code))

    @admin.action(description="Replay selected…", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Execution]) -> HttpResponse:
        """Leads to the preview of what was ticked; of all that match, when all were."""
        if request.POST.get("select_across") == "1":
            return HttpResponseRedirect(new_url(matching=request.META.get("QUERY_STRING", "")))
        codes = queryset.order_by("pk").values_list("code", flat=True)
        return HttpResponseRedirect(new_url(ids=",".join(map(str, codes))))


def may_replay(request: HttpRequest) -> bool:
    """Whether the person may start and cancel replays."""
    return bool(request.user.is_active) and request.user.has_perm("triggers.change_execution")


def new_url(**wanted: str) -> str:
    """The page that previews and starts a bulk replay."""
    said = urlencode({name: value for name, value in wanted.items() if value})
    return f"{reverse('admin:triggers_replay_new')}?{said}"


def rows_of(request: HttpRequest, wanted: dict[str, str]) -> QuerySet[Execution]:
    """The executions that ``{"ids": …}`` or ``{"query": …}`` stands for; the list finds the same.

    Call with every tenant in scope. Raises ``BadReplay``.
    """
    if codes := wanted.get("ids"):
        known = [code for code in map(as_uuid, codes.split(",")) if code]
        chosen: QuerySet[Execution] = Execution.objects.filter(code__in=known)
        return chosen
    if not wanted.get("query"):
        raise replay.BadReplay("Choose a filter first, or tick executions: this list shows everything.")
    asked = copy(request)
    asked.GET = QueryDict(wanted["query"])  # a copy of ours
    asked.method = "GET"
    asked.POST = QueryDict()
    executions = admin.site.get_model_admin(Execution)
    try:
        found: QuerySet[Execution] = executions.get_changelist_instance(asked).queryset
    except IncorrectLookupParameters:
        raise replay.BadReplay("These filters cannot be read; set them anew in the list.") from None
    return found.select_related(None).defer(None)


def wanted_of(data: QueryDict) -> dict[str, str]:
    """What is to be replayed, as the page's address or form says it. Raises ``BadReplay``."""
    if ids := data.get("ids", "").replace("\x00", ""):
        return {"ids": ids}
    try:
        query = saved_views.normal(data.get("matching", ""))
    except ValueError:
        raise replay.BadReplay("There are too many filters.") from None
    return {"query": query} if query else {}
