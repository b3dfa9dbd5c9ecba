"""``CircuitMonitor``: errors and timings for the people on duty, through the broker."""

from __future__ import annotations

from typing import Any

from circuitos.script import frames
from circuitos.script.aliases import camel_case
from circuitos.script.errors import CircuitError
from circuitos.script.plain import lenient
from circuitos.script.session import call, current


@camel_case
class CircuitMonitor:
    """Tell the people on duty, in Sentry and the alert rules. Without an await it happens on return."""

    @staticmethod
    def alert_on_error(error: Any, context: Any = None, **data: Any) -> Any:
        """Report an error the script caught: an exception or a sentence, and anything of use."""
        is_exception = isinstance(error, BaseException)
        args = {
            "type": type(error).__name__ if is_exception else "",
            "message": lenient(str(error)),
            "code": error.code if isinstance(error, CircuitError) else "",
            "at": frames.place(error) if is_exception else frames.here(),
            "traceback": frames.tell(error) if is_exception else "",
            "trigger": _trigger(),
            "context": _context(context),
            "data": lenient(data),
        }
        return call("monitor.alert", args, what="CircuitMonitor.alert_on_error", then=_nothing, may_drop=True)

    @staticmethod
    def track_performance(execution_time_ms: float, trigger_name: Any = None, **data: Any) -> Any:
        """Record how long something took, in milliseconds; more than 10 s counts as slow."""
        args = {
            "execution_time_ms": round(float(execution_time_ms), 3),
            "trigger": str(trigger_name or _trigger()),
            "data": lenient(data),
        }
        return call(
            "monitor.track", args, what="CircuitMonitor.track_performance", then=_nothing, may_drop=True
        )


def _trigger() -> str:
    context = current().context
    return context.trigger if context else ""


def _context(context: Any) -> Any:
    """The handler's own context by its names; anything else as it is."""
    if hasattr(context, "new_records") and hasattr(context, "trigger"):
        return {
            "object": context.object,
            "operation": context.operation,
            "record_ids": [record.id for record in context.new_records],
        }
    return lenient(context)


def _nothing(answer: Any) -> None:
    return None
