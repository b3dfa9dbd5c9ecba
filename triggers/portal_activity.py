"""The portal's activity: a tenant's own executions in plain words, and one of them step by step."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import F, Q
from django.utils.dateparse import parse_date, parse_datetime

from governor.calendar import next_day, starts_at
from logs.models import Trace
from logs.search import DEFAULT_COUNTRY
from logs.vocabulary import duration, meters, plural
from tenants.records import store
from tenants.scope import every_tenant, tenant_scope
from triggers import history, portal_words, usage_words
from triggers.admission import TEST
from triggers.choices import ExecutionStatus, Mode
from triggers.execution_filters import between
from triggers.models import Event, Execution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from tenants.models import Tenant

PAGE = 25
MOST_RECORDS = 40  # shown of one execution
MOST_REASONS = 4  # of one score
LARGEST_ID = 2**63 - 1
SKEW = timedelta(hours=1)
STATUSES = {
    "done": ("Done", [ExecutionStatus.SUCCEEDED]),
    "failed": ("Failed", [ExecutionStatus.FAILED, ExecutionStatus.PARTIAL]),
    "open": ("Waiting or running", [ExecutionStatus.QUEUED, ExecutionStatus.RUNNING]),
}
_OUTCOMES = {
    "ok": portal_words.Said("good", "✓", "Done"),
    "failed": portal_words.Said("bad", "✕", "Failed"),
    "quarantined": portal_words.Said("warn", "▲", "Set aside"),
    "skipped": portal_words.Said("quiet", "–", "Nothing to do"),
}


def activity_page(tenant: Tenant, query: Mapping[str, str], *, at: datetime) -> dict[str, Any]:
    """A page of the list: a fixed number of queries. What cannot be read in ``query`` is left aside."""
    before, after = _id(query.get("before")), _id(query.get("after"))
    with tenant_scope(tenant.pk):
        wanted, chosen = _wanted(tenant, query)
        rows = history.executions().annotate(first_event=F("event_ids__0")).filter(wanted)
        if after:
            found = list(rows.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
            has_newer, has_older = len(found) > PAGE, True
            found = found[:PAGE][::-1]
        else:
            found = list(rows.filter(pk__lt=before or LARGEST_ID).order_by("-pk")[: PAGE + 1])
            has_newer, has_older = bool(before), len(found) > PAGE
            found = found[:PAGE]
        entries = _entries(found)
        tests = _tests(found)
    return {
        "page": "activity",
        "rows": [
            _row(execution, entries.get(execution.code, []), tests, tenant, at=at) for execution in found
        ],
        "statuses": [(name, label) for name, (label, _) in STATUSES.items()],
        "chosen": chosen,
        "is_filtered": any(chosen.values()),
        "newer": found[0].pk if found and has_newer else None,
        "older": found[-1].pk if found and has_older else None,
    }


def newest(tenant: Tenant, *, most: int, at: datetime) -> list[dict[str, Any]]:
    """The newest rows of the list: three queries."""
    with tenant_scope(tenant.pk):
        found = list(history.executions().annotate(first_event=F("event_ids__0")).order_by("-pk")[:most])
        entries, tests = _entries(found), _tests(found)
    return [_row(execution, entries.get(execution.code, []), tests, tenant, at=at) for execution in found]


def detail_page(tenant: Tenant, code: str, *, at: datetime) -> dict[str, Any]:
    """One execution, step by step. Raises ``NoExecution``, for another tenant's too."""
    with tenant_scope(tenant.pk):
        execution = history.execution_of(code)
        document = history.document_of(execution)
        is_test = bool(
            execution.event_ids
            and Event.objects.filter(pk__in=execution.event_ids[:1], origin=TEST, **_near(execution)).exists()
        )
    outcomes = document["outcomes"]
    shown = outcomes[:MOST_RECORDS]
    scores = _scores(tenant, execution, [row["record_id"] for row in shown])
    return {
        "page": "activity",
        "execution": execution,
        "title": portal_words.title_of(execution.trigger),
        "said": portal_words.pill_of(execution),
        "line": portal_words.line_of(execution, document["entries"]),
        "is_test": is_test,
        "is_dry": execution.mode != Mode.LIVE,
        "at": usage_words.moment(execution.created_at, tenant.timezone, at=at),
        "took": duration(execution.wall_ms) if execution.wall_ms is not None else "",
        "came": [
            {
                "what": f"{event['kind'] or execution.object}",
                "record_id": event["record_id"],
                "at": usage_words.moment(_time(event["received_at"]), tenant.timezone, at=at),
            }
            for event in document["events"][:MOST_RECORDS]
        ],
        "size": portal_words.records_of(execution.size, execution.object),
        "more": max(0, execution.size - MOST_RECORDS),
        "done": [_done(row, scores.get(row["record_id"])) for row in shown],
        "tasks": _tasks(document["effects"]),
        "next": _next(execution, tenant, at=at),
        "limits": [
            f"{row['label']}: {row['used_text']} of {row['max_text']}"
            for row in meters(document["usage"])
            if row["used"]
        ],
        "relatives": [
            {"id": other["id"], "label": label}
            for name, label in (("replays", "Run again as"), ("halves", "Split into"))
            for other in document[name]
        ],
        "origin": document["replay_of"],
    }


