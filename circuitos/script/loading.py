"""Imports scripts and says what they declare: in the jail and the testing kit, never in web or worker."""

from __future__ import annotations

import importlib
import linecache
import sys
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from circuitos.script import frames
from circuitos.script.declare import CircuitTrigger, Declaration, declaration
from circuitos.script.errors import BadScript, CircuitError
from circuitos.script.sources import Source, refuse_hiding, sources, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import FunctionType, ModuleType


class Handler(NamedTuple):
    """A method that can be run: the class, its function and what was declared of it."""

    cls: type[CircuitTrigger]
    function: FunctionType
    declared: Declaration

    @property
    def name(self) -> str:
        """The trigger's name."""
        return f"{self.cls.__name__}.{self.function.__name__}"


def load_scripts(entries: Iterable[str | Path]) -> list[dict[str, Any]]:
    """Import the scripts, their folders first on ``sys.path``; gives specs sorted by (order, name).

    A spec is plain data: ``kind`` (``trigger`` or ``schedule``), ``name``, ``object``, ``events``,
    ``operations``, ``batch_size``, ``order``, ``limits``, ``has_schema``, ``has_when``,
    ``has_on_limit``, ``is_async``, ``stale_after``, ``cron``, ``settings_schema``, ``file``, ``line``,
    ``module``, ``class_name``, ``method``, ``doc``. A trigger of the operator's takes the place of a shipped
    one of its name.
    Raises ``BadScript`` with ``file`` and ``line``; then no spec of any folder is returned.
    """
    specs: dict[str, dict[str, Any]] = {}
    shipped: set[str] = set()
    for source in sources(entries):
        module = import_source(source)
        for spec in describe_module(module):
            taken = specs.get(spec["name"])
            is_shipped = frames.is_shipped(source.file)
            if taken is None or (taken["name"] in shipped and not is_shipped):
                specs[spec["name"]] = spec
                (shipped.add if is_shipped else shipped.discard)(spec["name"])
            else:
                raise BadScript(
                    f"Two triggers are named {spec['name']}: at {taken['file']}:{taken['line']} and "
                    f"{spec['file']}:{spec['line']}; rename one.",
                    code="script.duplicate-trigger",
                    file=spec["file"],
                    line=spec["line"],
                )
    if "numpy" in sys.modules:
        importlib.import_module("numpy.random")  # else each runner would load it to seed it: 10 ms
    return sorted(specs.values(), key=lambda spec: (spec["order"], spec["name"]))


