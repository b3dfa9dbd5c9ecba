"""CircuitOS: Apex for any CRM. This package re-exports the SDK that script authors import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos.script import (
    CalloutError,
    CircuitAI,
    CircuitDB,
    CircuitError,
    CircuitLog,
    CircuitMonitor,
    CircuitTrigger,
    Enriched,
    JudgmentBlocked,
    LimitExceeded,
    Record,
    RecordError,
    SaveResult,
    enricher,
    http,
    limits,
    schedule,
    trigger,
)

if TYPE_CHECKING:
    from circuitos.agents.virtual_lpr import VirtualLPR
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
    "VirtualLPR",
    "enricher",
    "http",
    "limits",
    "schedule",
    "trigger",
]

# Agents bring numpy and pydantic along; whoever does not use them does not pay for them.
_LAZY = {"Settings": "circuitos.script.settings", "VirtualLPR": "circuitos.agents.virtual_lpr"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