def _wanted(tenant: Tenant, query: Mapping[str, str]) -> tuple[Q, dict[str, str]]:
    wanted = Q()
    chosen = {"status": "", "day": "", "q": ""}
    status = query.get("status", "")
    if status in STATUSES:
        wanted &= Q(status__in=STATUSES[status][1])
        chosen["status"] = status
    day = _day(query.get("day", ""))
    if day is not None:
        begin, end = starts_at(day, tenant.timezone), starts_at(next_day(day), tenant.timezone)
        with every_tenant():  # the ids that a time lies between are not a tenant's
            wanted &= between(begin, end)
        chosen["day"] = day.isoformat()
    text = query.get("q", "").replace("\x00", "").strip()
    if text:
        country = tenant.settings.get("country") if isinstance(tenant.settings, dict) else None
        if not isinstance(country, str) or len(country) != 2:
            country = DEFAULT_COUNTRY
        wanted &= history.matching(text, country=country)
        chosen["q"] = text[:200]
    return wanted, chosen


def _day(text: str) -> Any:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day and 2000 <= day.year <= 2200 else None


def _id(text: str | None) -> int | None:
    if not text or not (text.isascii() and text.isdigit()) or len(text) > 18:
        return None
    return int(text)


def _entries(found: Sequence[Execution]) -> dict[Any, list[dict[str, Any]]]:
    """The logs of the executions shown, in one query over their days alone."""
    settled = [execution for execution in found if execution.started_at]
    if not settled:
        return {}
    rows = Trace.objects.filter(
        execution__in=[execution.code for execution in settled],
        started_at__gte=min(execution.created_at for execution in settled) - SKEW,
        started_at__lte=max(execution.started_at for execution in settled if execution.started_at) + SKEW,
    ).order_by("started_at")
    return dict(rows.values_list("execution", "entries"))


def _tests(found: Sequence[Execution]) -> set[int]:
    """Of the executions' first events, those a person sent to try something."""
    first = [execution.first_event for execution in found if execution.first_event is not None]  # type: ignore[attr-defined]
    if not first:
        return set()
    oldest = min(execution.created_at for execution in found) - timedelta(days=31)
    return set(
        Event.objects.filter(pk__in=first, origin=TEST, received_at__gte=oldest).values_list("pk", flat=True)
    )


def _near(execution: Execution) -> dict[str, Any]:
    return {"received_at__lte": execution.created_at + SKEW}


