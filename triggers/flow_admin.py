"""What operators see of the flow: lanes, switches of triggers, writes to CRMs, refused deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import F, IntegerField, OuterRef, Subquery
from django.db.models.expressions import RawSQL
from django.utils.html import format_html
from django.utils.timezone import now

from logs.pills import moment, pill
from tenants.clock import time_column
from tenants.operators import HistoryAdmin, TenantFilter, admin_url, exact
from tenants.scope import every_tenant
from triggers.choices import EventStatus
from triggers.models import Lane, LiveEvent, OutboxWrite

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

MOST_COUNTED = 1_000  # events of a lane
_WAITING = """
(SELECT count(*) FROM (SELECT FROM public.triggers_liveevent waits
 WHERE waits.lane_id = triggers_lane.id AND waits.status = 'queued' LIMIT %s) few)
"""


@admin.register(Lane)
class LaneAdmin(HistoryAdmin):
    empty = "No lane yet. A tenant's first event of an object opens one."
    list_display = [
        "tenant",
        "object",
        "kind",
        "state",
        "waiting",
        "waiting_since",
        "last_served",
        "leased_by",
    ]
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
        return queryset.annotate(
            oldest_waiting_at=Subquery(oldest.values("received_at")[:1]),
            waiting_events=RawSQL(_WAITING, [MOST_COUNTED], output_field=IntegerField()),  # noqa: S611
        )

    @admin.display(description="State")
    def state(self, lane: Lane) -> str:
        if lane.parked_reason:
            until = format_html(" until {}", moment(lane.parked_until)) if lane.parked_until else ""
            return format_html("{} <span>{}{}</span>", pill("parked"), lane.parked_reason, until)
        if lane.lease_until and lane.lease_until > now():
            return pill("running")
        return pill("queued") if lane.oldest_waiting_at else pill("idle")  # type: ignore[attr-defined]

    @admin.display(description="Waiting")
    def waiting(self, lane: Lane) -> str:
        events: int = lane.waiting_events  # type: ignore[attr-defined]
        return format_html(
            '<span class="co-num">{}{}</span>', f"{events:,}", "+" if events >= MOST_COUNTED else ""
        )

    @admin.display(description="Oldest waiting event")
    def waiting_since(self, lane: Lane) -> str:
        return moment(lane.oldest_waiting_at)  # type: ignore[attr-defined]

    @admin.display(description="Last served", ordering=F("last_served_at"))
    def last_served(self, lane: Lane) -> str:
        return moment(lane.last_served_at)


@admin.register(OutboxWrite)
class OutboxWriteAdmin(HistoryAdmin):
    empty = "Nothing was written to a CRM yet. A change that a trigger makes to a CRM's record appears here."
    list_display = ["record", "tenant", "state", "execution_link", "created", "sent"]
    sent = time_column("sent_at", "Sent")
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
        return format_html(
            '<a href="{}"><code>{}</code></a>', admin_url("triggers.execution", write.execution), short
        )

    @admin.display(description="Created")
    def created(self, write: OutboxWrite) -> str:
        return moment(write.created_at)
