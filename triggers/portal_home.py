"""The portal's home: what matters today in one look, and the next step of a new tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from governor import policy, usage
from governor.allowances import UNLIMITED
from governor.calendar import zone
from governor.choices import Period
from governor.quotas import Quota
from governor.tenant_governor import resets_at
from tenants.portal import address_of
from triggers import agents, connection_health, portal_activity, usage_words
from triggers.portal_today import today

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tenants.models import Tenant
    from triggers.connection_health import Health

NEWEST = 5


def home_page(tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """The page's context: a fixed number of queries."""
    connections = connection_health.of_tenant(tenant, at=at)
    return {
        "page": "home",
        "on": f"{at.astimezone(zone(tenant.timezone)):%A %-d %B}",
        "tiles": [_linked(tile) for tile in _tiles(tenant, at=at)],
        "connections": [{"health": health, "last": _last(health, tenant, at=at)} for health in connections],
        "newest": portal_activity.newest(tenant, most=NEWEST, at=at),
        "steps": _steps(tenant, connections),
    }


def _last(health: Health, tenant: Tenant, *, at: datetime) -> str:
    last = health.connection.last_event_at
    return usage_words.moment(last, tenant.timezone, at=at) if last else ""


def _tiles(tenant: Tenant, *, at: datetime) -> list[dict[str, Any]]:
    seen = today(tenant, at=at)
    more = "+" if seen.is_cut else ""
    hot_note = "call them first" if seen.hot else "none so far"
    return [
        {"label": "Leads scored today", "value": f"{seen.scored:,}{more}", "page": "portal-activity"},
        {
            "label": "Hot leads today",
            "value": f"{seen.hot:,}{more}",
            "note": hot_note,
            "is_hot": seen.hot,
            "page": "portal-activity",
        },
        {
            "label": "Events waiting",
            "value": f"{seen.waiting:,}{'+' if seen.is_waiting_cut else ''}",
            "note": "kept, and run in order" if seen.waiting else "all caught up",
            "page": "portal-usage",
        },
        {
            "label": "Failed today",
            "value": f"{seen.failed:,}{more}",
            "note": "✕ see what happened" if seen.failed else "✓ nothing failed",
            "tone": "bad" if seen.failed else "good",
            "page": "portal-activity",
            "query": "?status=failed" if seen.failed else "",
        },
        _quota_tile(tenant, at=at),
    ]


def _quota_tile(tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """The day's executions as a meter: two queries."""
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant.pk)
        day, _ = usage.read(cursor, tenant_id=tenant.pk, on=at.astimezone(zone(found.timezone)).date())
    quota = Quota.of(found)
    allowed = quota.executions_per_day
    is_unlimited = allowed >= UNLIMITED
    percent = 0 if is_unlimited else day.executions * 100 // allowed if allowed else 100
    tone = usage_words.tone(percent)
    resets = usage_words.moment(resets_at(Period.DAY, at, found.timezone), found.timezone, at=at)
    return {
        "label": "Executions today",
        "value": f"{day.executions:,}",
        "of": "" if is_unlimited else f"of {allowed:,}",
        "share": None if is_unlimited else min(100, percent),
        "meter": tone,
        "note": usage_words.STANDINGS[tone] or ("not limited" if is_unlimited else f"resets {resets}"),
        "page": "portal-usage",
    }


def _steps(tenant: Tenant, connections: Sequence[Health]) -> list[dict[str, Any]] | None:
    """What a new tenant does first; None once all of it is done."""
    has_event = any(health.connection.last_event_at for health in connections)
    has_colleagues = len(tenant.memberships.values_list("pk")[:2]) > 1
    steps = [
        {
            "title": "Connect your CRM",
            "text": "Tell it where to send what happens. It takes five minutes.",
            "page": "portal-connections",
            "is_done": bool(connections),
        },
        {
            "title": "See the first event arrive",
            "text": "Send a test event, or change a contact in your CRM.",
            "page": "portal-connections",
            "is_done": has_event,
        },
        {
            "title": "Switch on an agent",
            "text": "Such as lead scoring: it tells you whom to call first.",
            "page": "portal-agents",
            "is_done": agents.is_any_on(tenant),
        },
        {
            "title": "Invite your colleagues",
            "text": "They see the same leads, and you decide what they may change.",
            "page": "portal-members",
            "is_done": has_colleagues,
        },
    ]
    if all(step["is_done"] for step in steps):
        return None
    following = next(step for step in steps if not step["is_done"])
    return [{**_linked(step), "is_next": step is following} for step in steps]


def _linked(part: dict[str, Any]) -> dict[str, Any]:
    address = address_of(part["page"])
    return {**part, "href": address and address + part.get("query", "")}
