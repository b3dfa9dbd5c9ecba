"""What happened: an execution with its trace, events and relatives, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, F, Func, Q

from governor.judgment.masking import mask
from logs import search, traces
from logs.document import facts, trace_document
from logs.traces import LONGEST_TEXT
from tenants.errors import CodedError
from tenants.secrets import unseal
from triggers.models import Event, Execution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet


MOST_EVENTS = 200
MOST_RELATIVES = 50
CLOCK_SKEW = timedelta(hours=1)  # between the machine that received and the one that ran
_EVENT_COLUMNS = ("id", "code", "kind", "record_id", "status", "reason", "received_at")


class NoEvent(CodedError):
    """No event in scope has this id."""

    code = "triggers.no-event"
    status = 404


class NoExecution(CodedError):
    """No execution in scope has this id."""

    code = "triggers.no-execution"
    status = 404


def executions() -> QuerySet[Execution]:
    """The executions in scope, with all that a list shows and nothing that is long."""
    found: QuerySet[Execution] = Execution.objects.select_related("tenant", "replay_of").defer(
        "event_ids", "event_codes", "record_ids", "terms", "error_detail"
    )
    return found


def events() -> QuerySet[Event]:
    """The events in scope, live and past, without their bodies."""
    found: QuerySet[Event] = Event.objects.select_related("tenant", "lane").defer("body", "before", "error")
    return found


def event_of(code: str) -> Event:
    """The event with this id, body included. Raises ``NoEvent``."""
    found: Event | None = None
    if wanted := search.as_uuid(code):
        found = Event.objects.select_related("tenant", "lane", "connection").filter(code=wanted).first()
    if found is None:
        raise NoEvent("There is no such event.")
    return found


def body_of(event: Event) -> Any:
    """The event's body as the CRM sent it, masked; None when its key is gone."""
    try:
        plain = unseal(event.body, context=f"event:{event.tenant_id}:{event.code}")
    except CodedError:
        return None
    try:
        return mask(msgspec.json.decode(plain), longest=LONGEST_TEXT)
    except ValueError:
        return mask(plain.decode("utf-8", "replace"), longest=LONGEST_TEXT)


def executions_of_event(event: Event) -> Sequence[Execution]:
    """The executions this event was a member of, oldest first."""
    return list(
        executions()
        .filter(
            tenant=event.tenant_id, record_ids__contains=[event.record_id], event_ids__contains=[event.pk]
        )
        .order_by("pk")[:MOST_RELATIVES]
    )


def execution_of(code: str) -> Execution:
    """The execution with this id. Raises ``NoExecution``."""
    found: Execution | None = None
    if wanted := search.as_uuid(code):
        found = Execution.objects.select_related("tenant").filter(code=wanted).first()
    if found is None:
        raise NoExecution("There is no such execution.")
    return found


class _IsAnyOf(Func):
    """``value = ANY(array)``."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


class _Joined(Func):
    """Arrays, one behind the other."""

    template = "(%(expressions)s)"
    arg_joiner = " || "


def any_of(wanted: QuerySet[Any], column: str = "pk") -> Q:
    """The rows whose column is among ``wanted``, which are worked out first, as an array."""
    return Q(_IsAnyOf(F(column), ArraySubquery(wanted)))


def is_any_of(*ways: QuerySet[Any]) -> Q:
    """The rows whose key any of the queries finds, worked out first: beside an ordered list PostgreSQL
    would rather walk the whole table from its newest row, hoping to meet a match soon.
    """
    arrays = [ArraySubquery(way) for way in ways]
    return Q(_IsAnyOf(F("pk"), arrays[0] if len(arrays) == 1 else _Joined(*arrays)))


def matching(query: str, *, country: str = search.DEFAULT_COUNTRY) -> Q:
    """The executions in scope that ``query`` finds (``logs.search``), as a condition."""
    wanted = search.find(query, country=country)
    return is_any_of(Execution.objects.filter(wanted).values("pk")) if wanted else wanted


def newest(query: str) -> Execution:
    """The newest execution that ``query`` finds; "" finds all. Raises ``NoExecution``."""
    found: Execution | None = (
        Execution.objects.select_related("tenant").filter(matching(query)).order_by("-pk").first()
    )
    if found is None:
        raise NoExecution("There is no such execution." if query else "Nothing has run yet.")
    return found


def row_of(execution: Execution) -> dict[str, Any]:
    """The execution as a list shows it."""
    return {
        **facts(execution),
        "limit": execution.limit_name,
        "replay_of": str(execution.replay_of.code) if execution.replay_of else None,
        "usage": execution.usage,
    }


def document_of(execution: Execution) -> dict[str, Any]:
    """The execution's trace document: three queries, whatever its size."""
    return trace_document(
        execution,
        trace=traces.of_execution(execution.code, since=execution.created_at),
        events=events_of(execution),
        relatives=relatives_of(execution),
    )


def events_of(execution: Execution) -> Sequence[Event]:
    """The events it ran over, as they stand now."""
    return list(
        Event.objects.filter(
            pk__in=execution.event_ids[:MOST_EVENTS], received_at__lte=execution.created_at + CLOCK_SKEW
        )
        .only(*_EVENT_COLUMNS)
        .order_by("pk")
    )


def relatives_of(execution: Execution) -> Sequence[Execution]:
    """What it came from, and what came of it: replays and halves."""
    wanted = Q(replay_of=execution) | Q(parent=execution)
    origins = [pk for pk in (execution.replay_of_id, execution.parent_id) if pk]
    if origins:
        wanted |= Q(pk__in=origins)
    return list(executions().select_related(None).filter(wanted).order_by("pk")[:MOST_RELATIVES])
