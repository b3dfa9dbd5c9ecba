"""``on_limit`` in a test: run as the platform runs it, once a limit has ended the handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos.script.budget import DEFAULTS, ON_LIMIT
from circuitos.script.errors import LimitExceeded
from circuitos.script.execute import execute
from circuitos.script.loading import on_limit_of
from circuitos.script.testing.result import LogLine, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from circuitos.script.loading import Handler
    from circuitos.script.testing.broker import FakeBroker
    from circuitos.script.testing.result import Result


def finish(
    result: Result,
    handler: Handler,
    start: Mapping[str, Any],
    *,
    broker: Callable[[Mapping[str, float]], FakeBroker],
) -> None:
    """Add to ``result`` what ``on_limit`` did, on a budget of its own. Its changes are then the only ones."""
    ended = result.error
    if ended is None or ended.code != LimitExceeded.code or on_limit_of(handler.cls) is None:
        return
    last = broker({**DEFAULTS, **ON_LIMIT})
    ended_by = {name: ended.data.get(name, 0) for name in ("limit", "used", "max")}
    ended_by |= {"detail": ended.detail, "at": ended.at, "record": ended.record}
    done = execute(handler, {**start, "ended_by": ended_by, "limits": last.limits}, last)
    if last.unanswered is not None:
        raise last.unanswered
    result.callouts += last.result.callouts
    result.alerts += last.result.alerts
    result.logs += last.result.logs
    if done["error"] is not None:
        said = f"on_limit failed too, and nothing it asked for was committed: {done['error']['detail']}"
        result.logs.append(LogLine("warning", said, None, done["error"]["at"]))
        return
    result.changes = merged(last.result.changes)
    result.tasks = last.result.tasks
