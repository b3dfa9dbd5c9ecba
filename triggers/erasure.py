"""Erasing a contact: what a tenant holds on it goes or is emptied, and a receipt says how much.

Records of the mirror, outbox writes, approvals and refused deliveries are deleted. Events, executions and
traces stay, for the figures of the tenant, but their bodies, images and errors are emptied, rows and
mentions of the contact are struck, and its id is replaced by one that leads to nobody. Journal answers of
executions that had it in their batch are dropped whole: such an execution can be replayed live or dry, no
longer recorded.
What the CRM sends of the contact later is new data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection, transaction
from psycopg2 import sql

from governor.models import JournalEntry
from logs.models import Trace
from tenants import audit
from tenants.errors import CodedError
from tenants.scope import tenant_scope
from tenants.secrets import blind, unseal
from triggers.choices import FINISHED, EventStatus
from triggers.models import Erasure, Execution, Lane, LiveEvent, RefusedDelivery
from triggers.past import EventEnd, move
from triggers.scrub import Scrubber, hollow
from triggers.subject import Subject, find

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Tenant

REASON = "erased"
_PAST = """
UPDATE triggers_event_past SET body = ''::bytea, before = NULL, old_known = false, record_id = %s,
    error = CASE WHEN error IS NOT NULL THEN jsonb_build_object('code', error->>'code', 'detail', '') END
WHERE tenant_id = %s AND id = ANY(%s)
"""
_TRACE = """
UPDATE logs_trace SET spans = %s::jsonb, entries = %s::jsonb, effects = %s::jsonb, judgments = %s::jsonb,
    outcomes = %s::jsonb, error = %s::jsonb
