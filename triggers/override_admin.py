"""What operators set: limits and quotas, each with who, why and until; looked at before it is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Value
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timezone import now

from governor import overrides, policy
from governor.allowances import ALLOWANCES
from governor.limits import LIMITS
from governor.models import Override
from logs.pills import moment, pill
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.operators import HistoryAdmin, TenantFilter
from tenants.reauthentication import demand
from triggers import effective
from triggers.override_filters import NameFilter, ScopeFilter, StateFilter
from triggers.override_form import OverrideForm
from triggers.preview import preview

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.urls import URLPattern

MOST_NAMED = 200  # tenants offered while one types
LIST = "admin:governor_override_changelist"


@admin.register(Override)
class OverrideAdmin(HistoryAdmin):
    list_title = "Limits & quotas"
    empty = "All have what their tier gives. Set a limit or quota to give a tenant more, or less, for a time."
    list_display = ["what", "value_told", "scope_told", "state", "who", "why", "since", "until_told", "verbs"]
    list_display_links = ["what"]
    list_filter = [NameFilter, ScopeFilter, StateFilter, ("tenant", TenantFilter)]
    list_select_related = ["tenant", "tier"]
    list_before_template = "console/overrides_head.html"
    show_add_link = False
    fields = [
        "name", "value", "tier", "tenant", "trigger", "reason", "actor", "created_at", "until", "ended_at",
        "ended_by",
    ]  # fmt: skip
    ordering = ["-id"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:code>/end/", view(self.end_view), name="governor_override_end"),
            path("effective/<uuid:code>/", view(self.effective_view), name="governor_override_effective"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Override]:
        queryset: QuerySet[Override] = super().get_queryset(request)
        return queryset.annotate(may_end=Value(self.has_end_permission(request)))

    def has_add_permission(self, request: HttpRequest, *_: Any) -> bool:
        return bool(request.user.has_perm("governor.add_override"))

    def has_end_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("governor.change_override"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First a look at what the value would do, then it is set."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        at, actor = now(), request.user.get_username()
        if request.method != "POST":
            form = OverrideForm(initial=_asked(request), at=at, actor=actor)
            return self._form(request, form)
        form = OverrideForm(request.POST, at=at, actor=actor)
        if not form.is_valid():
            return self._form(request, form)
        proposal = form.proposal
        tenant_id = form.of_tenant.pk if form.of_tenant else 0
        with connection.cursor() as cursor:
            seen = preview(cursor, proposal, tenant_id=tenant_id, at=at)
            before, after = effective.would_be(cursor, proposal, tenant_id=tenant_id)
        is_sure = bool(request.POST.get("sure")) or not (seen.hits or not seen.is_known)
        is_same = request.POST.get("seen") == form.fingerprint
        if "set" in request.POST and is_same and is_sure:
            # The way back fills the form in again.
            typed = {name: request.POST[name] for name in form.fields if request.POST.get(name)}
            return demand(request, back=f"{request.path}?{urlencode(typed)}") or self._set(request, form)
        return self._form(
            request,
            form,
            seen=seen,
            before=before,
            after=after,
            before_told=effective.told(before.name, before.value),
            after_told=effective.told(after.name, after.value),
            wants_sure="set" in request.POST and is_same,
            proposal=proposal,
        )

    def _set(self, request: HttpRequest, form: OverrideForm) -> HttpResponse:
        try:
            made = overrides.put(**form.wanted(), actor=form.actor)
        except CodedError as error:
            form.add_error(None, str(error))
            return self._form(request, form)
        until = f" until {made.until:%-d %b %H:%M} UTC" if made.until else ""
        messages.success(
            request,
            f"{made.name} is {effective.told(made.name, made.value)} for {form.proposal.scope}{until}."
            " Running workers know within 5 seconds.",
        )
        if form.of_tenant is None:
            return HttpResponseRedirect(reverse(LIST))
        query = f"?{urlencode({'trigger': made.trigger})}" if made.trigger else ""
        return HttpResponseRedirect(effective_url(form.of_tenant.code) + query)

    def _form(self, request: HttpRequest, form: OverrideForm, **context: Any) -> HttpResponse:
        return self.page(
            request,
            "console/set_limit.html",
            title="Set a limit or quota",
            form=form,
            tenants=Tenant.objects.order_by("slug").values_list("slug", "name")[:MOST_NAMED],
            triggers=effective.trigger_names(),
            **context,
        )

    def end_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """GET asks, POST ends."""
        if not self.has_end_permission(request):
            raise PermissionDenied
        found = self.get_object(request, str(code))
        if found is None:
            raise Http404
        at = now()
        if request.method == "POST":
            if asks := demand(request):
                return asks
            reason = request.POST.get("reason", "").replace("\x00", "")[:300]
            overrides.end(found, actor=request.user.get_username(), reason=reason, at=at)
            messages.success(
                request, f"{found.name} of {found.scope} is ended; what stood below it holds again."
            )
            return HttpResponseRedirect(reverse(LIST))
        return self.page(
            request,
            "console/end_limit.html",
            title="End a limit or quota",
            override=found,
            told=effective.told(found.name, found.value),
            state=state_of(found, at=at),
        )

    def effective_view(self, request: HttpRequest, code: UUID) -> HttpResponse:
        """Every value of a tenant, and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        tenant = Tenant.objects.select_related("tier").filter(code=code).first()
        if tenant is None:
            raise Http404
        trigger = request.GET.get("trigger", "").replace("\x00", "")[:120]
        with connection.cursor() as cursor:
            found = policy.load(cursor, tenant.pk)
        names = effective.trigger_names()
        return self.page(
            request,
            "console/effective.html",
            title=f"Limits of {tenant.name}",
            tenant=tenant,
            trigger=trigger,
            triggers=[trigger, *names] if trigger and trigger not in names else names,
            groups=effective.rows(found, trigger=trigger),
            named=request.GET.get("name", ""),
            may_set=self.has_add_permission(request),
        )

    @admin.display(description="Limit or quota", ordering="name")
    def what(self, override: Override) -> str:
        each: Any = LIMITS.get(override.name) or ALLOWANCES.get(override.name)
        return format_html(
            '<span class="co-strong">{}</span><span class="co-sub">{}</span>',
            each.label if each else override.name,
            override.name,
        )

    @admin.display(description="Value")
    def value_told(self, override: Override) -> str:
        return format_html('<span class="co-nowrap">{}</span>', effective.told(override.name, override.value))

    @admin.display(description="For")
    def scope_told(self, override: Override) -> str:
        return override.scope

    @admin.display(description="State")
    def state(self, override: Override) -> str:
        return pill(state_of(override, at=now()))

    @admin.display(description="Who", ordering="actor")
    def who(self, override: Override) -> str:
        return override.actor

    @admin.display(description="Why")
    def why(self, override: Override) -> str:
        return format_html('<span class="co-why">{}</span>', override.reason)

    @admin.display(description="Since", ordering="created_at")
    def since(self, override: Override) -> str:
        return moment(override.created_at)

    @admin.display(description="Until")
    def until_told(self, override: Override) -> str:
        if override.ended_at:
            return format_html(
                "{}<span class='co-sub'>by {}</span>", moment(override.ended_at), override.ended_by
            )
        return moment(override.until) if override.until else "no end"

    @admin.display(description="")
    def verbs(self, override: Override) -> str:
        if override.ended_at or not override.may_end:  # type: ignore[attr-defined]
            return ""
        return format_html(
            '<a class="co-verb" href="{}">End</a>',
            reverse("admin:governor_override_end", args=[override.code]),
        )


def state_of(override: Override, *, at: Any) -> str:
    """In force, lapsed or ended."""
    if override.ended_at:
        return "ended"
    return "lapsed" if override.until and override.until <= at else "in-force"


def effective_url(code: object) -> str:
    """The page of a tenant's values in force."""
    return reverse("admin:governor_override_effective", args=[code])


def _asked(request: HttpRequest) -> dict[str, Any]:
    """What a link to the form fills in."""
    asked = {name: request.GET[name] for name in OverrideForm.base_fields if name in request.GET}
    if "scope" in asked:
        return asked
    if "tenant" in asked:
        asked["scope"] = "tenant-trigger" if asked.get("trigger") else "tenant"
    elif "trigger" in asked:
        asked["scope"] = "trigger"
    return asked
