"""Error rates: the share of a trigger's records that failed in the last five minutes, as scripts see it."""

from __future__ import annotations

import time
from typing import Any

FRESH_SECONDS = 5.0
NEWEST = 500  # executions looked at

_RATE = """
SELECT coalesce(sum(failed)::float8 / nullif(sum(ok + failed), 0), 0)
FROM (SELECT ok, failed, finished_at FROM triggers_execution
      WHERE tenant_id = %s AND trigger = %s ORDER BY id DESC LIMIT %s) newest
WHERE finished_at > clock_timestamp() - interval '5 minutes'
"""


class ErrorRates:
    """The rates of the triggers a worker runs, each read at most every few seconds."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[float, float]] = {}

    def of(self, cursor: Any, *, tenant_id: int, trigger: str) -> float:
        read_at, rate = self._known.get((tenant_id, trigger), (0.0, 0.0))
        now = time.monotonic()
        if not read_at or now - read_at > FRESH_SECONDS:
            cursor.execute(_RATE, [tenant_id, trigger, NEWEST])
            rate = float(cursor.fetchone()[0])
            self._known[tenant_id, trigger] = (now, rate)
        return rate
