"""One execution of one handler: the same code in the jail and in the testing kit, so they cannot differ."""

from __future__ import annotations

import importlib
import random
import sys
import warnings
from typing import TYPE_CHECKING, Any

from circuitos.script import frames, output
from circuitos.script import session as sessions
from circuitos.script.batch import Batch, here, quietly, record_of
from circuitos.script.budget import meter
from circuitos.script.context import Context
from circuitos.script.errors import BadSettings, CircuitError, LimitExceeded, NotAwaited
from circuitos.script.loading import find_handler, forgive_old_spellings, on_limit_of, settings_model
from circuitos.script.plain import lenient, text
from circuitos.script.record import Record, complete, fields_set, has_unsaved, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from circuitos.script.channel import Channel
    from circuitos.script.loading import Handler
    from circuitos.script.session import Session

OK = ["ok", "", None]
REASON_WHEN = "when"
REASON_SCHEMA = "schema"


def execute(handler: Handler | None, start: dict[str, Any], channel: Channel) -> dict[str, Any]:
    """Run the handler that ``start`` describes and return the ``done`` message. Never raises.

    With ``start``'s ``ended_by``, what a limit's end is told by, the class's ``on_limit`` is run instead.
    ``handler`` is looked up by ``start``'s module, cls and method when it is ``None``. ``done`` is ``{"t":
    "done", "outcomes": {record id: [status, reason, detail]}, "error": None or {"code", "type", "detail",
    "traceback", "at", "record", "data"}, "cpu_ms": …, "called": whether the handler was called}``; after a
    ``before`` trigger also ``"fields": {record id: {changed fields}}``. With an error, ``outcomes`` holds
    only the records that never reached the handler (quarantined, or refused by ``when=``).
    """
    meter.start_again()
    here.note("")
    channel.limits.update({name: list(pair) for name, pair in (start.get("limits") or {}).items()})
    session = sessions.Session(channel)
    outcomes: dict[str, list[Any]] = {}
    done: dict[str, Any] = {"t": "done", "outcomes": outcomes, "error": None, "cpu_ms": 0.0, "called": False}
    before = sessions.enter(session)
    caught: BaseException | None = None
    batch: list[Record] = []
    try:
        with warnings.catch_warnings(), output.captured(session):
            _hear_warnings(session)
            try:
                batch = _run(handler, start, session, done)
            except BaseException as error:  # whatever a script raises is its outcome
                caught = error
    finally:
        session.is_open = False
        sessions.enter(before)
    caught = session.limit or caught or _not_awaited(session)
    if caught is None:
        for record in quietly(batch):
            outcomes[record.id] = list(_outcome(record))
        if start.get("timing") == "before":
            changed = {record.id: fields_set(record) for record in quietly(batch)}
            done["fields"] = {record_id: fields for record_id, fields in changed.items() if fields}
    else:
        done["error"] = _error(caught, channel)
    done["cpu_ms"] = meter.cpu_ms()
    return done


def warm() -> None:
    """Import what executions need, once, before runners are forked."""
    for name in ("asyncio", "inspect", "pydantic.main"):
        importlib.import_module(name)


def _run(
    handler: Handler | None, start: dict[str, Any], session: Session, done: dict[str, Any]
) -> list[Record]:
    """Call the handler with the records that fit; gives those."""
    handler = handler or find_handler(str(start["module"]), str(start["cls"]), str(start["method"]))
    context = session.context = Context(start)
    _seed(context.seed)
    context.settings = _settings(handler, context)
    if start.get("ended_by"):
        return _run_on_limit(handler, context, start["ended_by"], session)
    _choose(handler, context, done["outcomes"])
    if start.get("records") and not context.new_records:
        return []
    done["called"] = True
    script = handler.cls()
    script.settings = context.settings
    _call(lambda: handler.function(script, context), handler, session)
    here.note("")
    for record in quietly(context.new_records):
        if has_unsaved(record) and context.is_after:
            output.line(session, "warning", f"{record!r} was changed and not saved; call CircuitDB.update().")
    return context.new_records


def _run_on_limit(
    handler: Handler, context: Context, ended_by: dict[str, Any], session: Session
) -> list[Record]:
    """Call the class's ``on_limit`` with the whole batch, whatever ``when=`` and ``schema=`` say of it."""
    finisher = on_limit_of(handler.cls)
    if finisher is None:
        return context.new_records
    told = {name: ended_by[name] for name in ("limit", "used", "max", "detail")}
    error = LimitExceeded(**told)
    error.at, error.record = str(ended_by["at"]), str(ended_by["record"])
    script = handler.cls()
    script.settings = context.settings
    _call(lambda: finisher(script, context, error), handler._replace(function=finisher), session)
    return context.new_records


def _settings(handler: Handler, context: Context) -> Any:
    model = settings_model(handler.cls)
    if model is None:
        return context.settings
    from pydantic import ValidationError

    try:
        return model.model_validate(context.settings)
    except ValidationError as error:
        wrong = _fields(error)
        said = "; ".join(f"{each['field']}: {each['reason']}" for each in wrong)
        raise BadSettings(f"The settings of {handler.name} do not fit: {said}.", fields=wrong) from None


