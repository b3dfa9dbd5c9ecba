"""What the console's pages of an execution and an event show: documents made ready for the templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.dateparse import parse_datetime

from governor.judgment.masking import mask
from governor.limits import LIMITS
from logs.curl import as_curl, is_shortened
from logs.summary import summary
from logs.traces import LONGEST_TEXT
from logs.vocabulary import duration, fold, word
from triggers import history, past_records
from triggers.choices import FINISHED, LIVE_EVENT_STATUSES, EventStatus, Skip
from triggers.comparison import compare, other_changes
from triggers.page_log import log_part
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.models import Event, Execution

MOST_SPANS = 24
MOST_EFFECTS = 12
MOST_RECORDS = 12
MOST_EVENTS = 8
MOST_COMPARED = 8  # records shown field by field; any other one when it is asked for
_SKIPS = dict(Skip.choices)


def execution_page(execution: Execution, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The trace page's context: five queries. ``query`` filters the log and names a record to compare."""
    query = query or {}
    document = history.document_of(execution)
    spans = [_span(span, place) for place, span in enumerate(document["spans"])]
    head, left_out, tail = fold(spans, most=MOST_SPANS)
    compared = _compared(execution, document, query.get("record", ""))
    effects = [_effect(effect) for effect in document["effects"]]
    return {
        "execution": execution,
        "document": document,
        "word": word(document["word"]),
        "is_finished": execution.status in FINISHED,
        "facts": _facts(document),
        "spans": head,
        "spans_folded": spans[len(head) : len(head) + left_out],
        "spans_after": tail,
        "failed_span": _failed_span(document["spans"]),
        "meters": [
            {**row, "why": _why(execution, row)}
            for row in document["meters"]
            if row["used"] or row["is_cause"]
        ],
        "unused": [row for row in document["meters"] if not row["used"] and not row["is_cause"]],
        "counts": [{"word": word(status), "count": count} for status, count in document["counts"].items()],
        "outcomes": [_outcome(row, compared) for row in document["outcomes"][:MOST_RECORDS]],
        "outcomes_folded": [_outcome(row, compared) for row in document["outcomes"][MOST_RECORDS:]],
        "compared": compared,
        "log": log_part(document["entries"], query),
        "judgments": document["judgments"],
        "release": _release(execution),
        "effects": effects[:MOST_EFFECTS],
        "effects_folded": effects[MOST_EFFECTS:],
        "error": document["error"],
        "error_title": _error_title(document["error"]),
        "events": [
            {**_event(event), "body": compared["bodies"].get(event["id"], "")}
            for event in document["events"][:MOST_EVENTS]
        ],
        "events_folded": [_event(event) for event in document["events"][MOST_EVENTS:]],
        "origins": [
            {"label": label, "id": document[name]}
            for name, label in (("replay_of", "A replay of"), ("parent", "One half of"))
            if document[name]
        ],
        "results": [
            {**other, "label": label, "word": word(other["word"])}
            for name, label in (("replays", "Replayed as"), ("halves", "Half"))
            for other in document[name]
        ],
    }


def event_page(event: Event) -> dict[str, Any]:
    """The event page's context."""
    is_parked = event.status == EventStatus.QUEUED and (
        bool(event.lane.parked_reason) if event.lane else event.connection_id is not None
    )
    body = history.body_of(event)
    return {
        "event": event,
        "word": word("parked" if is_parked else event.status),
        "sentence": _event_sentence(event, is_parked=is_parked),
        "is_live": event.status in LIVE_EVENT_STATUSES,
        "body": None if body is None else body if isinstance(body, str) else _pretty(body),
        "problems": (event.error or {}).get("fields") or [],
        "error": _pretty(event.error) if event.error else "",
        "executions": [
            {"row": row, "word": word(row["word"]), "took": duration(row["wall_ms"])}
            for row in map(history.row_of, history.executions_of_event(event))
        ],
    }


def _event_sentence(event: Event, *, is_parked: bool) -> str:
    if is_parked:
        if event.lane is None:
            return "Held: its connection needs reconnecting. It runs in order once that is done."
        until = f" until {event.lane.parked_until:%d %b %H:%M} UTC" if event.lane.parked_until else ""
        return f"Held{until}: {event.lane.parked_reason}. It runs in order when the reason ends."
    if event.status == EventStatus.QUEUED:
        if event.next_attempt_at:
            return f"Waiting for attempt {event.attempts + 1} at {event.next_attempt_at:%H:%M:%S} UTC."
        return "Stored, and waiting for a worker."
    if event.status == EventStatus.SKIPPED:
        return f"Nothing ran: {_SKIPS.get(event.reason, event.reason or 'it was skipped').lower()}."
    if event.status == EventStatus.QUARANTINED:
        detail = (event.error or {}).get("detail") or event.reason or "it does not fit"
        return f"Kept, but not run: {detail}."
    if event.status == EventStatus.FAILED:
        detail = (event.error or {}).get("detail") or event.reason or "a trigger failed on it"
        return f"A dead letter: {detail}."
    return {EventStatus.RUNNING: "A worker has it."}.get(EventStatus(event.status), "Every trigger ran.")


