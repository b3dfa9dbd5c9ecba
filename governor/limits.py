"""The limits of one execution: each defined here, once, with its unit, its bounds and how it is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuitos.script.budget import DEFAULTS, ON_LIMIT, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Limit:
    """What an execution may use of one thing.

    ``floor`` and ``ceiling`` bound what an operator may set. ``is_outside``: measured, not counted by the
    broker.
    """

    name: str
    label: str
    unit: str
    default: int
    floor: int
    ceiling: int
    counted: str
    is_outside: bool = False


def _limit(
    name: str, label: str, bounds: tuple[int, int], counted: str, *, is_outside: bool = False
) -> Limit:
    return Limit(name, label, UNITS[name], DEFAULTS[name], *bounds, counted, is_outside)


# In the order people look for them.
LIMITS: dict[str, Limit] = {
    limit.name: limit
    for limit in (
        _limit(
            "api_calls",
            "API calls",
            (0, 1_000),
            "each HTTP request, model attempt and enrichment request that is sent",
        ),
        _limit(
            "wall_ms",
            "Time",
            (100, 300_000),
            "from the runner's fork to its report; then it is killed",
            is_outside=True,
        ),
        _limit(
            "cpu_ms",
            "CPU",
            (100, 120_000),
            "CPU time of all threads of the runner; then it is killed",
            is_outside=True,
        ),
        _limit(
            "memory_mb",
            "Memory",
            (8, 2_048),
            "growth over the warm runner; then it is killed",
            is_outside=True,
        ),
        _limit("record_queries", "Queries", (0, 10_000), "each CircuitDB.query and CircuitDB.get"),
        _limit("records_read", "Reads", (0, 100_000), "each record a query or get gives"),
        _limit(
            "records_written",
            "Writes",
            (0, 100_000),
            "each record given to insert, update, upsert, delete or create_task",
        ),
        _limit(
            "ai_tokens",
            "AI tokens",
            (0, 10_000_000),
            "prompt and answer, as the model's provider counts them",
        ),
        _limit(
            "log_lines",
            "Log lines",
            (0, 10_000),
            "each line; those beyond the limit are dropped, and the trace says how many",
        ),
        _limit(
            "depth",
            "Cascade depth",
            (1, 16),
            "cascades: an event caused by a change that an event caused",
            is_outside=True,
        ),
    )
}


def complete(overrides: Mapping[str, int]) -> dict[str, int]:
    """The maximum of every limit: the given ones over the platform's defaults."""
    return {name: int(overrides.get(name, limit.default)) for name, limit in LIMITS.items()}


# Of a trigger's ``on_limit``, whatever its own limits are; it is of the depth of what it ends.
ON_LIMIT_BUDGET: dict[str, int] = complete(ON_LIMIT)
