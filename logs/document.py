"""The trace document: an execution with all that belongs to it, as plain data for API, console and CLI."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from logs.explain import explain
from logs.hints import hint
from logs.summary import summary
from logs.vocabulary import LIMITS, RED_FROM, meters, status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from logs.models import Trace

# Records in the order a reader wants them: what went wrong first.
_OUTCOME_ORDER = {"failed": 0, "quarantined": 1, "skipped": 2, "ok": 3}


def facts(execution: Any) -> dict[str, Any]:
    """What a list and a trace both tell of an execution."""
    return {
        "id": str(execution.code),
        "tenant": execution.tenant.slug,
        "trigger": execution.trigger,
        "object": execution.object,
        "operation": execution.operation,
        "release": execution.release,
        "mode": execution.mode,
        "status": execution.status,
        "with_errors": execution.with_errors,
        "word": status_of(execution),
        "size": execution.size,
        "ok": execution.ok,
        "failed": execution.failed,
        "skipped": execution.skipped,
        "attempts": execution.attempts,
        "error_code": execution.error_code,
        "created_at": _iso(execution.created_at),
        "started_at": _iso(execution.started_at),
        "finished_at": _iso(execution.finished_at),
        "wall_ms": execution.wall_ms,
        "cpu_ms": execution.cpu_ms,
    }


def trace_document(
    execution: Any, *, trace: Trace | None, events: Iterable[Any] = (), relatives: Iterable[Any] = ()
) -> dict[str, Any]:
    """Everything known of ``execution``; its trace is None until it has settled.

    ``relatives`` are executions related to it by replay or bisecting, in any order.
    """
    outcomes = _outcomes(trace.outcomes if trace else {}, execution.record_ids)
    usage = (trace.usage if trace else None) or execution.usage
    relatives = list(relatives)
    document: dict[str, Any] = {
        **facts(execution),
        "sentence": "",
        "hint": "",
        "counts": dict(Counter(outcome["status"] for outcome in outcomes)),
        "depth": execution.depth,
        "error_detail": execution.error_detail,
        "limit_name": execution.limit_name,
        "error": trace.error if trace else None,
        "usage": usage,
        "meters": meters(usage),
        "spans": _spans(trace.spans if trace else [], trace.effects if trace else []),
        "entries": trace.entries if trace else [],
        "effects": trace.effects if trace else [],
        "judgments": trace.judgments if trace else [],
        "outcomes": outcomes,
        "events": [
            {
                "id": str(event.code),
                "kind": event.kind,
                "record_id": event.record_id,
                "status": event.status,
                "reason": event.reason,
                "received_at": _iso(event.received_at),
            }
            for event in events
        ],
        "replay_of": _code_of(execution.replay_of_id, relatives),
        "parent": _code_of(execution.parent_id, relatives),
        "replays": [_brief(other) for other in relatives if other.replay_of_id == execution.pk],
        "halves": [_brief(other) for other in relatives if other.parent_id == execution.pk],
        "is_cut": bool(trace and trace.is_cut),
        "expires_on": trace.expires_on.isoformat() if trace else None,
    }
    _mark_stopped_limit(document)
    document["sentence"] = explain(document)
    document["hint"] = hint(document)
    return document


def _mark_stopped_limit(document: dict[str, Any]) -> None:
    """The limit that stopped it is red, and stands first, whatever its last reading was."""
    name = document["limit_name"] or (document["error"] or {}).get("limit")
    for row in document["meters"]:
        row["is_cause"] = bool(name) and row["name"] == name
        if row["is_cause"]:
            row["tone"] = "bad"
            row["percent"] = 100 if row["share"] >= RED_FROM else row["percent"]
    order = list(LIMITS)
    document["meters"].sort(
        key=lambda row: (
            not row["is_cause"],
            order.index(row["name"]) if row["name"] in order else len(order),
        )
    )


def _outcomes(by_record: Mapping[str, Any], record_ids: Iterable[str]) -> list[dict[str, Any]]:
    rows = []
    for record_id in [*record_ids, *(key for key in by_record if key not in set(record_ids))]:
        said = by_record.get(record_id)
        if said is None:
            continue
        parts = [*said, None, None] if isinstance(said, list | tuple) else [said, None, None]
        rows.append(
            {"record_id": record_id, "status": parts[0], "reason": parts[1] or "", "detail": parts[2]}
        )
    rows.sort(key=lambda row: _OUTCOME_ORDER.get(row["status"], 2))
    return rows


def _spans(spans: Sequence[Mapping[str, Any]], effects: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Spans with their place on the waterfall, in percent of the whole, and what a request was about."""
    rows: list[dict[str, Any]] = []
    real = [span for span in spans if "cut" not in span]
    begin = min((_number(span, "at_ms") for span in real), default=0.0)
    total = max([0.001, *(_number(span, "at_ms") - begin + _number(span, "ms") for span in real)])
    asked = {
        name: iter([e for e in effects if e.get("op") == name]) for name in {e.get("op") for e in effects}
    }
    for span in spans:
        if "cut" in span:
            rows.append({"cut": span["cut"], "message": span["message"], "depth": 1})
            continue
        at_ms, length = _number(span, "at_ms") - begin, _number(span, "ms")
        parent = span.get("parent")
        parents_depth = rows[parent]["depth"] if isinstance(parent, int) and 0 <= parent < len(rows) else -1
        name = str(span.get("name", ""))
        # A request has one span and one effect, told in the same order.
        effect = next(asked.get(name, iter(())), None)
        rows.append(
            {
                "name": name,
                "kind": span.get("kind", "phase"),
                "at_ms": round(at_ms, 3),
                "ms": length,
                "ok": span.get("ok", True),
                "note": span.get("note", ""),
                "what": summary(effect.get("args"), longest=90) if effect else "",
                "parent": parent,
                "depth": parents_depth + 1,
                "left": round(min(at_ms / total, 1) * 100, 2),
                "width": round(max(min(length / total, 1) * 100, 0.4), 2),
            }
        )
    return rows


def _number(span: Mapping[str, Any], name: str) -> float:
    value = span.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _brief(execution: Any) -> dict[str, Any]:
    return {
        "id": str(execution.code),
        "status": execution.status,
        "word": status_of(execution),
        "mode": execution.mode,
        "size": execution.size,
        "ok": execution.ok,
        "failed": execution.failed,
        "created_at": _iso(execution.created_at),
    }


def _code_of(pk: int | None, relatives: Iterable[Any]) -> str | None:
    return next((str(other.code) for other in relatives if other.pk == pk), None) if pk else None


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
