"""Unknown accounts in the console: what an app delivered for nobody, and the verb that says whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from logs.pills import moment
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.operators import HistoryAdmin, admin_url
from triggers import app_claims, app_unclaimed
from triggers.models import AppRefusal, UnclaimedAccount

if TYPE_CHECKING:
    from uuid import UUID

    from django.urls import URLPattern

MAY_ASSIGN = "triggers.change_unclaimedaccount"
MOST_EVENTS = 50
MOST_TENANTS = 200  # offered while one writes; any other is written out


@admin.register(UnclaimedAccount)
class UnclaimedAccountAdmin(HistoryAdmin):
    """Kept for 30 days. Once assigned, what came runs as if it had just come, in order."""

    list_title = "Unknown accounts"
    empty = (
        "No app delivered for an account that nobody has linked. When one does, its events are kept here for"
        " 30 days: say whose it is, and they run."
    )
    list_display = ["__str__", "crm", "account_id", "first", "last", "dropped"]
    list_filter = ["crm"]
    search_fields = ["=account_id"]
    ordering = ["-last_at", "-id"]
    list_before_template = "console/app_refusals.html"

    def get_urls(self) -> list[URLPattern]:
        assign = self.admin_site.admin_view(require_POST(self.assign_view))
        return [
            path("<uuid:code>/assign/", assign, name="triggers_unclaimedaccount_assign"),
            *super().get_urls(),
        ]

    def has_assign_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_ASSIGN))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        refusals = list(AppRefusal.objects.order_by("crm")) if self.has_view_permission(request) else []
        return super().changelist_view(request, {**(extra_context or {}), "refusals": refusals})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = self._one(request, object_id)
        events = list(account.events.defer("body").order_by("-id")[: MOST_EVENTS + 1])
        return self.page(
            request,
            "console/unclaimed.html",
            title="Unknown account",
            account=account,
            events=events[:MOST_EVENTS],
            is_cut=len(events) > MOST_EVENTS,
            kept_days=app_unclaimed.KEPT.days,
            body=app_unclaimed.preview(account),
            may_assign=self.has_assign_permission(request),
            tenants=Tenant.objects.order_by("slug").values_list("slug", "name")[:MOST_TENANTS],
        )

    def assign_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST with ``tenant`` (its slug)."""
        if not self.has_assign_permission(request):
            raise PermissionDenied
        account = self._one(request, str(code))
        tenant = Tenant.objects.filter(slug=request.POST.get("tenant", "").strip().lower()[:40]).first()
        back = HttpResponseRedirect(reverse("admin:triggers_unclaimedaccount_change", args=[code]))
        if tenant is None:
            messages.error(request, "There is no such tenant.")
            return back
        try:
            connection, ran = app_claims.assign(account, tenant, actor=request.user.get_username(), at=now())
        except CodedError as error:
            messages.error(request, str(error))
            return back
        messages.success(
            request, f"{account.account_id} is {tenant.name}'s now: {plural(ran, 'new event')} in line."
        )
        return HttpResponseRedirect(admin_url("tenants.connection", connection.code))

    def _one(self, request: HttpRequest, code: str) -> UnclaimedAccount:
        found: UnclaimedAccount | None = self.get_object(request, code)
        if found is None:
            raise Http404
        return found

    @admin.display(description="First")
    def first(self, account: UnclaimedAccount) -> str:
        return moment(account.first_at)

    @admin.display(description="Last")
    def last(self, account: UnclaimedAccount) -> str:
        return moment(account.last_at)
