"""Agencies in the console: their locations, and the ticks by which they become tenants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.text import slugify
from django.utils.timezone import now
from django.views.decorators.http import require_POST

from logs.pills import moment
from logs.vocabulary import plural
from tenants.errors import CodedError
from tenants.models import Tenant, Tier
from tenants.operators import HistoryAdmin
from triggers import agencies
from triggers.models import Agency

if TYPE_CHECKING:
    from uuid import UUID

    from django.urls import URLPattern

    from triggers.agencies import Row

MAY_CHOOSE = "triggers.change_agency"
MOST_TENANTS = 200


@admin.register(Agency)
class AgencyAdmin(HistoryAdmin):
    """An agency is made by its install; operators say which of its locations are whose."""

    list_title = "Agencies"
    empty = (
        "No agency installed the app for all its locations. To begin, open /connect/gohighlevel/ and choose"
        " the agency in HighLevel."
    )
    list_display = ["__str__", "crm", "company_id", "tenant", "installed_by", "installed"]
    list_select_related = ["tenant"]
    list_defer = ("sealed_credentials",)
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        choose = self.admin_site.admin_view(require_POST(self.choose_view))
        return [path("<uuid:code>/choose/", choose, name="triggers_agency_choose"), *super().get_urls()]

    def has_choose_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_CHOOSE) and request.user.has_perm("tenants.add_tenant"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        agency = self._one(request, object_id)
        problem = ""
        rows: list[Row] = []
        try:
            rows = agencies.offered(agency, at=now())
        except CodedError as error:
            problem = str(error)
        return self.page(
            request,
            "console/agency.html",
            title="Agency",
            agency=agency,
            rows=[{"row": row, "slug": _slug(row)} for row in rows],
            problem=problem,
            may_choose=self.has_choose_permission(request),
            most=agencies.MOST_AT_ONCE,
            tiers=Tier.objects.order_by("slug").values_list("slug", "name"),
            tenants=Tenant.objects.order_by("slug").values_list("slug", "name")[:MOST_TENANTS],
        )

    def choose_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """POST ``location`` (each that is ticked), ``slug-<location>``, ``tier``."""
        if not self.has_choose_permission(request):
            raise PermissionDenied
        agency = self._one(request, str(code))
        ticked = request.POST.getlist("location")
        back = HttpResponseRedirect(reverse("admin:triggers_agency_change", args=[code]))
        if not 1 <= len(ticked) <= agencies.MOST_AT_ONCE:
            messages.error(request, f"Tick one to {agencies.MOST_AT_ONCE} locations.")
            return back
        try:
            known = {row.location.id: row for row in agencies.offered(agency, at=now())}
        except CodedError as error:
            messages.error(request, str(error))
            return back
        connected = 0
        for name in ticked:
            if name in known:
                connected += self._take_in(request, agency, known[name])
        if connected:
            messages.success(request, f"{plural(connected, 'location')} connected.")
        return back

    def _take_in(self, request: HttpRequest, agency: Agency, row: Row) -> bool:
        location = row.location
        slug = request.POST.get(f"slug-{location.id}", "").strip().lower()[:40] or _slug(row)
        choice = agencies.Choice(location, slug, is_new=not Tenant.objects.filter(slug=slug).exists())
        try:
            agencies.take_in(
                agency,
                choice,
                tier=request.POST.get("tier", ""),
                actor=request.user.get_username(),
                at=now(),
            )
        except CodedError as error:
            messages.error(request, f"{location.name or location.id}: {error}")
            return False
        return True

    def _one(self, request: HttpRequest, code: str) -> Agency:
        found: Agency | None = self.get_object(request, code)
        if found is None:
            raise Http404
        return found

    @admin.display(description="Installed")
    def installed(self, agency: Agency) -> str:
        return moment(agency.installed_at)


def _slug(row: Row) -> str:
    """What a tenant of this location may be called: it begins with a letter."""
    made = slugify(row.location.name)[:40].strip("-")
    return made if made[:1].isalpha() else f"location-{row.location.id[:12].lower()}"
