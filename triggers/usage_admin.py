"""What operators see of usage, and how they let what waits for a quota run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Value
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from governor.choices import RequestStatus
from governor.models import Parking, UpgradeRequest, Usage
from governor.overrides import LONGEST_REASON
from logs.pills import moment, pill
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.operators import HistoryAdmin, TenantFilter
from tenants.reauthentication import demand
from tenants.scope import every_tenant
from triggers import grants, held_lanes, trigger_rows, usage_view
from triggers.override_admin import effective_url

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.urls import URLPattern

    from triggers.grants import Enough, Released


@admin.register(Usage)
class UsageAdmin(HistoryAdmin):
    """One page of all tenants, one of each."""

    list_title = "Usage"

    def get_urls(self) -> list[URLPattern]:
        one = path("<uuid:code>/", self.admin_site.admin_view(self.tenant_view), name="governor_usage_tenant")
        return [one, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        term, page = request.GET.get("q", "")[:80], _page_of(request)
        rows = usage_view.usages(
            at=now(), term=term, most=usage_view.PAGE + 1, skip=(page - 1) * usage_view.PAGE
        )
        return self.page(
            request,
            "console/usage.html",
            title="Usage",
            rows=rows[: usage_view.PAGE],
            has_more=len(rows) > usage_view.PAGE,
            page=page,
            term=term,
        )

    def tenant_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """What one tenant used, what waits, and what can be done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tenant = _tenant_of(code)
        at = now()
        (row,) = usage_view.usages(at=at, tenant_id=tenant.pk)
        with connection.cursor() as cursor:
            writes = grants.writes_wait(cursor, tenant_id=tenant.pk)
        with every_tenant():
            asked = UpgradeRequest.objects.filter(tenant=tenant, status=RequestStatus.OPEN).first()
        return self.page(
            request,
            "console/usage_tenant.html",
            title=f"Usage of {tenant.name}",
            tenant=tenant,
            row=row,
            asked=asked,
            effective=effective_url(tenant.code),
            resets=[
                ("Today", row.day, usage_view.resets(row.day[0].resets_at, tenant.timezone)),
                ("This month", row.month, usage_view.resets(row.month[0].resets_at, tenant.timezone)),
            ],
            writes=writes,
            may_release=(row.is_waiting_for_quota or writes)
            and request.user.has_perm("governor.add_override"),
        )


