"""The pages of dead letters: the groups, and one with its executions, tenants and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse

from logs.vocabulary import word
from triggers import history
from triggers.choices import GroupStatus, Records
from triggers.home import execution_row
from triggers.models import DeadLetterGroup, DeadLetterTenant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

PAGE = 50
MOST_EXECUTIONS = 20
MOST_TENANTS = 50
MOST_RECORDS = 30
OPEN, EVERY = GroupStatus.OPEN.value, "all"
TABS = ((OPEN, "Open"), ("ignored", "Ignored"), ("resolved", "Resolved"), (EVERY, "All"))
NOBODY = "nobody"


def groups_page(asked: Mapping[str, str]) -> dict[str, Any]:
    """The groups that the filters let through, the newest first."""
    status = asked.get("status") or OPEN
    wanted = {
        name: (asked.get(name) or "").replace("\x00", "").strip()[:150]
        for name in ("tenant", "trigger", "assignee")
    }
    text = asked.get("p", "1")
    number = int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 5 else 1
    number = max(1, number)
    found = list(_filtered(status, wanted)[(number - 1) * PAGE : number * PAGE + 1])
    kept = {name: value for name, value in wanted.items() if value}
    return {
        "groups": [{"group": group, "word": word_of(group)} for group in found[:PAGE]],
        "tabs": [
            {"name": label, "query": urlencode({**kept, "status": name}), "is_here": name == status}
            for name, label in TABS
        ],
        "status": status,
        "wanted": wanted,
        "is_filtered": bool(kept),
        "p": number,
        "query": urlencode({**kept, "status": status}),
        "has_more": len(found) > PAGE,
    }


def group_page(group: DeadLetterGroup) -> dict[str, Any]:
    """One group: its newest executions, and whom it hit."""
    executions = list(
        history.executions()
        .defer(None)
        .defer("event_ids", "event_codes", "terms")
        .filter(dead_letter=group)
        .order_by("-pk")[:MOST_EXECUTIONS]
    )
    records = list(dict.fromkeys(name for each in executions for name in each.record_ids))
    tenants = (
        DeadLetterTenant.objects.filter(group=group)
        .select_related("tenant")
        .order_by("-last_seen")[:MOST_TENANTS]
    )
    return {
        "group": group,
        "word": word_of(group),
        "executions": [execution_row(execution) for execution in executions],
        "all_executions": f"{reverse('admin:triggers_execution_changelist')}?{_query(group)}",
        "replay": _replay(group),
        "tenants": list(tenants),
        "records": records[:MOST_RECORDS],
        "more_records": max(0, len(records) - MOST_RECORDS),
        "detail": executions[0].error_detail if executions else "",
    }


def word_of(group: DeadLetterGroup) -> Any:
    """How its status is said."""
    if group.status == GroupStatus.OPEN:
        return word("regression" if group.is_regression else "failing")
    return word(group.status)


def _filtered(status: str, wanted: Mapping[str, str]) -> QuerySet[DeadLetterGroup]:
    found = DeadLetterGroup.objects.select_related("assignee")
    if status != EVERY:
        found = found.filter(status=status)
    if wanted["trigger"]:
        found = found.filter(trigger=wanted["trigger"])
    if wanted["tenant"]:
        of_tenant = DeadLetterTenant.objects.filter(tenant__slug=wanted["tenant"])
        found = found.filter(pk__in=of_tenant.values("group"))
    if wanted["assignee"] == NOBODY:
        found = found.filter(assignee=None)
    elif wanted["assignee"]:
        found = found.filter(assignee__username=wanted["assignee"])
    return found.order_by("-last_seen", "-pk")


def _query(group: DeadLetterGroup) -> str:
    return urlencode({"group": group.code})


def _replay(group: DeadLetterGroup) -> str:
    """Where all that failed in it is replayed, after a preview."""
    wanted = urlencode({"matching": _query(group), "records": Records.FAILED.value})
    return f"{reverse('admin:triggers_replay_new')}?{wanted}"
