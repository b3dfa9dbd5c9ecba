"""Circuit Script: what authors of triggers import. Pure Python; Django and Celery are never loaded by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos.script.ai import CircuitAI
from circuitos.script.budget import limits
from circuitos.script.callouts import http
from circuitos.script.database import CircuitDB, Enriched, SaveResult
from circuitos.script.declare import CircuitTrigger, enricher, schedule, trigger
from circuitos.script.errors import CalloutError, CircuitError, JudgmentBlocked, LimitExceeded, RecordError
from circuitos.script.log import CircuitLog
from circuitos.script.monitor import CircuitMonitor
from circuitos.script.record import Record

if TYPE_CHECKING:
    from circuitos.script.settings import Settings

__all__ = [
    "CalloutError",
    "CircuitAI",
    "CircuitDB",
    "CircuitError",
    "CircuitLog",
    "CircuitMonitor",
    "CircuitTrigger",
    "Enriched",
    "JudgmentBlocked",
    "LimitExceeded",
    "Record",
    "RecordError",
    "SaveResult",
    "Settings",
    "enricher",
    "http",
    "limits",
    "schedule",
    "trigger",
]


def __getattr__(name: str) -> Any:
    # pydantic costs more than all the rest together: it is loaded when a script uses it.
    if name == "Settings":
        from circuitos.script.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
