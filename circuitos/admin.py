"""The operators' console as a whole: its overview page, its navigation, its search, and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.urls import reverse
from unfold.dataclasses import SearchResult

from circuitos import (
    health,
    jail_page,
    people_admin,  # noqa: F401 - registers people and roles
)
from tenants.operators import admin_url
from tenants.scope import every_tenant
from triggers import finding, history, home

if TYPE_CHECKING:
    from django.http import HttpRequest

MOST_FOUND = 8

# Of no model.
_OWN_PAGES = {"index": "admin:index", "tail": "tail", "quarantine": "admin:triggers_event_quarantine"}
# The sidebar: section, then (title, icon, admin page). A page whose model is not registered is left out.
_NAVIGATION: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "",
        (
            ("Overview", "monitoring", "index"),
            ("Executions", "bolt", "triggers_execution_changelist"),
            ("Replays", "replay", "triggers_replay_changelist"),
            ("Live tail", "stream", "tail"),
            ("Events", "move_to_inbox", "triggers_event_changelist"),
        ),
    ),
    (
        "Flow",
        (
            ("Lanes", "conversion_path", "triggers_lane_changelist"),
            ("Triggers", "tune", "triggers_triggerconfig_changelist"),
            ("Dead letters", "report", "triggers_deadlettergroup_changelist"),
            ("Quarantine", "shield", "quarantine"),
            ("Outbox", "outbox", "triggers_outboxwrite_changelist"),
            ("Hosts", "dns", "governor_hoststate_changelist"),
            ("Refused deliveries", "gpp_bad", "triggers_refuseddelivery_changelist"),
            ("Unknown accounts", "help_center", "triggers_unclaimedaccount_changelist"),
        ),
    ),
    (
        "Governor",
        (
            ("Limits & quotas", "speed", "governor_override_changelist"),
            ("Usage", "data_usage", "governor_usage_changelist"),
            ("Upgrade requests", "upgrade", "governor_upgraderequest_changelist"),
            ("Parked", "pause_circle", "governor_parking_changelist"),
        ),
    ),
    (
        "Customers",
        (
            ("Tenants", "apartment", "tenants_tenant_changelist"),
            ("Connections", "cable", "tenants_connection_changelist"),
            ("Agencies", "domain", "triggers_agency_changelist"),
            ("Imports", "history", "triggers_backfill_changelist"),
            ("Webhook completeness", "fact_check", "triggers_reconciliation_changelist"),
            ("Tiers", "stacks", "tenants_tier_changelist"),
        ),
    ),
    (
        "Access",
        (
            ("People", "group", "auth_user_changelist"),
            ("API tokens", "key", "tenants_apikey_changelist"),
            ("Audit", "history", "tenants_auditevent_changelist"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar."""
    known = {
        f"{m._meta.app_label}_{m._meta.model_name}_changelist"  # noqa: SLF001
        for m, page in admin.site._registry.items()  # noqa: SLF001
        if page.has_view_or_change_permission(request)
    }
    groups = []
    for title, pages in _NAVIGATION:
        items = [
            {"title": name, "icon": icon, "link": reverse(_OWN_PAGES.get(page, f"admin:{page}"))}
            for name, icon, page in pages
            if page in _OWN_PAGES or page in known
        ]
        if items:
            groups.append({"title": title, "separator": bool(title), "items": items})
    return groups


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Fill the overview page."""
    with every_tenant():
        shown = home.overview_page(parts=health.parts(), span=request.GET.get("span"))
        return {**context, "title": "Overview", "jail": jail_page.card(), **shown}


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """The command palette: pages, tenants and triggers by name, executions by whatever finds them."""
    term = term.strip()
    if len(term) < finding.LEAST_LETTERS:
        return []
    found = _pages(request, term)
    with every_tenant():
        if request.user.has_perm("tenants.view_tenant"):
            found += [
                SearchResult(
                    title=tenant.name,
                    description=f"Tenant · {tenant.slug}",
                    link=admin_url("tenants.tenant", tenant.code),
                    icon="apartment",
                )
                for tenant in finding.tenants(term)
            ]
        if not request.user.has_perm("triggers.view_execution"):
            return found
        found += [
            SearchResult(
                title=spec.name,
                description="Trigger · its executions",
                link=f"{reverse('admin:triggers_execution_changelist')}?{urlencode({'trigger': spec.name})}",
                icon="tune",
            )
            for spec in finding.triggers(term)
        ]
        executions = list(history.executions().filter(finding.condition(term)).order_by("-pk")[:MOST_FOUND])
    return found + [
        SearchResult(
            title=execution.trigger,
            description=f"{execution.get_status_display()} · {execution.tenant.slug} · {execution.code}",
            link=admin_url("triggers.execution", execution.code),
            icon="bolt",
        )
        for execution in executions
    ]


def _pages(request: HttpRequest, term: str) -> list[SearchResult]:
    """The console's pages by name."""
    wanted = term.lower()
    return [
        SearchResult(
            title=item["title"], description=group["title"] or "Page", link=item["link"], icon=item["icon"]
        )
        for group in navigation(request)
        for item in group["items"]
        if wanted in item["title"].lower()
    ]
