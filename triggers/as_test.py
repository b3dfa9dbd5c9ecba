"""A test from an execution: what it ran over, what it was answered and how it ended, as a pytest file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F, Q

from circuitos.script.errors import LimitExceeded
from governor import activity, callouts, enrichment
from governor.journal import place_of, read_answers
from governor.limits import LIMITS
from logs import traces
from tenants import audit
from tenants.errors import CodedError
from triggers import as_test_changes, past_records
from triggers.as_test_answers import Answers
from triggers.as_test_stored import stored_of
from triggers.as_test_text import render
from triggers.choices import ExecutionStatus, Mode
from triggers.models import Execution, TriggerConfig
from triggers.pseudonyms import Pseudonyms
from triggers.registry import UnknownTrigger, registry

if TYPE_CHECKING:
    from datetime import datetime

    from triggers.past_records import PastRecord
    from triggers.registry import Registry, TriggerSpec

TESTABLE = {ExecutionStatus.SUCCEEDED, ExecutionStatus.PARTIAL, ExecutionStatus.FAILED}
CALLS = frozenset({"http", "ai.ask", "enrich"})
LARGEST = 2 * 1024 * 1024


class NotTestable(CodedError):
    """No test can be made of the execution; the sentence says why."""

    code = "triggers.not-testable"
    status = 409


@dataclass
class Recipe:
    """All that a test needs, in plain values."""

    code: str
    spec: TriggerSpec
    event: str
    status: str
    now: str
    seed: int
    depth: int
    records: list[dict[str, Any]]
    olds: dict[str, dict[str, Any]]
    tenant: dict[str, Any]
    settings: dict[str, Any]
    answers: Answers
    limits: dict[str, float]
    stored: dict[str, list[dict[str, Any]]]
    outcomes: dict[str, str]
    changes: dict[str, dict[str, dict[str, Any]]]  # object -> id -> fields: exactly these
    inserts: dict[str, list[dict[str, Any]]]  # object -> fields; their ids are new each time
    is_unchanging: bool  # nothing was changed, for certain
    tasks: list[str] | None
    error: dict[str, Any] | None
    with_errors: bool
    is_real: bool = False
    notes: list[str] = field(default_factory=list)


def make(
    *, execution: Execution, is_real: bool, actor: str, at: datetime, release: Registry | None = None
) -> str:
    """The test as the text of a pytest file, audited. Raises ``NotTestable``.

    The trigger is that of ``release``, the live one by default. Unless ``is_real``, people are replaced by
    made-up ones throughout (``triggers.pseudonyms``).
    """
    recipe = _recipe(execution, release or registry(), is_real=is_real)
    text = render(recipe)
    if len(text.encode()) > LARGEST:
        raise NotTestable("The test would be larger than 2 MB: make one of a smaller execution.")
    with transaction.atomic():
        audit.record(
            actor=actor,
            verb="execution.test-made",
            target=str(execution.code),
            tenant=execution.tenant,
            data={"people": "real" if is_real else "made up", "records": len(recipe.records)},
            at=at,
        )
    return text


def _recipe(execution: Execution, release: Registry, *, is_real: bool) -> Recipe:
    if execution.status not in TESTABLE:
        raise NotTestable(
            "It was split in two: make a test of a half."
            if execution.status == ExecutionStatus.BISECTED
            else "Only an execution that has run to its end can become a test."
        )
    try:
        spec = release.get(execution.trigger)
    except UnknownTrigger:
        raise NotTestable(f"{execution.trigger} is no trigger of the live release.") from None
    trace = traces.of_execution(execution.code, since=execution.created_at)
    if trace is None:
        raise NotTestable("Its trace is not kept any more.")
    error = trace.error
    limit = execution.limit_name or (error or {}).get("limit") or ""
    if limit in LIMITS and LIMITS[limit].is_outside:
        raise NotTestable(
            f"It was stopped by {LIMITS[limit].label.lower()}, which is held from outside the script: "
            "a test on the testing kit cannot come to it."
        )
    if error and not str(error["code"]).startswith(("script.", "governor.limit", "judgment.", "records.")):
        raise NotTestable(f"It ended by {error['code']}, which no script can bring about in a test.")
    if any("cut" in effect for effect in trace.effects):
        raise NotTestable("Parts of its trace were left out: the answers to some calls are missing.")
    past = {
        each.event_id: each for each in past_records.of_execution(execution, event_ids=execution.event_ids)
    }
    if len(past) < len(set(execution.event_ids)) or not past:
        raise NotTestable("Its events are not kept any more.")
    batch = [past[pk] for pk in execution.event_ids if past[pk].record is not None]
    if not batch:
        raise NotTestable("None of its records reached the script: they do not fit their object's schema.")
    changes = past_records.changes(execution)
    notes: list[str] = []
    failed = {name for name, said in trace.outcomes.items() if said[0] == "failed"}
    made = as_test_changes.made(execution, trace.effects, changes, failed=failed, is_live_end=error is None)
    if made.is_partial:
        notes.append("Of some changes the trace tells too little: they are not checked.")
    recipe = Recipe(
        code=str(execution.code),
        spec=spec,
        event=f"after{execution.operation.title()}",
        status=execution.status,
        now=execution.now.isoformat(),
        seed=execution.seed,
        depth=execution.depth,
        records=[dict(each.record or {}) for each in batch],
        olds={each.record_id: each.old for each in batch if each.old is not None},
        tenant=past_records.lease_of(execution).tenant,
        settings=_settings(execution),
        answers=_answers(execution, trace.effects, batch, notes),
        limits=_limits(execution, spec, trace.effects, limit=limit),
        stored=stored_of(execution, trace.effects, batch, changes, notes),
        outcomes={
            each.record_id: said[0] if isinstance(said, list) else str(said)
            for each in batch
            if (said := trace.outcomes.get(each.record_id)) is not None
        },
        changes=made.changed,
        inserts=made.inserted,
        is_unchanging=not made.is_partial,
        tasks=made.tasks if error is None else None,
        error=error,
        with_errors=execution.with_errors,
        is_real=is_real,
        notes=notes,
    )
    return recipe if is_real else _without_people(recipe)


def _without_people(recipe: Recipe) -> Recipe:
    stored = [row for rows in recipe.stored.values() for row in rows]
    names = Pseudonyms([*recipe.records, *recipe.olds.values(), *stored])
    plain = ("records", "olds", "tenant", "settings", "stored", "outcomes", "changes", "inserts", "tasks")
    for name in plain:
        setattr(recipe, name, names.of(getattr(recipe, name)))
    recipe.answers = recipe.answers.mapped(names.of)
    return recipe


def _settings(execution: Execution) -> dict[str, Any]:
    """As they are set now: the tenant's own row replaces the one for all tenants."""
    row = (
        TriggerConfig.objects.filter(
            Q(tenant=None) | Q(tenant=execution.tenant_id), trigger=execution.trigger
        )
        .order_by(F("tenant").desc(nulls_last=True))
        .first()
    )
    return dict(row.settings) if row else {}


