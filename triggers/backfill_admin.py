"""What operators see of imports and of webhook completeness; and the verb that starts an import again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import IntegerField, OuterRef, Subquery, Sum
from django.utils.timezone import now

from logs.pills import moment, pill
from tenants.errors import CodedError
from tenants.operators import HistoryAdmin, TenantFilter
from triggers import backfill
from triggers.completeness import DAYS, Completeness
from triggers.models import ArrivedDay, Backfill, BackfillState, Reconciliation

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_PILLS = {
    BackfillState.QUEUED: ("queued", "Its turn has not come."),
    BackfillState.RUNNING: ("running", "Page by page, while nothing live has to be done."),
    BackfillState.FINISHED: ("succeeded", "All of it was read."),
    BackfillState.FAILED: ("failed", "The CRM refused; mend that and try again."),
}


@admin.register(Backfill)
class BackfillAdmin(HistoryAdmin):
    """Nobody writes progress by hand; operators may only start again."""

    list_title = "Imports"
    empty = "Nothing was imported yet. It begins by itself when a connection gets access to its CRM's API."
    list_display = ["part", "tenant", "standing", "progress", "problem", "begun", "ended"]
    list_display_links = ["part"]
    list_filter = ["state", ("tenant", TenantFilter)]
    list_select_related = ["tenant", "connection"]
    fields = [
        "tenant", "connection", "object", "state", "read", "stored", "unfit", "total", "problem", "attempts",
        "started_at", "finished_at", "report",
    ]  # fmt: skip
    ordering = ["-id"]
    actions = ["start_again"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "connection__id__exact" or bool(super().lookup_allowed(lookup, value, request))

    def has_start_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("triggers.change_backfill"))

    @admin.action(description="Try again, or import anew", permissions=["start"])
    def start_again(self, request: HttpRequest, queryset: QuerySet[Backfill]) -> None:
        """Each connection once: go on where it failed, or import all anew."""
        connections = {
            part.connection_id: part.connection for part in queryset.select_related("connection__tenant")
        }
        begun = 0
        for connection in connections.values():
            try:
                backfill.start_again(connection, actor=request.user.get_username(), at=now())
            except CodedError as error:
                messages.error(request, f"{connection}: {error}")
            else:
                begun += 1
        if begun:
            messages.success(request, f"The import of {begun} connection{'s'[: begun != 1]} goes on.")

    @admin.display(description="Import")
    def part(self, part: Backfill) -> str:
        return f"{part.object} of {part.connection}"

    @admin.display(description="State", ordering="state")
    def standing(self, part: Backfill) -> str:
        return pill(*_PILLS[BackfillState(part.state)])

    @admin.display(description="Read")
    def progress(self, part: Backfill) -> str:
        if part.object == backfill.SCORE:
            return f"{part.report['leads']:,} leads scored" if part.report else ""
        return f"{part.read:,}" + (f" of {part.total:,}" if part.total else "")

    @admin.display(description="Begun")
    def begun(self, part: Backfill) -> str:
        return moment(part.started_at)

    @admin.display(description="Ended")
    def ended(self, part: Backfill) -> str:
        return moment(part.finished_at)


@admin.register(Reconciliation)
class ReconciliationAdmin(HistoryAdmin):
    """Of the changes that each CRM should have told, how many it did."""

    list_title = "Webhook completeness"
    empty = "No connection has access to its CRM's API; without it nobody can tell what is missing."
    list_display = ["connection", "tenant", "complete", "told", "found", "looked", "problem"]
    list_filter = [("tenant", TenantFilter)]
    list_select_related = ["tenant", "connection"]
    fields = ["tenant", "connection", "read_until", "finished_at", "next_at", "problem"]
    ordering = ["-connection_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        since = (now() - timedelta(days=DAYS - 1)).date()
        days = (
            ArrivedDay.objects.filter(connection_id=OuterRef("connection_id"), on__gte=since)
            .order_by()
            .values("connection_id")
        )
        rows: QuerySet[Any] = super().get_queryset(request).annotate(
            told_lately=Subquery(days.annotate(n=Sum("delivered")).values("n"), output_field=IntegerField()),
            found_lately=Subquery(days.annotate(n=Sum("found")).values("n"), output_field=IntegerField()),
        )  # fmt: skip
        return rows

    @admin.display(description="Completeness, 7 days")
    def complete(self, row: Any) -> str:
        return Completeness(row.told_lately or 0, row.found_lately or 0).text or "nothing changed"

    @admin.display(description="Told by the CRM")
    def told(self, row: Any) -> str:
        return f"{row.told_lately or 0:,}"

    @admin.display(description="Found by us")
    def found(self, row: Any) -> str:
        return f"{row.found_lately or 0:,}"

    @admin.display(description="Last whole look")
    def looked(self, row: Reconciliation) -> str:
        return moment(row.finished_at)
