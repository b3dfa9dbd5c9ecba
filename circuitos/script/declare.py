"""How a script says what it is: ``CircuitTrigger``, ``@trigger``, ``@schedule``, ``@enricher``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from circuitos.script.aliases import camel_keywords, snake
from circuitos.script.budget import DEFAULTS
from circuitos.script.errors import BadScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")

OPERATIONS = ("insert", "update", "delete", "undelete", "merge")
EVENTS = (
    "beforeInsert",
    "beforeUpdate",
    "beforeDelete",
    *(f"after{operation.title()}" for operation in OPERATIONS),
)
LARGEST_BATCH = 200
_EVENT_OF = {spelling: event for event in EVENTS for spelling in (event, snake(event), snake(event).upper())}
# Five cron fields: minute, hour, day of the month, month, day of the week.
_CRON_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


class Declaration(NamedTuple):
    """What ``@trigger`` or ``@schedule`` said of a method."""

    kind: str  # "trigger" or "schedule"
    object: str
    events: tuple[str, ...]
    batch_size: int
    schema: Any
    order: int
    limits: Mapping[str, int]
    when: Callable[..., Any] | None
    stale_after: float | None
    cron: str


class CircuitTrigger:
    """The base of trigger classes. A new object is made for each execution; keep no state on the class.

    A pydantic model named ``Settings`` on the class (see ``circuitos.Settings``) is what a tenant may set;
    handlers read it as ``self.settings``. A base class that declares no triggers of its own but shares code
    says ``abstract = True``.

    A method ``on_limit(self, context, error)`` is called when a limit has ended a handler of the class for
    good, in a process of its own with a small budget (2 s, 2 API calls, 5 queries, 20 records written).
    ``error`` is a ``LimitExceeded``. What it asks for is all that is committed of that execution.
    """

    abstract: ClassVar[bool] = False
    settings: Any = None

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for function in vars(cls).values():
            if declaration(function) is not None:
                function.__circuit_class__ = cls  # for the testing kit, which is handed the function


@camel_keywords
def trigger(
    object: str,
    events: Iterable[str] | str,
    *,
    batch_size: int = LARGEST_BATCH,
    schema: Any = None,
    order: int = 0,
    limits: Mapping[str, int] | None = None,
    when: Callable[..., Any] | None = None,
    stale_after: float | None = None,
) -> Callable[[F], F]:
    """Run the method for batches of ``object`` on ``events`` (``"afterInsert"``, …).

    ``batch_size``: 1 to 200 records. ``schema``: a pydantic model; records that do not fit are quarantined
    with field-level reasons, the others are handed over (absent fields with its defaults). ``order``: lower
    runs first, ties by name. ``limits``: this trigger's own, by name (``{"api_calls": 20}``). ``when``:
    ``record → bool`` or ``(record, context) → bool``; records it refuses are skipped. ``stale_after``:
    seconds after which an event is scored and recorded, but nothing is sent. Raises ``BadScript`` for a
    declaration that cannot be meant.
    """
    if not isinstance(object, str) or not object:
        raise BadScript('@trigger wants the object first: @trigger("Contact", ["afterInsert"]).')
    chosen = _events([events] if isinstance(events, str) else list(events))
    if (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, int)
        or not 1 <= batch_size <= LARGEST_BATCH
    ):
        raise BadScript(f"batch_size is {batch_size!r}; write a whole number from 1 to {LARGEST_BATCH}.")
    if isinstance(order, bool) or not isinstance(order, int):
        raise BadScript(f"order is {order!r}; write a whole number.")
    if schema is not None and not hasattr(schema, "model_validate"):
        raise BadScript("schema must be a pydantic model class.")
    if when is not None and not callable(when):
        raise BadScript("when must be a function of a record.")
    if stale_after is not None and not stale_after > 0:
        raise BadScript(f"stale_after is {stale_after!r}; write seconds, more than 0.")
    declared = Declaration(
        kind="trigger",
        object=object,
        events=chosen,
        batch_size=batch_size,
        schema=schema,
        order=order,
        limits=_limits(limits or {}),
        when=when,
        stale_after=stale_after,
        cron="",
    )
    return _declare(declared)


def schedule(cron: str, *, limits: Mapping[str, int] | None = None) -> Callable[[F], F]:
    """Run the method at the times of a five-field cron line, in the tenant's time zone, with no records."""
    fields = cron.split() if isinstance(cron, str) else []
    fits = len(fields) == len(_CRON_RANGES)
    if not fits or not all(
        _is_cron(field, low, high) for field, (low, high) in zip(fields, _CRON_RANGES, strict=True)
    ):
        raise BadScript(f'{cron!r} is no cron line; write five fields, "0 2 * * *" is every day at 02:00.')
    declared = Declaration(
        kind="schedule",
        object="",
        events=(),
        batch_size=LARGEST_BATCH,
        schema=None,
        order=0,
        limits=_limits(limits or {}),
        when=None,
        stale_after=None,
        cron=" ".join(fields),
    )
    return _declare(declared)


