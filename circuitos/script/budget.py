"""What the running execution has used of each limit: ``limits.api_calls.used``, ``.max``, ``.left``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from circuitos.script.aliases import snake
from circuitos.script.session import current

if TYPE_CHECKING:
    from collections.abc import Iterator

# The platform's defaults (ARCHITECTURE 6); an execution is told its own in its start message.
DEFAULTS: dict[str, int] = {
    "wall_ms": 30_000,
    "cpu_ms": 10_000,
    "memory_mb": 128,  # growth over the warm runner
    "api_calls": 50,
    "record_queries": 100,
    "records_read": 10_000,
    "records_written": 10_000,
    "ai_tokens": 100_000,
    "log_lines": 1_000,
    "depth": 16,
}
# What ``on_limit`` may use after a limit ended the handler: enough to say so, and to leave a task.
ON_LIMIT: dict[str, int] = {
    "wall_ms": 2_000,
    "cpu_ms": 1_000,
    "memory_mb": 32,
    "api_calls": 2,
    "record_queries": 5,
    "records_read": 200,
    "records_written": 20,
    "ai_tokens": 0,
    "log_lines": 50,
}
UNITS: dict[str, str] = {
    "wall_ms": "ms",
    "cpu_ms": "ms",
    "memory_mb": "MiB",
    "api_calls": "requests",
    "record_queries": "queries",
    "records_read": "records",
    "records_written": "records",
    "ai_tokens": "tokens",
    "log_lines": "lines",
    "depth": "steps",
}


def exceeded(name: str, used: float, allowed: float) -> str:
    """What an exceeded limit says of itself."""
    return f"The limit {name} is {allowed:g} {UNITS[name]}; this execution came to {used:g}."


class Limit(NamedTuple):
    """One limit, in its own unit."""

    name: str
    used: float
    max: float

    @property
    def left(self) -> float:
        """What may still be used; never below 0."""
        return max(0, self.max - self.used)


class Limits:
    """The limits of the running execution. ``for limit in limits`` goes over all of them.

    Counters are the broker's, as of the last answer; ``wall_ms``, ``cpu_ms`` and ``memory_mb`` are read when
    asked.
    """

    def __getattr__(self, name: str) -> Limit:
        if name.startswith("_"):
            raise AttributeError(name)
        counted = current().channel.limits
        name = snake(name)
        if name not in counted and name not in DEFAULTS:
            raise AttributeError(f"There is no limit {name!r}; there are {', '.join(DEFAULTS)}.")
        used, allowed = counted.get(name) or (0, DEFAULTS[name])
        measure = _MEASURED.get(name)
        return Limit(name, used if measure is None else measure(), allowed)

    def __iter__(self) -> Iterator[Limit]:
        return iter(
            [getattr(self, name) for name in (*DEFAULTS, *(set(current().channel.limits) - set(DEFAULTS)))]
        )

    def __repr__(self) -> str:
        return "<limits of the running execution>"


class Meter:
    """Wall time, CPU time and memory since an execution began."""

    def __init__(self) -> None:
        self.start_again()

    def start_again(self) -> None:
        self._wall = time.monotonic()
        self._cpu = time.process_time()
        self._memory = _resident_mb()

    def wall_ms(self) -> float:
        return round((time.monotonic() - self._wall) * 1000, 1)

    def cpu_ms(self) -> float:
        return round((time.process_time() - self._cpu) * 1000, 1)

    def memory_mb(self) -> float:
        return round(max(0.0, _resident_mb() - self._memory), 1)


def _resident_mb() -> float:
    """The most memory this process has held, in MiB; 0 where the platform does not say."""
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


meter = Meter()
limits = Limits()
_MEASURED = {"wall_ms": meter.wall_ms, "cpu_ms": meter.cpu_ms, "memory_mb": meter.memory_mb}