def _answers(
    execution: Execution, effects: list[dict[str, Any]], batch: list[PastRecord], notes: list[str]
) -> Answers:
    root = execution.root
    if execution.mode == Mode.RECORDED and execution.replay_of_id:
        root = Execution.objects.values_list("root", flat=True).get(pk=execution.replay_of_id)
    journal = {place_of(*key): answer for key, answer in read_answers(root=root).items()}
    answers = Answers()
    for effect in effects:
        op = effect.get("op")
        if op not in CALLS or (effect.get("state") == "refused" and _is_limit(effect)):
            continue
        answer = journal.get(str(effect.get("journal", "")))
        if answer is None and op == "enrich" and effect.get("error") is None:
            answer = {"ok": _facts(effect, batch, schema=execution.tenant.schema_name, at=execution.now)}
        if answer is None and op == "ai.ask" and effect.get("error") is None:
            if "schema" in (effect.get("args") or {}):
                raise NotTestable("The model was offline: what it answered was made up here, and not kept.")
            notes.append("The model was offline: its text is another one here.")
            continue
        if answer is None and effect.get("error") is None and effect.get("state") != "planned":
            raise NotTestable("The journal does not hold the answers to its calls any more.")
        answers.add(effect, answer)
    return answers


def _is_limit(effect: dict[str, Any]) -> bool:
    return bool((effect.get("error") or {}).get("code", LimitExceeded.code) == LimitExceeded.code)


def _facts(effect: dict[str, Any], batch: list[PastRecord], *, schema: str, at: datetime) -> dict[str, Any]:
    """What was known without asking: the shipped table, the cache and the mirror say the same again."""
    source = str((effect.get("args") or {}).get("source") or "census")
    if source == activity.SOURCE:
        known_records = [{**(each.record or {}), "id": each.record_id} for each in batch]
        with connection.cursor() as cursor:
            return activity.facts(cursor, schema=schema, records=known_records, at=at)
    zips = {
        each.record_id: enrichment.zip_of(
            (each.record or {}).get("postal_code"), (each.record or {}).get("country")
        )
        for each in batch
    }
    wanted = sorted({code for code in zips.values() if code})
    with connection.cursor() as cursor:
        known = enrichment.cached(cursor, source, wanted, at=at)
    facts: dict[str, Any] = callouts.look_up(zips, known, missing=[], seconds=0).body["ok"]
    return facts


def _limits(
    execution: Execution, spec: TriggerSpec, effects: list[dict[str, Any]], *, limit: str
) -> dict[str, float]:
    """Those that differ from what the trigger would have anyway."""
    usage = execution.usage
    found = {
        name: pair[1]
        for name, pair in usage.items()
        if name in LIMITS
        and isinstance(pair, list)
        and pair[1] != spec.limits.get(name, LIMITS[name].default)
    }
    asked = [effect for effect in effects if effect.get("op") in CALLS]
    refused = next((place for place, effect in enumerate(asked) if effect.get("state") == "refused"), None)
    # Retries and redirects count for real, cached facts do not: here every call counts once.
    if limit == "api_calls" and refused is not None:
        found["api_calls"] = refused
    return found