class Enricher(NamedTuple):
    """A batch enrichment source that a script brings along."""

    name: str
    key: str
    function: Callable[..., Any]


enrichers: dict[str, Enricher] = {}


def enricher(name: str, *, key: str = "postal_code") -> Callable[[F], F]:
    """Offer a source to ``CircuitDB.batch_enrich(records, [name])``.

    The function gets the distinct values of the records' ``key`` field and returns ``{value: {…facts…}}``:
    one call for all of them, so that 100 leads cost one API call. Raises ``BadScript`` when the name is
    taken.
    """
    if not isinstance(name, str) or not name:
        raise BadScript('@enricher wants a name: @enricher("weather").')

    def register(function: F) -> F:
        taken = enrichers.get(name)
        if taken is not None and _origin(taken.function) != _origin(function):
            raise BadScript(
                f"Two enrichers are named {name!r}: {_origin(taken.function)} and {_origin(function)}."
            )
        enrichers[name] = Enricher(name, key, function)
        return function

    return register


def declaration(function: Any) -> Declaration | None:
    """What was declared of a function, if anything."""
    found = getattr(function, "__circuit__", None)
    return found if isinstance(found, Declaration) else None


def _declare(declared: Declaration) -> Callable[[F], F]:
    def mark(function: F) -> F:
        if not callable(function) or isinstance(function, type):
            raise BadScript("@trigger and @schedule stand before a method of a CircuitTrigger class.")
        if declaration(function) is not None:
            raise BadScript(f"{function.__qualname__} is declared twice; one @trigger or @schedule a method.")
        function.__circuit__ = declared  # type: ignore[attr-defined]
        return function

    return mark


def _events(names: list[str]) -> tuple[str, ...]:
    if not names:
        raise BadScript('@trigger wants events: ["afterInsert"].')
    chosen = []
    for name in names:
        event = _EVENT_OF.get(name) if isinstance(name, str) else None
        if event is None:
            raise BadScript(f"There is no event {name!r}; there are {', '.join(EVENTS)}.")
        chosen.append(event)
    return tuple(dict.fromkeys(chosen))


def _limits(wanted: Mapping[str, int]) -> dict[str, int]:
    chosen = {}
    for name, value in wanted.items():
        if snake(name) not in DEFAULTS:
            raise BadScript(f"There is no limit {name!r}; there are {', '.join(DEFAULTS)}.")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise BadScript(f"The limit {name} is {value!r}; write a whole number.")
        chosen[snake(name)] = value
    return chosen


def _is_cron(field: str, low: int, high: int) -> bool:
    for part in field.split(","):
        found = _CRON_PART.fullmatch(part)
        if not found:
            return False
        numbers = [int(number) for number in found.groups()[:2] if number]
        if any(not low <= number <= high for number in numbers) or numbers != sorted(numbers):
            return False
        if found.group(3) == "0":
            return False
    return True


def _origin(function: Any) -> str:
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)}"