WHERE execution = %s AND started_at = %s AND tenant_id = %s
"""
_RECORDS = "DELETE FROM {schema}.records_record WHERE id = ANY(%s)"


class StillRunning(CodedError):
    """An execution works on the contact just now: what it will write cannot be erased yet."""

    code = "triggers.still-running"
    status = 409


class NotConfirmed(CodedError):
    """What was typed to confirm is not what was asked for."""

    code = "triggers.not-confirmed"


@dataclass(frozen=True)
class Preview:
    """What erasing would touch."""

    subject: Subject
    counts: dict[str, int]
    is_running: bool


def preview(tenant: Tenant, text: str) -> Preview:
    """What an erasure would touch, without touching it. Raises ``NoSubject`` or ``BadIdentifier``."""
    with tenant_scope(tenant.pk):
        subject = find(tenant, text)
        return Preview(subject, _counts(subject), _open(subject).exists())


def erase(tenant: Tenant, text: str, *, confirmation: str, actor: str, at: datetime) -> Erasure:
    """Erase what is held on the contact, in one transaction. Returns the receipt.

    ``confirmation`` must repeat ``text``. The tenant's lanes are held meanwhile, so that no worker settles
    in between. Raises ``NotConfirmed``, ``StillRunning``, ``NoSubject`` or ``BadIdentifier``.
    """
    if confirmation.strip() != text.strip():
        raise NotConfirmed("To confirm, type the same id, address or number again. Nothing was erased.")
    with tenant_scope(tenant.pk), transaction.atomic(), connection.cursor() as cursor:
        # In one order: what a worker commits, it commits while it holds its lane (settle.fence).
        list(Lane.objects.filter(tenant=tenant).select_for_update().order_by("pk").values_list("pk"))
        subject = find(tenant, text)
        if _open(subject).exists():
            raise StillRunning(
                "An execution with this contact has not ended: it runs, or waits for another attempt or for a"
                " paused trigger. Nothing was erased. Try again when it has."
            )
        receipt = Erasure(tenant=tenant, at=at, actor=actor[:150], digests=subject.digests)
        receipt.counts = {
            **_events(cursor, subject, receipt, at=at),
            **_executions(cursor, subject, receipt),
            "outbox": subject.outbox().delete()[0],
            "approvals": subject.approvals().delete()[0],
            "refused": _refused(subject),
            "records": _records(cursor, subject),
        }
        receipt.save(force_insert=True)
        audit.record(
            actor=actor,
            verb="erased a contact",
            target=f"erasure {receipt.code}",
            tenant=tenant,
            data={"counts": receipt.counts},
            at=at,
        )
    return receipt


def receipts(tenant: Tenant, *, most: int = 50) -> list[Erasure]:
    """The newest receipts."""
    with tenant_scope(tenant.pk):
        return list(Erasure.objects.order_by("-id")[:most])


def earlier(tenant: Tenant, text: str) -> Erasure | None:
    """The newest receipt of an erasure of this id, address or number."""
    with tenant_scope(tenant.pk):
        found: Erasure | None = (
            Erasure.objects.filter(digests__contains=[blind(text.strip())]).order_by("-id").first()
        )
    return found


def document(receipt: Erasure) -> dict[str, Any]:
    """The receipt as a file: who knows the id or address can have it compared, nobody can read it."""
    return {
        "receipt": str(receipt.code),
        "tenant": receipt.tenant.slug,
        "erased_at": receipt.at.isoformat(),
        "erased_by": receipt.actor,
        "identifiers": receipt.digests,
        "identifiers_are": "keyed SHA-256 (HMAC) of the contact's ids, e-mail addresses and phone numbers",
        "erased": receipt.counts,
        "note": "Records, waiting CRM writes and refused deliveries were deleted; events, executions and"
        " traces were emptied of the contact. What the CRM sends later is new data.",
    }


def _counts(subject: Subject) -> dict[str, int]:
    return {
        "records": len(subject.records),
        "events": subject.events().count(),
        "executions": subject.executions().count(),
        "journal": _answers(subject).count(),
        "outbox": subject.outbox().count(),
        "approvals": subject.approvals().count(),
    }


def _open(subject: Subject) -> Any:
    return subject.executions().exclude(status__in=FINISHED)


def _answers(subject: Subject) -> Any:
    roots = subject.executions().values("root")
    return JournalEntry.objects.filter(root__in=roots, answer__isnull=False)


def _stand_in(receipt: Erasure) -> str:
    return f"erased-{receipt.code.hex[:12]}"


def _events(cursor: Any, subject: Subject, receipt: Erasure, *, at: datetime) -> dict[str, int]:
    ids = list(subject.events().values_list("pk", flat=True))
    waiting = LiveEvent.objects.filter(pk__in=ids).values_list("pk", flat=True)
    move(cursor, [EventEnd(pk, EventStatus.SKIPPED, REASON) for pk in waiting], at=at)
    cursor.execute(_PAST, [_stand_in(receipt), subject.tenant.pk, ids])
    return {"events": cursor.rowcount}


def _executions(cursor: Any, subject: Subject, receipt: Erasure) -> dict[str, int]:
    scrubber = Scrubber(ids={record_id for _, record_id in subject.keys}, words=subject.words)
    gone = set(subject.terms)
    journal = _answers(subject).update(answer=None)
    done = list(subject.executions())
    for execution in done:
        # Ids of its own object: a deal may have the number of a contact.
        ids = {record_id for obj, record_id in subject.keys if obj == execution.object}
        traces = Trace.objects.filter(execution=execution.code, started_at__gte=execution.created_at)
        for trace in traces:
            _trace(
                cursor, trace, scrubber, ids=ids, receipt=receipt, is_alone=set(execution.record_ids) <= ids
            )
        execution.record_ids = [
            _stand_in(receipt) if record_id in ids else record_id for record_id in execution.record_ids
        ]
        execution.terms = [term for term in execution.terms if term not in gone]
        execution.error_detail = scrubber.text(execution.error_detail)
    Execution.objects.bulk_update(done, ["record_ids", "terms", "error_detail"], batch_size=200)
    return {"executions": len(done), "journal": journal}


def _trace(
    cursor: Any, trace: Trace, scrubber: Scrubber, *, ids: set[str], receipt: Erasure, is_alone: bool
) -> None:
    outcomes = {
        (_stand_in(receipt) if record_id in ids else record_id): (
            [said[0], "", None] if record_id in ids and isinstance(said, list) else scrubber.value(said)
        )
        for record_id, said in trace.outcomes.items()
    }
    entries, effects, error = trace.entries, trace.effects, trace.error
    if is_alone:
        effects = hollow(effects)
        entries = [{**entry, "message": "", "data": {}} if "message" in entry else entry for entry in entries]
        error = {**error, "detail": "", "traceback": ""} if error else error
    values = [scrubber.items(items) for items in (trace.spans, entries, effects, trace.judgments)]
    cursor.execute(
        _TRACE,
        [
            *(msgspec.json.encode(value).decode() for value in values),
            msgspec.json.encode(outcomes).decode(),
            msgspec.json.encode(scrubber.items([error])[0]).decode() if error else None,
            trace.execution,
            trace.started_at,
            trace.tenant_id,
        ],
    )


def _refused(subject: Subject) -> int:
    """Refused bodies that name the contact: at most a day old, and few."""
    words = [word.encode() for word in (*subject.ids, *subject.addresses) if len(word) > 2]
    found = []
    for refused in RefusedDelivery.objects.filter(tenant=subject.tenant).iterator():
        try:
            body = unseal(refused.body, context=f"refused:{refused.tenant_id}:{refused.code}")
        except CodedError:
            continue  # its key is gone: nobody can read it
        if any(word in body for word in words):
            found.append(refused.pk)
    return int(RefusedDelivery.objects.filter(pk__in=found).delete()[0])


def _records(cursor: Any, subject: Subject) -> int:
    statement = sql.SQL(_RECORDS).format(schema=sql.Identifier(str(subject.tenant.schema_name)))
    cursor.execute(statement, [[held.pk for held in subject.records]])
    return int(cursor.rowcount)
