"""The quarantine: events that were kept but not run, and what an operator decides of them.

A decision is about these events alone. No rule, threshold or model learns from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection, transaction
from django.db.models import Case, JSONField, Value, When

from tenants import audit
from tenants.errors import CodedError
from tenants.models import Tenant
from tenants.scope import every_tenant
from triggers import bells, lanes
from triggers.choices import EventStatus, Skip
from triggers.crm.adapter import ACCOUNT_MISSING, NOT_AN_EVENT, RECORD_MISSING
from triggers.members import UNREADABLE
from triggers.models import PastEvent
from triggers.schemas import Misfit
from triggers.work import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

MOST = 200  # events of one decision
LONGEST_NOTE = 500

# Nothing to let pass: there is no record to run, or it cannot be read as one.
_NO_RECORD = frozenset({ACCOUNT_MISSING, NOT_AN_EVENT, RECORD_MISSING})
_NO_FIT = frozenset({Misfit.code, UNREADABLE})

_COLUMNS = (
    "id, code, tenant_id, connection_id, crm, object, operation, record_id, kind, occurred_at, received_at,"
    " delivery, position, body, origin, depth"
)
# Under its old id: it stands in its lane before what came after it.
_BACK = f"""
WITH chosen AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::jsonb[]) AS chosen(event_id, into_lane, said)
), gone AS (
    DELETE FROM public.triggers_event_past e USING chosen
    WHERE e.id = chosen.event_id AND e.status = 'quarantined' AND e.received_at BETWEEN %s AND %s
    RETURNING e.*, chosen.*
)
INSERT INTO public.triggers_liveevent
    ({_COLUMNS}, lane_id, status, reason, error, attempts, old_known)
SELECT {_COLUMNS}, CASE WHEN held.is_held THEN NULL ELSE into_lane END, 'queued', '', said, 0, false
FROM gone LEFT JOIN LATERAL (
    SELECT c.is_held FROM public.tenants_connection c WHERE c.id = gone.connection_id) held ON true
"""  # noqa: S608  # constants of this module


class BadDecision(CodedError):
    """Nothing of it can be decided so."""

    code = "triggers.bad-decision"
    status = 409


@dataclass
class Decided:
    """What became of the events: how many were decided, and why others were not, by reason."""

    done: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1


def release(events: Iterable[UUID], *, actor: str, at: datetime, note: str = "") -> Decided:
    """Let events run that a verdict set aside; the same verdict does not set them aside again.

    ``events`` are codes, at most ``MOST``. One that does not fit its schema cannot be let pass: it says why.
    """
    return _back(events, is_released=True, actor=actor, at=at, note=note)


def rerun(events: Iterable[UUID], *, actor: str, at: datetime, note: str = "") -> Decided:
    """Try events again with the mapping as it is now. What still does not fit comes back here."""
    return _back(events, is_released=False, actor=actor, at=at, note=note)


def reject(events: Iterable[UUID], *, actor: str, at: datetime, note: str = "") -> Decided:
    """Never run them: they end as skipped, and keep the reason that set them aside."""
    note = _clean(note)
    decided = Decided()
    with every_tenant(), transaction.atomic():
        held = _held(events, decided)
        said = {"by": actor[:150], "at": at.isoformat(), **({"note": note} if note else {})}
        for event in held:
            event.error = {**(event.error or {}), "rejected": said, "reason": event.reason}
        if held:
            PastEvent.objects.filter(pk__in=[event.pk for event in held], **_span(held)).update(
                status=EventStatus.SKIPPED, reason=Skip.REJECTED, error=_errors(held)
            )
            _note_down("quarantine.reject", held, actor=actor, at=at, note=note)
        decided.done = len(held)
    return decided


def released(error: str | bytes | dict[str, Any] | None) -> frozenset[str]:
    """The codes of verdicts that an operator let this event pass; ``error`` is the event's."""
    if not error:
        return frozenset()
    document = error if isinstance(error, dict) else msgspec.json.decode(error)
    return frozenset(document.get("released", ()))