def _row(
    execution: Execution, entries: list[dict[str, Any]], tests: set[int], tenant: Tenant, *, at: datetime
) -> dict[str, Any]:
    again = execution.next_attempt_at if execution.status == ExecutionStatus.QUEUED else None
    return {
        "code": execution.code,
        "line": portal_words.line_of(execution, entries),
        "said": portal_words.pill_of(execution),
        "title": portal_words.title_of(execution.trigger),
        "is_dry": execution.mode != Mode.LIVE,
        "is_test": execution.first_event in tests,  # type: ignore[attr-defined]
        "is_replay": execution.replay_of_id is not None,
        "at": usage_words.moment(execution.created_at, tenant.timezone, at=at),
        "again": usage_words.moment(again, tenant.timezone, at=at) if again else "",
    }


def _scores(tenant: Tenant, execution: Execution, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the records were scored, for those whose score is of this execution."""
    if not ids or execution.object != "Contact" or execution.mode != Mode.LIVE:
        return {}
    with connection.cursor() as cursor:
        records = store.get(cursor, schema=tenant.schema_name, object=execution.object, ids=list(ids))
    found = {}
    for record_id, data in records.items():
        if data.get("lpr_score") is None or _time(data.get("lpr_scored_at")) != execution.now:
            continue
        lines = data.get("lpr_attribution")
        reasons = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
        reasons.sort(key=lambda line: -_points(line))
        found[record_id] = {
            "score": f"{data['lpr_score']:g}",
            "is_hot": bool(data.get("lpr_hot")),
            "action": data.get("lpr_next_action") or "",
            "reasons": [
                f"+{_points(line):g} {line.get('label', '')}" for line in reasons if _points(line) > 0
            ][:MOST_REASONS],
        }
    return found


def _points(line: Mapping[str, Any]) -> float:
    points = line.get("points")
    return float(points) if isinstance(points, int | float) else 0.0


def _done(row: Mapping[str, Any], score: dict[str, Any] | None) -> dict[str, Any]:
    said = _OUTCOMES.get(row["status"], portal_words.Said("quiet", "·", str(row["status"])))
    return {"record_id": row["record_id"], "said": said, "why": _why(row), "score": score}


def _why(row: Mapping[str, Any]) -> str:
    """Why a record failed or was skipped: what a script or a schema said of it, never a traceback."""
    detail = row["detail"]
    if isinstance(detail, list) and detail and isinstance(detail[0], dict) and "field" in detail[0]:
        return "; ".join(f"{part.get('field')}: {part.get('reason', '')}" for part in detail[:3])
    reason = " ".join(str(row["reason"]).split())
    if row["status"] == "ok" or reason == "when":
        return ""
    # Codes and names of exceptions are for operators.
    return "" if " " not in reason else reason[: portal_words.LONGEST_DETAIL]


def _tasks(effects: Iterable[Mapping[str, Any]]) -> list[str]:
    titles = []
    for effect in effects:
        args = effect.get("args")
        if effect.get("op") == "task.create" and isinstance(args, dict) and args.get("title"):
            planned = " (planned only)" if effect.get("state") == "planned" else ""
            titles.append(f"{str(args['title'])[:160]}{planned}")
    return titles


def _next(execution: Execution, tenant: Tenant, *, at: datetime) -> str:
    """What happens next, where something is left to do."""
    if execution.status == ExecutionStatus.QUEUED and execution.next_attempt_at:
        when = usage_words.moment(execution.next_attempt_at, tenant.timezone, at=at)
        return f"It is tried again at {when}, with the same records. You need not do anything."
    if execution.status in {ExecutionStatus.QUEUED, ExecutionStatus.RUNNING}:
        return "It is under way. Reload the page to see how it went."
    if execution.status == ExecutionStatus.FAILED:
        tried = f" It was tried {plural(execution.attempts, 'time')}." if execution.attempts > 1 else ""
        return (
            f"Nothing of it was changed or sent.{tried} The events are kept: they can be run again once the"
            " cause is gone, and your service team sees that they failed."
        )
    if execution.status == ExecutionStatus.PARTIAL:
        return "The others are done and stay so. What failed is kept: it can be run again later."
    if execution.status == ExecutionStatus.BISECTED:
        return "Its two halves tell how it ended."
    return ""


def _time(text: Any) -> Any:
    try:
        return parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        return None
