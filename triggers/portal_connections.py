"""The portal's connections, made ready for their templates: health, set-up step by step, what came last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.choices import CRM
from tenants.connection_changes import ACCOUNTS
from tenants.connections import makes_secret, overlap_until, uses_secret
from tenants.errors import CodedError
from tenants.scope import tenant_scope
from triggers import (
    connection_health,
    connection_history,
    connection_news,
    oauth_providers,
    portal_words,
    reconnecting,
    token_check,
    usage_words,
)
from triggers.choices import LIVE_EVENT_STATUSES, EventStatus, Skip
from triggers.crm import WRITERS, gohighlevel_workflow, is_signed
from triggers.models import RefusedDelivery

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Connection, Tenant
    from triggers.connection_health import Health
    from triggers.connection_news import News

EVENTS_TO_TICK = {
    CRM.GOHIGHLEVEL: ("ContactCreate", "ContactUpdate", "OpportunityCreate", "OpportunityStatusUpdate"),
    CRM.HUBSPOT: ("contact.creation", "contact.propertyChange", "deal.creation", "deal.propertyChange"),
    CRM.SALESFORCE: ("Contact", "Lead", "Opportunity"),
    CRM.PIPEDRIVE: ("* person", "* deal", "* activity"),
    CRM.ZOHO: ("Leads.all", "Contacts.all", "Deals.all"),
    CRM.STANDARD: ("contact.created", "contact.updated", "deal.created", "deal.updated"),
}
_KINDS = {
    CRM.GOHIGHLEVEL: "Contacts and opportunities of a location, from your marketplace app or a workflow.",
    CRM.HUBSPOT: "Contacts and deals, from your HubSpot app. Scores can be written back.",
    CRM.SALESFORCE: "Contacts, leads and opportunities, by outbound messages or change events.",
    CRM.PIPEDRIVE: "Persons, deals and activities, with the old values of what changed.",
    CRM.ZOHO: "Leads, contacts and deals, by Zoho's notifications.",
    CRM.STANDARD: "Anything that sends Standard Webhooks: forms, shops, your own software.",
}
_EVENTS = {
    EventStatus.QUEUED: portal_words.Said("wait", "○", "Waiting"),
    EventStatus.RUNNING: portal_words.Said("busy", "▸", "Running"),
    EventStatus.SUCCEEDED: portal_words.Said("good", "✓", "Done"),
    EventStatus.FAILED: portal_words.Said("bad", "✕", "Failed"),
    EventStatus.QUARANTINED: portal_words.Said("warn", "▲", "Set aside"),
    EventStatus.SKIPPED: portal_words.Said("quiet", "–", "Nothing to do"),
}
_SKIPS: dict[str, str] = {
    Skip.NO_TRIGGER: "no agent is switched on for it",
    Skip.ECHO: "it repeats what was written from here",
    Skip.STALE: "something newer is known already",
    Skip.SCRIPT: "nothing in it called for work",
    Skip.EXPIRED: "it waited for too long",
}


def list_page(tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """All connections with their health: one query."""
    rows = [
        {"health": health, "last": _last(health.connection, tenant, at=at)}
        for health in connection_health.of_tenant(tenant, at=at)
    ]
    return {"page": "connections", "rows": rows, "kinds": kinds()}


def kinds() -> list[tuple[str, str, str, bool]]:
    """The CRMs that can be connected: value, name, what comes of it, and whether by installing our app."""
    return [(crm.value, crm.label, _KINDS[crm], oauth_providers.is_set_up(crm)) for crm in CRM]


def find(tenant: Tenant, code: str, *, at: datetime) -> Health | None:
    """The tenant's connection with this id."""
    return next(iter(connection_health.of_tenant(tenant, at=at, code=code)), None)