def why_not(event: Any, *, is_released: bool) -> str:
    """Why an event cannot be released, or re-run; "" when it can."""
    if (event.error or {}).get("trigger"):
        return "a trigger's own schema refused the record after others ran: replay its execution"
    if not event.object or not event.record_id or event.reason in _NO_RECORD:
        return "it names no record to run"
    if is_released and event.reason in _NO_FIT:
        return "it does not fit its schema: mend the mapping, then run it again"
    return ""


def _back(events: Iterable[UUID], *, is_released: bool, actor: str, at: datetime, note: str) -> Decided:
    note = _clean(note)
    decided = Decided()
    with every_tenant(), transaction.atomic():
        chosen = []
        for event in _held(events, decided):
            if why := why_not(event, is_released=is_released):
                decided.refuse(why)
            else:
                chosen.append(event)
        if chosen:
            _move(chosen, is_released=is_released)
            verb = "quarantine.release" if is_released else "quarantine.rerun"
            _note_down(verb, chosen, actor=actor, at=at, note=note)
        decided.done = len(chosen)
    return decided


def _move(chosen: Sequence[PastEvent], *, is_released: bool) -> None:
    with connection.cursor() as cursor:
        places = {
            place: lanes.lane_of(cursor, tenant_id=place[0], obj=place[1], kind="live")
            for place in sorted({(event.tenant_id, event.object) for event in chosen})
        }
        span = _span(chosen)["received_at__range"]
        cursor.execute(
            _BACK,
            [
                [event.pk for event in chosen],
                [places[event.tenant_id, event.object] for event in chosen],
                [_said(event, is_released=is_released) for event in chosen],
                *span,
            ],
        )
    # On commit, or a fast worker would look before the rows are there.
    transaction.on_commit(lambda: bells.ring(places.values()))


def _said(event: PastEvent, *, is_released: bool) -> str | None:
    codes = released(event.error) | ({event.reason} if is_released else set())
    return as_json({"released": sorted(codes)}) if codes else None


def _held(events: Iterable[UUID], decided: Decided) -> list[PastEvent]:
    """The chosen events that are still quarantined, held until the end of the transaction."""
    codes = set(events)
    if not codes:
        raise BadDecision("No event was chosen.")
    if len(codes) > MOST:
        raise BadDecision(f"At most {MOST} events are decided at once.")
    held = list(
        PastEvent.objects.select_for_update()
        .defer("body", "before")
        .filter(code__in=codes, status=EventStatus.QUARANTINED)
        .order_by("pk")
    )
    for _ in range(len(codes) - len(held)):
        decided.refuse("it is not in quarantine any more")
    return held


def _span(held: Sequence[PastEvent]) -> dict[str, Any]:
    """The days they are in: the others' partitions are not looked at."""
    times = [event.received_at for event in held]
    return {"received_at__range": (min(times), max(times))} if times else {}


def _errors(held: Sequence[PastEvent]) -> Any:
    return Case(
        *(When(pk=event.pk, then=Value(event.error, output_field=JSONField())) for event in held),
        output_field=JSONField(),
    )


def _clean(note: str) -> str:
    note = " ".join(note.replace("\x00", "").split())
    if len(note) > LONGEST_NOTE:
        raise BadDecision(f"The note may have {LONGEST_NOTE} characters.")
    return note


def _note_down(verb: str, chosen: Sequence[PastEvent], *, actor: str, at: datetime, note: str) -> None:
    """A row for each tenant: which events, and what had set them aside."""
    tenants = Tenant.objects.in_bulk({event.tenant_id for event in chosen})
    for pk, tenant in sorted(tenants.items()):
        of_tenant = [event for event in chosen if event.tenant_id == pk]
        data: dict[str, Any] = {
            "events": [str(event.code) for event in of_tenant],
            "reasons": sorted({event.reason for event in of_tenant}),
        }
        if note:
            data["note"] = note
        audit.record(
            actor=actor,
            verb=verb,
            target=f"{len(of_tenant)} quarantined events of {tenant.slug}",
            tenant=tenant,
            data=data,
            at=at,
        )
