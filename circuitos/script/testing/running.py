"""``run``: one execution of a trigger over records that a test made up."""

from __future__ import annotations

import random
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from circuitos.script.budget import DEFAULTS, exceeded
from circuitos.script.declare import CircuitTrigger, declaration
from circuitos.script.execute import execute
from circuitos.script.loading import Handler, handlers_of
from circuitos.script.testing.broker import FakeBroker
from circuitos.script.testing.fields import FIELDS
from circuitos.script.testing.finishing import finish
from circuitos.script.testing.memory import Memory
from circuitos.script.testing.result import Error, Outcome, Result, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A process runs one execution at a time.
_turn = threading.Lock()
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


def run(
    trigger: Any,
    records: Iterable[Mapping[str, Any]] = (),
    *,
    old: Iterable[Mapping[str, Any] | None] | Mapping[str, Mapping[str, Any]] | None = None,
    api: Mapping[Any, Any] | None = None,
    ai: Any = None,
    enrich: Mapping[str, Any] | None = None,
    stored: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    tenant: Mapping[str, Any] | str | None = None,
    settings: Mapping[str, Any] | None = None,
    event: str | None = None,
    limits: Mapping[str, float] | None = None,
    now: datetime = NOW,
    seed: int = 0,
    error_rate: float = 0.0,
    depth: int = 0,
) -> Result:
    """Run a trigger (``ContactTrigger.score_new_leads``, or a class with one trigger) over ``records``.

    ``records`` are completed as the platform does: an id, and ``None`` for documented fields they lack.
    ``old``: the images before, in the same order or by id. ``api``: answers to callouts by ``"GET
    https://host/path*"``: a body, a status, ``(status, body)``, an exception, or a function of the request.
    ``ai``: the model's answer, a list of answers, or a function of prompt and data. ``enrich``: ``{"census":
    {postal code or record id: facts}}``. ``stored``: other records, by object. ``event``: which of the
    trigger's events it is. ``limits`` are fresh for each run: the platform's, the trigger's own, then these.

    What a script raises stands in ``result.error``. Raises ``NoAnswer`` when it asked for something
    unprepared.
    """
    handler = _handler(trigger)
    chosen = event or (handler.declared.events[0] if handler.declared.events else "afterInsert")
    timing = "before" if chosen.startswith("before") else "after"
    name = handler.declared.object
    batch = [_completed(name, index, record) for index, record in enumerate(records)]
    olds = _olds(name, batch, old)
    maxima = {**DEFAULTS, **handler.declared.limits, **(limits or {})}
    committed = {**(stored or {}), name: [*(stored or {}).get(name, ()), *batch]}

    def fake(allowed: Mapping[str, float]) -> FakeBroker:
        return FakeBroker(allowed, Memory(committed), api=api or {}, ai=ai, enrich=enrich or {})

    broker = fake(maxima)
    broker.limits["depth"][0] = depth
    start = {
        "t": "start",
        "trigger": handler.name,
        "execution_id": "00000000-0000-7000-8000-000000000000",
        "object": name,
        "operation": chosen.removeprefix(timing).lower(),
        "timing": timing,
        "mode": "test",
        "depth": depth,
        "seed": seed,
        "now": now.isoformat(),
        "error_rate": error_rate,
        "tenant": _tenant(tenant),
        "records": batch,
        "olds": olds,
        "old_known": [image is not None for image in olds],
        "limits": broker.limits,
        "settings": dict(settings or {}),
    }
    with _turn:
        held = _random_state()
        try:
            done = execute(handler, start, broker)
            if broker.unanswered is not None:
                raise broker.unanswered
            result = _result(broker, done, name, [str(record["id"]) for record in batch])
            finish(result, handler, start, broker=fake)
        finally:
            _restore_random(held)
    return result


def _result(broker: FakeBroker, done: Mapping[str, Any], name: str, ids: list[str]) -> Result:
    result = broker.result
    error = done["error"]
    used, allowed = done["cpu_ms"], broker.limits["cpu_ms"][1]
    broker.limits["cpu_ms"][0] = used
    if error is None and used > allowed:
        error = {
            "code": "governor.limit-exceeded",
            "type": "LimitExceeded",
            "detail": exceeded("cpu_ms", used, allowed),
            "traceback": "",
            "at": "",
            "data": {"limit": "cpu_ms", "used": used, "max": allowed},
        }
    result.outcomes = {key: Outcome(*outcome) for key, outcome in done["outcomes"].items()}
    result.fields = dict(done.get("fields") or {})
    result.is_called = bool(done["called"])
    failed = {key for key, outcome in result.outcomes.items() if outcome.status == "failed"}
    # As at the settle: what was asked of a record that failed is not done.
    result.changes = [each for each in merged(result.changes) if each.object != name or each.id not in failed]
    if error is not None:
        result.error = Error(**error)
        result.changes, result.tasks, result.fields = [], [], {}
        for key in ids:
            result.outcomes.setdefault(key, Outcome("failed", error["code"], error["detail"]))
    return result


def _handler(trigger: Any) -> Handler:
    if isinstance(trigger, type):
        found = list(handlers_of(trigger))
        if len(found) != 1:
            raise ValueError(
                f"{trigger.__name__} has {len(found)} triggers; name one: {trigger.__name__}.method."
            )
        return found[0]
    owner = getattr(trigger, "__self__", None)
    function = getattr(trigger, "__func__", trigger)
    cls = type(owner) if isinstance(owner, CircuitTrigger) else getattr(function, "__circuit_class__", None)
    declared = declaration(function)
    if declared is None or cls is None:
        raise ValueError(f"{trigger!r} is no trigger: it wants @trigger and a CircuitTrigger class.")
    return Handler(cls, function, declared)


def _completed(name: str, index: int, record: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(record)
    return {
        "id": str(given.pop("id", None) or f"r{index + 1}"),
        **dict.fromkeys(FIELDS.get(name, ())),
        **given,
    }


def _olds(name: str, batch: list[dict[str, Any]], old: Any) -> list[dict[str, Any] | None]:
    if old is None:
        return [None] * len(batch)
    images = [old.get(record["id"]) for record in batch] if hasattr(old, "get") else list(old)
    if len(images) != len(batch):
        raise ValueError(f"{len(images)} old images were given for {len(batch)} records.")
    return [
        None if image is None else {**_completed(name, index, image), "id": record["id"]}
        for index, (record, image) in enumerate(zip(batch, images, strict=True))
    ]


def _tenant(tenant: Mapping[str, Any] | str | None) -> dict[str, Any]:
    known = {"slug": tenant, "name": tenant.title()} if isinstance(tenant, str) else dict(tenant or {})
    return {"slug": "test", "name": "Test", "tier": "free", "timezone": "UTC", "settings": {}, **known}


def _random_state() -> tuple[Any, Any]:
    numpy = sys.modules.get("numpy")
    return random.getstate(), numpy.random.get_state() if numpy else None


def _restore_random(held: tuple[Any, Any]) -> None:
    random.setstate(held[0])
    if held[1] is not None:
        sys.modules["numpy"].random.set_state(held[1])
