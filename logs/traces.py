"""Traces: one row for each execution, masked and bounded, written in the transaction that settles it.

Shapes, all plain JSON; a reader must not expect more than the first name of each:

* span ``{"name", "kind", "at_ms", "ms", "ok", "parent", "note"}``: ``at_ms`` counts from the start,
  ``parent`` is the index of the span around it, ``kind`` one of ``SPAN_KINDS``.
* entry ``{"level", "message", "data", "at", "line"}``: a log line of the script; ``at`` is an ISO time.
* effect ``{"op", "args", "answer", "state", "line", "ms", "error", "journal"}``: what the script asked the
  broker for; ``journal`` is where the exact answer stands.
* judgment ``{"level", "rule", "verdict", "place"}``.
* outcome, by record id: ``[status, reason, detail]``.
* error ``{"code", "type", "detail", "traceback", "at", "record", "limit", "used",
  "max"}``; ``record`` is the id of the record the script was at.
* usage, by limit: ``[used, max]``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from governor.judgment.masking import mask
from logs.models import Trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

SPAN_KINDS = ("phase", "jail", "records", "callout", "ai")
TRACE_DAYS = 365
LONGEST_TEXT = 8_000  # characters of one string
LONGEST_REASON = 600  # of a record's outcome, of which there are up to 200
# Bytes of one section. A trace at every bound is about 1 MB; a usual one is 5 kB.
BUDGETS = {"spans": 128_000, "entries": 384_000, "effects": 384_000, "judgments": 64_000}
_CUT_TEXT = b" characters cut] "

_INSERT = """
INSERT INTO public.logs_trace
    (execution, started_at, tenant_id, release, spans, entries, usage, effects, judgments, outcomes, error,
     is_cut, expires_on)
VALUES (%s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s::jsonb, %s, %s)
ON CONFLICT (execution, started_at) DO UPDATE SET
    release = excluded.release, spans = excluded.spans, entries = excluded.entries, usage = excluded.usage,
    effects = excluded.effects, judgments = excluded.judgments, outcomes = excluded.outcomes,
    error = excluded.error, is_cut = excluded.is_cut, expires_on = excluded.expires_on
"""


def write(
    cursor: Any,
    *,
    tenant_id: int,
    execution: UUID,
    started_at: datetime,
    release: str,
    spans: Sequence[Mapping[str, Any]] = (),
    entries: Sequence[Mapping[str, Any]] = (),
    usage: Mapping[str, Any] | None = None,
    effects: Sequence[Mapping[str, Any]] = (),
    judgments: Sequence[Mapping[str, Any]] = (),
    outcomes: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    at: datetime,
) -> None:
    """Store the trace in the caller's transaction; a second write for the same start replaces the first.

    Everything is masked before it is stored. A section over its budget keeps its head and its tail, and in
    between says what was left out.
    """
    sections = {"spans": spans, "entries": entries, "effects": effects, "judgments": judgments}
    encoded = {name: _section(items, budget=BUDGETS[name]) for name, items in sections.items()}
    by_record = msgspec.json.encode(mask(outcomes or {}, longest=LONGEST_REASON))
    failure = msgspec.json.encode(mask(error, longest=LONGEST_TEXT * 2)) if error else None
    parts = (*encoded.values(), by_record, failure or b"")
    is_cut = any(_CUT_TEXT in part or b'"cut":' in part for part in parts)
    cursor.execute(
        _INSERT,
        [
            str(execution),
            started_at,
            tenant_id,
            release,
            encoded["spans"].decode(),
            encoded["entries"].decode(),
            msgspec.json.encode(mask(usage or {})).decode(),
            encoded["effects"].decode(),
            encoded["judgments"].decode(),
            by_record.decode(),
            failure.decode() if failure else None,
            is_cut,
            (at + timedelta(days=TRACE_DAYS)).date(),
        ],
    )


def of_execution(code: UUID, *, since: datetime) -> Trace | None:
    """The newest trace of an execution that was created at ``since`` (so that older days are not opened)."""
    found: Trace | None = (
        Trace.objects.filter(execution=code, started_at__gte=since - timedelta(hours=1))
        .order_by("-started_at")
        .first()
    )
    return found


def _section(items: Sequence[Mapping[str, Any]], *, budget: int) -> bytes:
    """The items as JSON; over the budget, three quarters of it from the start and the rest from the end."""
    parts = list(_fitting(items, budget))
    if len(parts) < len(items):
        head = parts[: _count_within(parts, budget * 3 // 4)]
        tail = list(_fitting(reversed(items[len(head) :]), budget // 4))
        left_out = len(items) - len(head) - len(tail)
        notice = {"cut": left_out, "message": f"{left_out:,} left out here"}
        parts = [*head, msgspec.json.encode(notice), *reversed(tail)]
    return b"[" + b",".join(parts) + b"]"


def _fitting(items: Iterable[Mapping[str, Any]], budget: int) -> Iterator[bytes]:
    """Masked and encoded items until the budget is spent; what lies beyond costs nothing."""
    for item in items:
        part = msgspec.json.encode(mask(item, longest=LONGEST_TEXT))
        budget -= len(part)
        if budget < 0:
            return
        yield part


def _count_within(parts: list[bytes], budget: int) -> int:
    for count, part in enumerate(parts):
        budget -= len(part)
        if budget < 0:
            return count
    return len(parts)
