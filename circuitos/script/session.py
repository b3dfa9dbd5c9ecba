"""The running execution, and how the SDK's calls reach it: at once in plain code, awaitable in async code."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from circuitos.script import frames
from circuitos.script.batch import current_record
from circuitos.script.errors import LimitExceeded, NoExecution, NotAwaited

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from circuitos.script.channel import Channel
    from circuitos.script.context import Context


class Session:
    """What one execution has asked for so far. A process runs one execution at a time."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.context: Context | None = None
        self.limit: LimitExceeded | None = None  # sticky: the first one ends the execution
        self.waiting: dict[int, Call] = {}  # calls made in async code and not awaited yet, in order
        self.coroutines: list[str] = []  # the author's own, dropped without an await
        self.under_way = 0
        self.log_lines = 0
        self.is_open = True

    def refuse_late(self) -> None:
        """Raise when nothing more may be asked: a limit was exceeded, or the handler has returned."""
        if self.limit is not None:
            # A new one each time: the first keeps the traceback of where the limit was exceeded.
            raise LimitExceeded(self.limit.limit, self.limit.used, self.limit.max, self.limit.detail)
        if not self.is_open:
            raise NoExecution("The handler has returned; nothing may be asked for after it.")

    def request(self, op: str, args: dict[str, Any], at: str, record: str = "") -> Any:
        """Ask and wait."""
        self.refuse_late()
        try:
            return self.channel.request(op, args, at=at, record=record)
        except LimitExceeded as exceeded:
            self.limit = self.limit or exceeded
            raise

    async def request_async(self, op: str, args: dict[str, Any], at: str, record: str = "") -> Any:
        """Ask; other calls may be under way meanwhile."""
        self.refuse_late()
        self.under_way += 1
        try:
            return await self.channel.request_async(op, args, at=at, record=record)
        except LimitExceeded as exceeded:
            self.limit = self.limit or exceeded
            raise
        finally:
            self.under_way -= 1


_current: Session | None = None


def enter(session: Session | None) -> Session | None:
    """Make ``session`` the running one; gives the one before, to be restored."""
    global _current
    before, _current = _current, session
    return before


def current() -> Session:
    """The running execution. Raises ``NoExecution`` outside of one."""
    if _current is None:
        raise NoExecution(
            "No execution is running: the SDK works inside a trigger's handler, "
            "and in circuitos.script.testing.run()."
        )
    return _current


def peek() -> Session | None:
    """The running execution, if there is one."""
    return _current


class Call(Coroutine[Any, Any, Any]):
    """An SDK call in async code. It happens when it is awaited; one that never is fails the execution."""

    def __init__(self, start: Callable[[], Awaitable[Any]], what: str, *, may_drop: bool) -> None:
        self.what = what
        self.at = frames.here()
        self.record = current_record()
        self.may_drop = may_drop
        self._start: Callable[[], Awaitable[Any]] | None = start
        self._running: Generator[Any, Any, Any] | None = None
        self._session = peek()
        if self._session is not None:
            self._session.waiting[id(self)] = self

    def __await__(self) -> Generator[Any, Any, Any]:
        start = self._begin()
        if start is None:
            raise RuntimeError(f"{self.what} was awaited already; make the call again.")
        return start().__await__()

    def _begin(self) -> Callable[[], Awaitable[Any]] | None:
        start, self._start = self._start, None
        if self._session is not None:
            self._session.waiting.pop(id(self), None)
        return start

    # The rest of the coroutine protocol, for asyncio.create_task() and task groups.
    def send(self, value: Any) -> Any:
        if self._running is None:
            self._running = self.__await__()
        return self._running.send(value)

    def throw(self, *error: Any) -> Any:
        if self._running is None:
            self._begin()  # cancelled before its turn came: nobody forgot it
            raise error[0]
        return self._running.throw(*error)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()

    def _not_awaited(self) -> NoReturn:
        raise NotAwaited(f"{self.what} was not awaited: write `await {self.what}(…)`.", at=self.at)

    def __iter__(self) -> NoReturn:
        self._not_awaited()

    def __getitem__(self, key: object) -> NoReturn:
        self._not_awaited()

    def __len__(self) -> NoReturn:  # noqa: PLE0303
        self._not_awaited()

    def __repr__(self) -> str:
        return f"<{self.what} called at {self.at or 'an unknown line'}, not awaited yet>"


def in_loop() -> bool:
    """Whether the calling code runs in an event loop, so that it must be given awaitables."""
    events = sys.modules.get("asyncio.events")
    return events is not None and events._get_running_loop() is not None  # noqa: SLF001


def call(
    op: str,
    args: dict[str, Any],
    *,
    what: str,
    then: Callable[[Any], Any] | None = None,
    may_drop: bool = False,
) -> Any:
    """Ask the broker for ``op``. In plain code the answer, in async code an awaitable of it.

    ``then`` makes the SDK's value of the answer. ``what`` is the public name, for error messages. A call that
    ``may_drop`` needs no await: it is made when the handler returns.
    """
    session = current()
    session.refuse_late()
    if not in_loop():
        answer = session.request(op, args, frames.here(), current_record())
        return answer if then is None else then(answer)

    async def ask() -> Any:
        answer = await session.request_async(op, args, made.at, made.record)
        return answer if then is None else then(answer)

    made = Call(ask, what, may_drop=may_drop)
    return made


def compose(
    plain: Callable[[], Any], awaitable: Callable[[], Awaitable[Any]], *, what: str, may_drop: bool = False
) -> Any:
    """A call made of several: ``plain()`` in plain code, an awaitable of ``awaitable()`` in async code.

    Works outside an execution too, so that pure agents can be used in a notebook or a unit test.
    """
    return Call(awaitable, what, may_drop=may_drop) if in_loop() else plain()