def import_source(source: Source) -> ModuleType:
    """Import one script file. Whatever it raises comes out as ``BadScript`` naming file and line."""
    if source.folder is not None:
        refuse_hiding(source)
        folder = str(source.folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)
    linecache.getlines(str(source.file))  # the jail cannot read files when it has to tell a traceback
    try:
        with warnings.catch_warnings():
            forgive_old_spellings()
            return importlib.import_module(source.module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(source.module, None)
        raise _does_not_load(source, error) from error


def forgive_old_spellings() -> None:
    """Let authors use pydantic's first spellings (``@validator``, ``.dict()``) without a warning."""
    from pydantic.warnings import PydanticDeprecationWarning

    warnings.filterwarnings("ignore", category=PydanticDeprecationWarning)


def describe_module(module: ModuleType) -> list[dict[str, Any]]:
    """The specs of the trigger classes that ``module`` defines."""
    return [spec_of(handler) for handler in handlers(module)]


def handlers(module: ModuleType) -> Iterator[Handler]:
    """The declared methods of the trigger classes that ``module`` itself defines."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            yield from handlers_of(value)


def handlers_of(cls: type) -> Iterator[Handler]:
    """The declared methods of one class, inherited ones too. Raises ``BadScript`` if it cannot run."""
    found = {name: getattr(cls, name, None) for name in dir(cls) if not name.startswith("__")}
    methods = {name: function for name, function in found.items() if declaration(function) is not None}
    if not methods or vars(cls).get("abstract", False):
        return
    if not issubclass(cls, CircuitTrigger):
        raise BadScript(
            f"{cls.__name__} has triggers but is no CircuitTrigger: class {cls.__name__}(CircuitTrigger)."
        )
    for function in methods.values():
        handler = Handler(cls, cast("FunctionType", function), _declared(function))
        _refuse_signature(handler)
        yield handler


def find_handler(module: str, class_name: str, method: str) -> Handler:
    """The handler that a start message names; its module must be loaded. Raises ``BadScript``."""
    cls = getattr(sys.modules.get(module), class_name, None)
    function = getattr(cls, method, None)
    declared = declaration(function)
    if cls is None or function is None or declared is None:
        raise BadScript(
            f"There is no trigger {class_name}.{method} in {module}.", code="script.unknown-trigger"
        )
    return Handler(cls, function, declared)


def on_limit_of(cls: type) -> Any:
    """The method that is called after a limit ended a handler of the class, or ``None``."""
    return getattr(cls, "on_limit", None) or getattr(cls, "onLimit", None)


def spec_of(handler: Handler) -> dict[str, Any]:
    """What a handler declares, as plain data."""
    import inspect

    declared = handler.declared
    function = inspect.unwrap(handler.function)
    return {
        "kind": declared.kind,
        "name": handler.name,
        "object": declared.object,
        "events": list(declared.events),
        "operations": sorted(
            {event.removeprefix("before").removeprefix("after").lower() for event in declared.events}
        ),
        "batch_size": declared.batch_size,
        "order": declared.order,
        "limits": dict(declared.limits),
        "has_schema": declared.schema is not None,
        "has_when": declared.when is not None,
        "has_on_limit": on_limit_of(handler.cls) is not None,
        "is_async": inspect.iscoroutinefunction(function),
        "stale_after": declared.stale_after,
        "cron": declared.cron,
        "settings_schema": _settings_schema(handler.cls),
        "file": frames.short(function.__code__.co_filename),
        "line": function.__code__.co_firstlineno,
        "module": handler.cls.__module__,
        "class_name": handler.cls.__name__,
        "method": handler.function.__name__,
        "doc": inspect.cleandoc(function.__doc__ or ""),
    }


def settings_model(cls: type) -> Any:
    """The pydantic model of a trigger class's settings, or ``None``."""
    for name in ("Settings", "settings"):
        model = getattr(cls, name, None)
        if isinstance(model, type) and hasattr(model, "model_validate"):
            return model
    return None


def _does_not_load(source: Source, error: BaseException) -> BadScript:
    file, _, line = (frames.place(error) or ":1").rpartition(":")
    if file in {"", frames.short(str(source.file))}:
        file = tell(source.file)
    if isinstance(error, CircuitError):
        said = error.detail
    elif isinstance(error, SyntaxError):
        said = f"{type(error).__name__}: {error.msg}"
    else:
        said = f"{type(error).__name__}: {error}"
    return BadScript(f"{file}, line {line}: {said}", file=file, line=int(line), traceback=frames.tell(error))


def _refuse_signature(handler: Handler) -> None:
    import inspect

    function = inspect.unwrap(handler.function)
    place = {"file": frames.short(function.__code__.co_filename), "line": function.__code__.co_firstlineno}
    try:
        inspect.signature(handler.function).bind(None, None)
    except TypeError:
        raise BadScript(f"{handler.name} must take (self, context).", **place) from None
    finisher = on_limit_of(handler.cls)
    if finisher is not None:
        try:
            inspect.signature(finisher).bind(None, None, None)
        except TypeError:
            raise BadScript(
                f"{handler.cls.__name__}.on_limit must take (self, context, error).", **place
            ) from None
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise BadScript(f"{handler.name} must not yield.", **place)
    try:
        inspect.signature(handler.cls).bind()
    except TypeError:
        raise BadScript(f"{handler.cls.__name__} must be made without arguments.", **place) from None


def _declared(function: Any) -> Declaration:
    found = declaration(function)
    assert found is not None
    return found


def _settings_schema(cls: type) -> dict[str, Any] | None:
    model = settings_model(cls)
    return None if model is None else model.model_json_schema()
