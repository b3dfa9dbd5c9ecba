"""The limits of one execution: each defined here, once, with its unit and how it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitos.script.budget import DEFAULTS, ON_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Limit:
    """What an execution may use of one thing. ``is_outside``: measured, not counted by the broker."""

    name: str
    unit: str
    default: int
    counted: str
    is_outside: bool = False


def _limit(name: str, unit: str, counted: str, *, is_outside: bool = False) -> Limit:
    return Limit(name, unit, DEFAULTS[name], counted, is_outside)


LIMITS: dict[str, Limit] = {
    limit.name: limit
    for limit in (
        _limit("wall_ms", "ms", "from the runner's fork to its report; then it is killed", is_outside=True),
        _limit("cpu_ms", "ms", "CPU time of all threads of the runner; then it is killed", is_outside=True),
        _limit("memory_mb", "MiB", "growth over the warm runner; then it is killed", is_outside=True),
        _limit(
            "api_calls", "requests", "each HTTP request, model attempt and enrichment request that is sent"
        ),
        _limit("record_queries", "queries", "each CircuitDB.query and CircuitDB.get"),
        _limit("records_read", "records", "each record a query or get gives"),
        _limit(
            "records_written", "records", "each record given to insert, update, upsert, delete or create_task"
        ),
        _limit("ai_tokens", "tokens", "prompt and answer, as the model's provider counts them"),
        _limit(
            "log_lines", "lines", "each line; those beyond the limit are dropped, and the trace says how many"
        ),
        _limit(
            "depth", "steps", "cascades: an event caused by a change that an event caused", is_outside=True
        ),
    )
}


def complete(overrides: Mapping[str, int]) -> dict[str, int]:
    """The maximum of every limit: the given ones over the platform's defaults."""
    return {name: int(overrides.get(name, limit.default)) for name, limit in LIMITS.items()}


# Of a trigger's ``on_limit``, whatever its own limits are; it is of the depth of what it ends.
ON_LIMIT_BUDGET: dict[str, int] = complete(ON_LIMIT)