def detail_page(tenant: Tenant, health: Health, *, url: str, at: datetime) -> dict[str, Any]:
    """One connection: a fixed number of queries."""
    connection = health.connection
    crm = CRM(connection.crm)
    news = connection_news.latest(connection)
    if news:
        health = connection_health.with_event(health, news[0].event.received_at, at=at)
    return {
        "page": "connections",
        "connection": connection,
        "health": health,
        "url": url,
        "crm": crm.value,
        "account_label": ACCOUNTS.get(crm, "account ID"),
        "events_to_tick": EVENTS_TO_TICK[crm],
        "is_workflow": connection.is_workflow,
        "has_secret": uses_secret(crm, is_workflow=connection.is_workflow),
        "makes_secret": makes_secret(crm, is_workflow=connection.is_workflow),
        "is_signed": is_signed(crm, gohighlevel_workflow.KIND if connection.is_workflow else ""),
        "old_secret_until": _overlap(connection, tenant, at=at),
        "can_write": writes_to(crm),
        "takes_token": crm in token_check.CHECKED,
        "token_needs": token_check.NEEDED,
        "last_refused": _refused(health, tenant, at=at),
        "can_install": oauth_providers.is_set_up(crm),
        "history": connection_history.of(connection, at=at),
        **_lost(connection, tenant, at=at),
        **arrived(tenant, connection, news, at=at),
    }


def writes_to(crm: str) -> bool:
    """Whether changes can be written to this CRM."""
    return crm in WRITERS


def _refused(health: Health, tenant: Tenant, *, at: datetime) -> dict[str, Any] | None:
    """The last delivery that was refused: why, and which addresses its signature was checked against."""
    if not health.refused:
        return None
    with tenant_scope(tenant.pk):
        last = (
            RefusedDelivery.objects.defer("body")
            .filter(connection=health.connection)
            .order_by("-received_at", "-pk")
            .first()
        )
    if last is None:
        return None
    return {
        "at": usage_words.moment(last.received_at, tenant.timezone, at=at),
        "detail": last.detail,
        "uris": last.headers.get(":uris", []),
    }


def arrived(tenant: Tenant, connection: Connection, news: list[News], *, at: datetime) -> dict[str, Any]:
    """What came last and what ran; ``is_waiting`` while news can be expected any moment."""
    is_open = any(each.event.status in LIVE_EVENT_STATUSES for each in news)
    return {
        "connection": connection,
        "news": [_news(each, tenant, at=at) for each in news],
        "is_waiting": connection.is_active and (is_open or not news),
    }


def _news(each: News, tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    event = each.event
    return {
        "at": usage_words.moment(event.received_at, tenant.timezone, at=at),
        "what": f"{event.object or 'Something unknown'} {event.operation}".strip(),
        "record_id": event.record_id,
        "said": _EVENTS[EventStatus(event.status)],
        "why": _SKIPS.get(event.reason, "") if event.status == EventStatus.SKIPPED else "",
        "is_test": event.origin == "test",
        "ran": [
            {
                "code": execution.code,
                "title": portal_words.title_of(execution.trigger),
                "said": portal_words.pill_of(execution),
            }
            for execution in each.executions
        ],
    }


def _lost(connection: Connection, tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """Since when it needs reconnecting, and what waits for that; nothing of one that is connected."""
    if not connection.is_held:
        return {}
    few = reconnecting.waiting(connection)
    if few > reconnecting.MOST_SHOWN:
        waits = f"More than {reconnecting.MOST_SHOWN:,} events wait"
    else:
        waits = "1 event waits" if few == 1 else f"{few:,} events wait" if few else "No event waits yet"
    since = connection.reconnect_since
    return {"waits": waits, "lost_since": usage_words.moment(since, tenant.timezone, at=at) if since else ""}


def _last(connection: Connection, tenant: Tenant, *, at: datetime) -> str:
    last = connection.last_event_at
    return usage_words.moment(last, tenant.timezone, at=at) if last else ""


def _overlap(connection: Connection, tenant: Tenant, *, at: datetime) -> str:
    try:
        until = overlap_until(connection, at=at)
    except CodedError:
        return ""  # its secrets cannot be opened: that is the operator's to mend
    return usage_words.moment(until, tenant.timezone, at=at) if until else ""