def _choose(handler: Handler, context: Context, outcomes: dict[str, list[Any]]) -> None:
    """Keep the records that ``when=`` wants and ``schema=`` accepts; the others get their outcome."""
    declared = handler.declared
    if declared.when is not None:
        wants = _predicate(declared.when, context)
        chosen = []
        for record in context.new_records:
            if wants(record):
                chosen.append(record)
            else:
                outcomes[record.id] = ["skipped", REASON_WHEN, None]
        context.new_records = Batch(chosen)
    if declared.schema is not None and not context.is_delete:
        from pydantic import ValidationError

        chosen = []
        for record in context.new_records:
            try:
                model = declared.schema.model_validate(dict(record))
            except ValidationError as error:
                outcomes[record.id] = ["quarantined", REASON_SCHEMA, _fields(error)]
            else:
                complete(record, {name: getattr(model, name) for name in declared.schema.model_fields})
                context.models.append(model)
                chosen.append(record)
        context.new_records = Batch(chosen)


def _predicate(when: Callable[..., Any], context: Context) -> Callable[[Record], Any]:
    import inspect

    try:
        inspect.signature(when).bind(None, None)
    except (TypeError, ValueError):
        return when
    return lambda record: when(record, context)


def _fields(error: Any) -> list[dict[str, str]]:
    """A pydantic error as ``[{"field", "reason"}]``, without the values."""
    return [
        {"field": ".".join(str(part) for part in found["loc"]) or "record", "reason": str(found["msg"])}
        for found in error.errors(include_url=False, include_context=False, include_input=False)[:50]
    ]


def _call(function: Callable[[], Any], handler: Handler, session: Session) -> None:
    """Call a sync or async handler to its end, and every call that needs no await with it."""
    returned = None if _is_async(handler) else function()
    if returned is None and not _is_async(handler):
        return
    import asyncio

    async def whole() -> None:
        await (function() if returned is None else returned)
        for made in list(session.waiting.values()):
            if made.may_drop:
                await made
        while session.under_way:
            await asyncio.sleep(0.001)

    if returned is None or hasattr(returned, "__await__"):
        asyncio.run(whole())


def _is_async(handler: Handler) -> bool:
    import inspect

    return inspect.iscoroutinefunction(inspect.unwrap(handler.function))


def _not_awaited(session: Session) -> NotAwaited | None:
    for made in session.waiting.values():
        if not made.may_drop:
            where = f" at {made.at}" if made.at else ""
            return NotAwaited(
                f"{made.what} was called{where} and never awaited, so it never happened: "
                f"write `await {made.what}(…)`.",
                at=made.at,
            )
    for name in session.coroutines:
        return NotAwaited(f"{name} was called and never awaited, so it never ran: write `await {name}(…)`.")
    return None


def _hear_warnings(session: Session) -> None:
    """Warnings become log lines; Python's own "never awaited" an error of the execution."""
    warnings.filterwarnings("default")
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.filterwarnings("ignore", category=category)
    if "pydantic" in sys.modules:
        forgive_old_spellings()
    warnings.filterwarnings("always", category=RuntimeWarning)

    def hear(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        said = str(message)
        if category is RuntimeWarning and said.startswith("coroutine '"):
            session.coroutines.append(said.split("'")[1])
        else:
            place = f"{frames.short(filename)}:{lineno}"
            output.line(session, "warning", f"{category.__name__}: {said}", line=place)

    warnings.showwarning = hear


def _seed(seed: int) -> None:
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)


def _outcome(record: Record) -> list[Any]:
    said = outcome_of(record)
    return list(OK) if said is None else [said[0], said[1], None]


def _error(error: BaseException, channel: Channel) -> dict[str, Any]:
    """What ended the execution, as plain data."""
    inner = _innermost_limit(error)
    data: dict[str, Any] = {}
    if isinstance(inner, (CircuitError, LimitExceeded)):
        code, detail = inner.code, inner.detail
        data = dict(lenient(inner.data))
    elif isinstance(inner, MemoryError):
        allowed = (channel.limits.get("memory_mb") or [0, 0])[1]
        code, detail = LimitExceeded.code, f"The script needed more memory than its limit of {allowed} MB."
        data = {"limit": "memory_mb", "used": meter.memory_mb(), "max": allowed}
    else:
        code, detail = "script.raised", text(str(inner))
    return {
        "code": code,
        "type": type(inner).__name__,
        "detail": detail,
        "traceback": frames.tell(inner),
        "at": str(data.get("at") or frames.place(inner)),
        "record": record_of(inner),
        "data": data,
    }


def _innermost_limit(error: BaseException) -> BaseException:
    """Of a group of exceptions the one limit in it, or the only one."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            found = _innermost_limit(member)
            if isinstance(found, LimitExceeded) or len(error.exceptions) == 1:
                return found
    return error
