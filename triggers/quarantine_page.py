"""The page of the quarantine: what was set aside, why, and which of it is one problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from triggers import delivery_verify, problems, quarantine
from triggers.choices import EventStatus
from triggers.models import PastEvent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import QuerySet

PAGE = 50
SAMPLED = 1_000  # newest events, sorted into problems
MOST_PROBLEMS = 20
LONGEST_EXCERPT = 1_200
_UNREAD = (
    "body", "before", "tenant__settings", "connection__sealed_secrets", "connection__sealed_credentials",
)  # fmt: skip
FILTERS = ("tenant", "crm", "object", "reason", "problem")


def page(asked: Mapping[str, str]) -> dict[str, Any]:
    """What the filters let through, the newest first, and the problems among the newest."""
    wanted = wanted_of(asked)
    kept = {name: value for name, value in wanted.items() if value}
    number = _number(asked.get("p", "1"))
    seen = list(_rows(wanted)[:SAMPLED])
    grouped = problems.group(seen)
    if wanted["problem"]:
        chosen = [each.code for each in seen if _is_of(each, wanted["problem"])]
        grouped = [each for each in grouped if each.fingerprint == wanted["problem"]]
    else:
        chosen = [each.code for each in seen]
    here = chosen[(number - 1) * PAGE : number * PAGE]
    times = {each.code: each for each in seen}
    return {
        "events": _shown([times[code] for code in here]),
        "problems": grouped[:MOST_PROBLEMS],
        "one": grouped[0] if wanted["problem"] and grouped else None,
        "wanted": wanted,
        "is_filtered": bool(kept),
        "is_cut": len(seen) == SAMPLED,
        "sampled": SAMPLED,
        "query": urlencode(kept),
        "p": number,
        "has_more": len(chosen) > number * PAGE,
        "most": quarantine.MOST,
    }


def of_problem(fingerprint: str) -> list[UUID]:
    """The codes of its events among the newest, the oldest first, at most as many as one decision takes."""
    wanted = dict.fromkeys(FILTERS, "")
    found = [each.code for each in _rows(wanted)[:SAMPLED] if _is_of(each, fingerprint)]
    return found[::-1][: quarantine.MOST]


def wanted_of(asked: Mapping[str, str]) -> dict[str, str]:
    """The filters, as far as they can be."""
    return {name: (asked.get(name) or "").replace("\x00", "").strip()[:150] for name in FILTERS}


def _rows(wanted: Mapping[str, str]) -> QuerySet[PastEvent]:
    rows = PastEvent.objects.select_related("tenant", "connection").filter(status=EventStatus.QUARANTINED)
    if wanted["tenant"]:
        rows = rows.filter(tenant__slug=wanted["tenant"])
    for name in ("crm", "object", "reason"):
        if wanted[name]:
            rows = rows.filter(**{name: wanted[name]})
    return rows.defer(*_UNREAD).order_by("-id")


def _is_of(event: PastEvent, fingerprint: str) -> bool:
    return any(mark == fingerprint for mark, _, _ in problems.of_event(event))


def _shown(events: list[PastEvent]) -> list[dict[str, Any]]:
    bodies = dict(
        PastEvent.objects.filter(pk__in=[each.pk for each in events]).values_list("pk", "body")
        if events
        else ()
    )
    return [
        {
            "event": event,
            "detail": (event.error or {}).get("detail", ""),
            "misfits": problems.misfits(event),
            "excerpt": _excerpt(event, bodies.get(event.pk)),
            "why_not_released": quarantine.why_not(event, is_released=True),
            "why_not_rerun": quarantine.why_not(event, is_released=False),
        }
        for event in events
    ]


def _excerpt(event: PastEvent, body: Any) -> str:
    if body is None:
        return ""
    text = delivery_verify.shown(body, context=f"event:{event.tenant_id}:{event.code}")
    return text if len(text) <= LONGEST_EXCERPT else f"{text[:LONGEST_EXCERPT]}\n…"


def _number(text: str) -> int:
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 4 else 1