def _why(execution: Execution, row: Mapping[str, Any]) -> str:
    """Where it is told who set a limit that is not the platform's."""
    name = row["name"]
    if name not in LIMITS or row["max"] == LIMITS[name].default:
        return ""
    page = reverse("admin:governor_override_effective", args=[execution.tenant.code])
    return f"{page}?{urlencode({'trigger': execution.trigger, 'name': name})}#{name}"


def _error_title(error: Mapping[str, Any] | None) -> str:
    return str((error or {}).get("type") or (error or {}).get("code") or "")


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    done = f"{document['ok']:,} of {document['size']:,}"
    facts = [
        ("Records", f"{done} ok" + (f", {document['failed']:,} failed" if document["failed"] else "")),
        ("Took", duration(document["wall_ms"])),
        ("CPU", duration(document["cpu_ms"])),
        ("Mode", document["mode"].capitalize()),
        ("Release", document["release"]),
    ]
    if document["attempts"] > 1:
        facts.append(("Attempts", str(document["attempts"])))
    if document["depth"]:
        facts.append(("Cascade depth", str(document["depth"])))
    return facts


def _span(span: Mapping[str, Any], place: int) -> dict[str, Any]:
    if "cut" in span:
        return dict(span)
    tone = "bad" if not span["ok"] else "busy" if span["kind"] in {"callout", "ai"} else "good"
    name = span["what"] if span["name"] == "http" and span["what"] else span["name"]
    shown = {"name": name, "took": duration(span["ms"]), "tone": tone, "indent": min(span["depth"], 4)}
    return {**span, **shown, "place": place}


def _failed_span(spans: list[dict[str, Any]]) -> int | None:
    """The innermost span that failed last: where to look."""
    failed = [place for place, span in enumerate(spans) if "cut" not in span and not span["ok"]]
    return max(failed, key=lambda place: (spans[place]["depth"], place)) if failed else None


def _compared(execution: Execution, document: Mapping[str, Any], wanted: str) -> dict[str, Any]:
    """Field by field, the first records and the one asked for; and the bodies of the first events."""
    by_record = dict(zip(execution.record_ids, execution.event_ids, strict=False))
    names = [row["record_id"] for row in document["outcomes"][:MOST_COMPARED]] or execution.record_ids[
        :MOST_COMPARED
    ]
    names = [*([wanted] if wanted in by_record and wanted not in names else []), *names]
    first = execution.event_ids[:MOST_EVENTS]
    ids = sorted({*first, *(by_record[name] for name in names if name in by_record)})
    past = past_records.of_execution(execution, event_ids=ids)
    changes = past_records.changes(execution)
    made = {name: [each for each in changes if each.id == name] for name in names}
    made = {name: [each for each in found if each.object == execution.object] for name, found in made.items()}
    return {
        "wanted": wanted if wanted in by_record else "",
        "fields": {
            each.record_id: compare(each, made.get(each.record_id, []))
            for each in past
            if each.record_id in names and each.record is not None
        },
        "others": other_changes(changes, object=execution.object, ids=set(execution.record_ids)),
        "bodies": {str(each.code): _body(each.body) for each in past if each.event_id in set(first)},
    }


def _body(body: bytes | None) -> str:
    if body is None:
        return ""
    try:
        return _pretty(mask(json.loads(body), longest=LONGEST_TEXT))
    except ValueError:
        return str(mask(body.decode("utf-8", "replace"), longest=LONGEST_TEXT))


def _release(execution: Execution) -> dict[str, Any]:
    live = registry().release
    return {"name": execution.release, "live": live, "is_live": execution.release == live}


def _outcome(row: Mapping[str, Any], compared: Mapping[str, Any]) -> dict[str, Any]:
    detail = row["detail"]
    fields = detail if isinstance(detail, list) and all(isinstance(part, dict) for part in detail) else []
    fields = [part for part in fields if "field" in part]
    shown = _pretty(detail) if detail and not fields else ""
    differs = compared["fields"].get(row["record_id"])
    return {
        **row,
        "word": word(row["status"]),
        "detail": shown,
        "fields": fields,
        "differs": differs or [],
        "is_compared": differs is not None,
        "is_wanted": row["record_id"] == compared["wanted"],
    }


def _effect(effect: Mapping[str, Any]) -> dict[str, Any]:
    if "cut" in effect:
        return dict(effect)
    args = effect.get("args")
    curl = as_curl(args) if effect.get("op") == "http" and isinstance(args, dict) else ""
    return {
        "op": effect.get("op", ""),
        "word": word(str(effect.get("state") or "done")),
        "brief": summary(args),
        "took": duration(effect["ms"]) if effect.get("ms") is not None else "",
        "line": effect.get("line", ""),
        "request": _pretty(args) if args else "",
        "answer": _pretty(effect["answer"]) if effect.get("answer") not in (None, "", {}) else "",
        "error": effect.get("error") or {},
        "curl": curl,
        "is_shortened": bool(curl) and is_shortened(args),
    }


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return {**event, "word": word(event["status"]), "received": parse_datetime(event["received_at"])}


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