@admin.register(Parking)
class ParkingAdmin(HistoryAdmin):
    """What is held now, and under it the stretches of waiting for a quota."""

    list_title = "Parked"
    list_before_template = "console/held_lanes.html"
    empty = "No tenant had to wait for a quota. Those that come near one stand on Usage."
    list_display = ["tenant", "reason", "since_told", "until_told", "state", "ended", "verbs"]
    list_filter = [("tenant", TenantFilter)]
    list_select_related = ["tenant"]
    fields = ["tenant", "reason", "since", "until", "ended_at", "ended_by", "told_at"]
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        release = path(
            "<uuid:code>/release/",
            self.admin_site.admin_view(self.release_view),
            name="governor_parking_release",
        )
        try_now = path(
            "<uuid:code>/try/",
            self.admin_site.admin_view(require_POST(self.try_view)),
            name="governor_parking_try",
        )
        return [release, try_now, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with every_tenant():
            rows = trigger_rows.rows(tenant=None, at=now())
        shown = {
            "held": held_lanes.held(),
            "paused": [row for row in rows if row.waiting.executions],
            "may_release": request.user.has_perm("governor.add_override"),
            "may_try": request.user.has_perm("governor.change_hoststate"),
        }
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def try_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST lets requests to the tenant's hosts pass, and what waits for them go on."""
        if not request.user.has_perm("governor.change_hoststate"):
            raise PermissionDenied
        tenant = _tenant_of(code)
        try:
            opened, lanes = held_lanes.try_now(tenant=tenant, actor=request.user.get_username(), at=now())
        except CodedError as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                f"Requests to {plural(opened, 'host')} of {tenant.name} pass again;"
                f" {plural(lanes, 'lane')} {'goes' if lanes == 1 else 'go'} on.",
            )
        return HttpResponseRedirect(reverse("admin:governor_parking_changelist"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Parking]:
        queryset: QuerySet[Parking] = super().get_queryset(request)
        return queryset.annotate(may_release=Value(request.user.has_perm("governor.add_override")))

    def release_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """GET says how much it takes, POST gives it."""
        if not request.user.has_perm("governor.add_override"):
            raise PermissionDenied
        tenant = _tenant_of(code)
        at = now()
        with connection.cursor() as cursor:
            enough = grants.enough(cursor, tenant_id=tenant.pk, at=at)
        if request.method != "POST":
            return self._ask(request, tenant, GrantForm(initial=enough._asdict()), enough)
        form = GrantForm(request.POST)
        if form.is_valid():
            if asks := demand(request):
                return asks
            try:
                released = grants.grant(
                    tenant=tenant, **form.cleaned_data, actor=request.user.get_username(), at=at
                )
            except CodedError as error:
                form.add_error(None, str(error))
            else:
                _tell(request, tenant, released)
                return HttpResponseRedirect(reverse("admin:governor_usage_tenant", args=[tenant.code]))
        return self._ask(request, tenant, form, enough)

    def _ask(self, request: HttpRequest, tenant: Tenant, form: GrantForm, enough: Enough) -> HttpResponse:
        (row,) = usage_view.usages(at=now(), tenant_id=tenant.pk)
        return self.page(
            request,
            "console/release.html",
            title="Let what waits run now",
            tenant=tenant,
            form=form,
            enough=enough,
            row=row,
        )

    @admin.display(description="Since", ordering="since")
    def since_told(self, parking: Parking) -> str:
        return moment(parking.since)

    @admin.display(description="Quota starts anew")
    def until_told(self, parking: Parking) -> str:
        return moment(parking.until)

    @admin.display(description="State")
    def state(self, parking: Parking) -> str:
        return pill("ended" if parking.ended_at else "parked")

    @admin.display(description="Ended")
    def ended(self, parking: Parking) -> str:
        if not parking.ended_at:
            return "–"
        return format_html("{}<span class='co-sub'>by {}</span>", moment(parking.ended_at), parking.ended_by)

    @admin.display(description="")
    def verbs(self, parking: Parking) -> str:
        if parking.ended_at or not parking.may_release:  # type: ignore[attr-defined]
            return ""
        return format_html(
            '<a class="co-verb" href="{}">Let it run now</a>',
            reverse("admin:governor_parking_release", args=[parking.tenant.code]),
        )


class GrantForm(forms.Form):
    """How much more, and why."""

    executions = forms.IntegerField(min_value=0, label="Executions more")
    api_calls = forms.IntegerField(min_value=0, label="API calls more")
    ai_tokens = forms.IntegerField(min_value=0, label="AI tokens more", required=False)
    reason = forms.CharField(max_length=LONGEST_REASON, label="Why")

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.label_suffix = ""

    def clean_ai_tokens(self) -> int:
        return self.cleaned_data["ai_tokens"] or 0


def _tell(request: HttpRequest, tenant: Tenant, released: Released) -> None:
    lanes = released.lanes
    if lanes:
        said = f"{plural(lanes, 'lane')} of {tenant.name} {'runs' if lanes == 1 else 'run'} now."
        messages.success(request, said)
    if released.writes:
        messages.success(request, f"CRM writes of {tenant.name} are sent now.")
    if not lanes and not released.writes:
        messages.warning(request, "Nothing could be opened yet: more is needed.")


def _tenant_of(code: UUID) -> Tenant:
    tenant: Tenant | None = Tenant.objects.select_related("tier").filter(code=code).first()
    if tenant is None:
        raise Http404
    return tenant


def _page_of(request: HttpRequest) -> int:
    asked = request.GET.get("p", "1")
    return max(1, int(asked)) if asked.isdecimal() and len(asked) < 6 else 1
