"""Refused deliveries in the console: why, what was signed, and the verb that verifies them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from logs.pills import moment
from logs.search import as_uuid
from logs.vocabulary import plural
from tenants.operators import HistoryAdmin, TenantFilter, exact
from tenants.scope import every_tenant
from triggers import delivery_refused, delivery_verify
from triggers.models import RefusedDelivery

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.urls import URLPattern

    from triggers.delivery_verify import Verified

MAY_VERIFY = "triggers.change_refuseddelivery"
MOST_TOLD = 5


@admin.register(RefusedDelivery)
class RefusedDeliveryAdmin(HistoryAdmin):
    """Kept for a day. What holds now becomes events, as if it had just been taken."""

    list_title = "Refused deliveries"

    empty = (
        "No delivery was refused lately. One whose signature does not match is kept here for a day: "
        "mend the connection's secret, then verify it again."
    )
    list_display = ["error_code", "tenant", "connection", "detail", "size", "received"]
    list_filter = [("tenant", TenantFilter), exact("error code", "error", "error_code")]
    list_select_related = ["tenant", "connection"]
    list_defer = ("body",)
    ordering = ["-id"]
    actions = ["verify_selected"]

    def get_urls(self) -> list[URLPattern]:
        verify = self.admin_site.admin_view(require_POST(self.verify_view))
        return [
            path("<uuid:code>/verify/", verify, name="triggers_refuseddelivery_verify"),
            *super().get_urls(),
        ]

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_VERIFY))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        refused = self._one(object_id)
        return self.page(
            request,
            "console/refused.html",
            title="Refused delivery",
            refused=refused,
            uris=refused.headers.get(":uris", []),
            headers=delivery_refused.shown_headers(refused),
            body=delivery_verify.preview(refused),
            may_verify=self.has_verify_permission(request),
        )

    def verify_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST verifies it, or all of its connection."""
        if not self.has_verify_permission(request):
            raise PermissionDenied
        refused = self._one(str(code))
        with every_tenant():
            chosen = delivery_verify.of_connection(refused) if request.POST.get("all") else [refused]
            results = delivery_verify.verify(chosen, actor=request.user.get_username(), at=now())
        self._tell(request, results)
        gone = any(result.is_taken and result.code == str(code) for result in results)
        if gone:
            return HttpResponseRedirect(reverse("admin:triggers_refuseddelivery_changelist"))
        return HttpResponseRedirect(reverse("admin:triggers_refuseddelivery_change", args=[code]))

    @admin.action(description="Verify again", permissions=["verify"])
    def verify_selected(self, request: HttpRequest, queryset: QuerySet[RefusedDelivery]) -> None:
        with every_tenant():
            chosen = list(
                queryset.defer(None)
                .select_related("tenant", "connection__tenant")
                .order_by("received_at", "pk")[: delivery_verify.MOST]
            )
            results = delivery_verify.verify(chosen, actor=request.user.get_username(), at=now())
        self._tell(request, results)

    def _tell(self, request: HttpRequest, results: list[Verified]) -> None:
        taken = [result for result in results if result.is_taken]
        if taken:
            accepted = sum(result.accepted for result in taken)
            known = sum(result.duplicates for result in taken)
            more = f", {plural(known, 'event')} of them known already" if known else ""
            messages.success(
                request,
                f"{plural(len(taken), 'delivery').replace('deliverys', 'deliveries')} verified:"
                f" {plural(accepted, 'new event')} in line{more}.",
            )
        kept = [result for result in results if not result.is_taken]
        for result in kept[:MOST_TOLD]:
            messages.warning(request, f"{result.code[-12:]} still does not hold: {result.problem}")
        if len(kept) > MOST_TOLD:
            messages.warning(request, f"Nor do {len(kept) - MOST_TOLD} more; they are kept.")

    def _one(self, code: str) -> RefusedDelivery:
        with every_tenant():
            rows = RefusedDelivery.objects.select_related("tenant", "connection__tenant")
            known = as_uuid(code)
            found: RefusedDelivery | None = rows.filter(code=known).first() if known else None
        if found is None:
            raise Http404
        return found

    @admin.display(description="Received")
    def received(self, refused: RefusedDelivery) -> str:
        return moment(refused.received_at)
