"""Upgrade requests: what tenants ask for, beside what they use, and one click to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, Case, F, Func, IntegerField, OuterRef, Subquery, Value, When
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.timezone import now

from governor.allowances import quantity
from governor.calendar import day_of
from governor.choices import Period, RequestStatus
from governor.models import UpgradeRequest, Usage
from logs.pills import moment, pill
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.operators import HistoryAdmin, TenantFilter, admin_url
from tenants.reauthentication import demand
from tenants.scope import every_tenant
from triggers import upgrades, usage_view

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.urls import URLPattern

LABEL = "governor.upgraderequest"
_SHOWN = (("executions", "executions"), ("api_calls", "API calls"))


@admin.register(UpgradeRequest)
class UpgradeRequestAdmin(HistoryAdmin):
    empty = "Nobody asked for more. A tenant near its quota finds the request on its Usage page."
    list_display = ["tenant", "wanted", "state", "asked", "usage", "decided", "verbs"]
    list_filter = ["status", ("tenant", TenantFilter)]
    list_select_related = ["tenant__tier", "tier"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:code>/approve/", view(self.approve_view), name="governor_upgraderequest_approve"),
            path("<uuid:code>/decline/", view(self.decline_view), name="governor_upgraderequest_decline"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UpgradeRequest]:
        queryset: QuerySet[UpgradeRequest] = super().get_queryset(request)
        with every_tenant():
            days = Usage.objects.filter(tenant=OuterRef("tenant"), period=Period.DAY).order_by("-starts_on")
        said = JSONObject(on="starts_on", executions="executions", api_calls="api_calls")
        return queryset.annotate(
            may_decide=Value(self.has_decide_permission(request)),
            newest_day=Subquery(days.values_list(said)[:1]),
            executions_allowed=_allowed("executions_per_day"),
            api_calls_allowed=_allowed("api_calls_per_day"),
        )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        is_decided = Case(When(status=RequestStatus.OPEN, then=0), default=1, output_field=IntegerField())
        return [is_decided.asc(), "-id"]

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("governor.change_upgraderequest"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = self.get_object(request, object_id)
        if asked is None:
            raise Http404
        (row,) = usage_view.usages(at=now(), tenant_id=asked.tenant_id)
        return self.page(
            request,
            "console/upgrade.html",
            title="Upgrade request",
            asked=asked,
            row=row,
            executions=f"{asked.tier.executions_per_day:,}",
            api_calls=f"{asked.tier.api_calls_per_day:,}",
            may_decide=self.has_decide_permission(request) and asked.status == RequestStatus.OPEN,
        )

    def approve_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST gives the tenant its tier, and what waited runs."""
        asked = self._posted(request, code)
        if isinstance(asked, HttpResponse):
            return asked
        if again := demand(request, back=admin_url(LABEL, asked.code)):
            return again
        try:
            lanes = upgrades.approve(asked, actor=request.user.get_username(), at=now())
        except CodedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(admin_url(LABEL, asked.code))
        waits = f"{plural(lanes, 'lane')} of it {'runs' if lanes == 1 else 'run'} now." if lanes else ""
        messages.success(request, f"{asked.tenant.name} has the {asked.tier.name} plan. {waits}".rstrip())
        return HttpResponseRedirect(reverse("admin:governor_upgraderequest_changelist"))

    def decline_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST says no, with the answer that the owner reads."""
        asked = self._posted(request, code)
        if isinstance(asked, HttpResponse):
            return asked
        answer = request.POST.get("answer", "").replace("\x00", "")
        try:
            upgrades.decline(asked, actor=request.user.get_username(), answer=answer, at=now())
        except CodedError as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(admin_url(LABEL, asked.code))
        messages.success(request, f"{asked.tenant.name} is told why.")
        return HttpResponseRedirect(reverse("admin:governor_upgraderequest_changelist"))

    def _posted(self, request: HttpRequest, code: UUID) -> UpgradeRequest | HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_decide_permission(request):
            raise PermissionDenied
        asked: UpgradeRequest | None = self.get_object(request, str(code))
        if asked is None:
            raise Http404
        return asked

    @admin.display(description="Wants")
    def wanted(self, asked: UpgradeRequest) -> str:
        note = format_html('<span class="co-sub co-break">{}</span>', asked.note) if asked.note else ""
        if asked.status != RequestStatus.OPEN:
            return format_html("{}{}", asked.tier.name, note)
        return format_html("{} → {}{}", asked.tenant.tier.name, asked.tier.name, note)

    @admin.display(description="State")
    def state(self, asked: UpgradeRequest) -> str:
        return pill(asked.status)

    @admin.display(description="Asked")
    def asked(self, asked: UpgradeRequest) -> str:
        return format_html(
            '{}<span class="co-sub">by {}</span>', moment(asked.requested_at), asked.requested_by
        )

    @admin.display(description="Used today")
    def usage(self, asked: UpgradeRequest) -> str:
        day = asked.newest_day or {}  # type: ignore[attr-defined]
        is_today = day.get("on") == day_of(now(), asked.tenant.timezone).isoformat()
        rows = []
        for name, label in _SHOWN:
            used, allowed = day.get(name, 0) if is_today else 0, getattr(asked, f"{name}_allowed")
            rows.append((f"{used:,} of {quantity('', allowed)} {label}",))
        return format_html_join("", '<span class="co-sub co-nowrap">{}</span>', rows)

    @admin.display(description="Decided")
    def decided(self, asked: UpgradeRequest) -> str:
        if asked.decided_at is None:
            return "–"
        return format_html(
            '{}<span class="co-sub co-break">by {}{}</span>',
            moment(asked.decided_at),
            asked.decided_by,
            f": {asked.answer}" if asked.answer else "",
        )

    @admin.display(description="")
    def verbs(self, asked: UpgradeRequest) -> str:
        if asked.status != RequestStatus.OPEN or not asked.may_decide:  # type: ignore[attr-defined]
            return ""
        # The list is a form with its token; the button sends it elsewhere.
        return format_html(
            '<span class="co-pair"><button type="submit" class="co-button co-small" formaction="{}">Approve'
            '</button><a class="co-verb" href="{}">Decline</a></span>',
            reverse("admin:governor_upgraderequest_approve", args=[asked.code]),
            admin_url(LABEL, asked.code),
        )


def _allowed(name: str) -> Func:
    """What the tenant may use, as the governor has it."""
    return Func(
        Value(name),
        F("tenant_id"),
        F("tenant__tier_id"),
        F(f"tenant__tier__{name}"),
        function="public.governor_value",
        output_field=BigIntegerField(),
    )
