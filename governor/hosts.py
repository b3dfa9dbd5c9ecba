"""What all workers know of the hosts they call: which is down, which asked to be left alone, who may probe.

A row belongs to one tenant and host. A tenant chooses what its scripts send: were the rows shared, it could
make a host refuse the others by sending it garbage. And a rate limit is an account's, that is, a tenant's.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

from django.db import connection

from governor.models import HostState

THRESHOLD = 5  # failures in a row after which a circuit opens
WINDOW_SECONDS = 120  # without one for so long, the row begins anew
FIRST_DELAY, LONGEST_DELAY = 5.0, 300.0  # seconds until the probe: doubled with each that fails
PROBE_SECONDS = 30.0  # a probe that has not answered by then is taken for lost, and another may go
CACHE_SECONDS = 1.0
KEEP_DAYS = 7
_MOST_CACHED = 4_000

_KNOWN = (
    " known.state, known.failures,"
    " greatest(0, extract(epoch FROM known.probe_at - clock_timestamp()))::float,"
    " greatest(0, extract(epoch FROM known.hold_until - clock_timestamp()))::float,"
    " known.openings"
)
_READ = f"SELECT {_KNOWN} FROM public.governor_hoststate known WHERE tenant_id = %s AND host = %s"  # noqa: S608
_FAIL = f"""
INSERT INTO public.governor_hoststate AS known
    (tenant_id, host, state, failures, openings, last_problem, last_at)
VALUES (%(tenant)s, %(host)s, 'closed', 1, 0, %(problem)s, clock_timestamp())
ON CONFLICT (tenant_id, host) DO UPDATE SET
    (failures, state, openings, opened_at, probe_at) = (
        SELECT counted.failures,
            CASE WHEN opens THEN 'open' ELSE known.state END,
            CASE WHEN opens THEN least(known.openings + 1, 30) ELSE known.openings END,
            CASE WHEN opens THEN clock_timestamp() ELSE known.opened_at END,
            CASE WHEN opens THEN clock_timestamp() + interval '1 second' * %(jitter)s
                * least(%(first)s * power(2, known.openings), %(longest)s) ELSE known.probe_at END
        FROM (SELECT CASE WHEN known.last_at < clock_timestamp() - %(window)s * interval '1 second'
                          THEN 1 ELSE least(known.failures + 1, 32000) END AS failures) counted,
        LATERAL (SELECT (known.state = 'closed' AND counted.failures >= %(threshold)s)
                     OR (known.state = 'half-open' AND %(is_probe)s) AS opens) verdict
    ),
    last_problem = excluded.last_problem, last_at = excluded.last_at
RETURNING {_KNOWN}
"""  # noqa: S608
_CLOSE = """
UPDATE public.governor_hoststate known
SET state = 'closed', failures = 0, openings = 0, opened_at = NULL, probe_at = NULL,
    last_at = clock_timestamp()
FROM (SELECT id, state FROM public.governor_hoststate
      WHERE tenant_id = %s AND host = %s AND (failures > 0 OR state <> 'closed') FOR UPDATE) before
WHERE known.id = before.id RETURNING before.state <> 'closed'
"""
_RESET = """
UPDATE public.governor_hoststate SET state = 'closed', failures = 0, openings = 0, opened_at = NULL,
    probe_at = NULL, hold_until = NULL WHERE tenant_id = %s AND host = %s
"""
_CLAIM = f"""
UPDATE public.governor_hoststate known
SET state = 'half-open', probe_at = clock_timestamp() + %s * interval '1 second'
WHERE tenant_id = %s AND host = %s AND state <> 'closed' AND probe_at <= clock_timestamp() RETURNING {_KNOWN}
"""  # noqa: S608
_UNCLAIM = """
UPDATE public.governor_hoststate SET state = 'open', probe_at = clock_timestamp()
WHERE tenant_id = %s AND host = %s AND state = 'half-open'
"""
_HOLD = f"""
INSERT INTO public.governor_hoststate AS known
    (tenant_id, host, state, failures, openings, hold_until, last_problem, last_at)
VALUES (%s, %s, 'closed', 0, 0, clock_timestamp() + %s * interval '1 second', %s, clock_timestamp())
ON CONFLICT (tenant_id, host) DO UPDATE SET hold_until = greatest(known.hold_until, excluded.hold_until),
    last_problem = excluded.last_problem, last_at = excluded.last_at
RETURNING {_KNOWN}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Known:
    """A host as it was read."""

    state: str = HostState.State.CLOSED.value
    failures: int = 0
    probe_in: float | None = None  # seconds
    hold_in: float | None = None
    openings: int = 0  # in a row, without an answer between

    @property
    def is_closed(self) -> bool:
        return self.state == HostState.State.CLOSED.value

    @property
    def waits(self) -> float:
        """Seconds until a request to it makes sense."""
        return max(self.hold_in or 0.0, 0.0 if self.is_closed else self.probe_in or 0.0)


_cache: dict[tuple[int, str], tuple[float, Known]] = {}


def forget() -> None:
    """Read anew what was kept in this process."""
    _cache.clear()


def known(tenant_id: int, host: str) -> Known:
    """The host's state: at most a second old, and fresh when it says that nothing may be sent."""
    found = _cache.get((tenant_id, host))
    if found is not None and found[0] > time.monotonic() and found[1].is_closed and not found[1].hold_in:
        return found[1]
    with connection.cursor() as cursor:
        cursor.execute(_READ, [tenant_id, host])
        row = cursor.fetchone()
    return _keep(tenant_id, host, row)


def waits(cursor: Any, *, tenant_id: int, host: str) -> float:
    """Seconds until a request makes sense; till the transaction's end nobody closes the circuit."""
    cursor.execute(f"{_READ} FOR SHARE", [tenant_id, host])
    row = cursor.fetchone()
    return Known(*row).waits if row else 0.0


def failed(tenant_id: int, host: str, *, problem: str, is_probe: bool) -> Known:
    """A request to it failed. Opens the circuit at the ``THRESHOLD``, and again when the probe fails."""
    said: dict[str, bool | float | str] = {
        "tenant": tenant_id,
        "host": host,
        "problem": problem[:200],
        "is_probe": is_probe,
        "first": FIRST_DELAY,
        "longest": LONGEST_DELAY,
        "window": WINDOW_SECONDS,
        "threshold": THRESHOLD,
        "jitter": random.uniform(0.8, 1.2),  # noqa: S311 — spreads load, guards nothing
    }
    with connection.cursor() as cursor:
        cursor.execute(_FAIL, said)
        return _keep(tenant_id, host, cursor.fetchone())


def succeeded(tenant_id: int, host: str) -> bool:
    """A request to it was answered: it stands as before. True when that closed its circuit."""
    found = _cache.get((tenant_id, host))
    if found is not None and found[1].is_closed and not found[1].failures:
        return False
    return close(tenant_id, host)


def close(tenant_id: int, host: str) -> bool:
    """Let requests pass again. True when the circuit was open."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, [tenant_id, host])
        row = cursor.fetchone()
    _cache.pop((tenant_id, host), None)
    return bool(row and row[0])


def reset(tenant_id: int, host: str) -> None:
    """Forget the host's troubles and what it asked for: an operator knows better."""
    with connection.cursor() as cursor:
        cursor.execute(_RESET, [tenant_id, host])
    _cache.pop((tenant_id, host), None)


def claim_probe(tenant_id: int, host: str) -> bool:
    """Whether this worker, alone of all, may send the one request that tells whether the host is back."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [PROBE_SECONDS, tenant_id, host])
        row = cursor.fetchone()
    _cache.pop((tenant_id, host), None)
    return row is not None


def unclaim_probe(tenant_id: int, host: str) -> None:
    """The probe was not sent after all: another may go."""
    with connection.cursor() as cursor:
        cursor.execute(_UNCLAIM, [tenant_id, host])
    _cache.pop((tenant_id, host), None)


def hold(tenant_id: int, host: str, *, seconds: float, problem: str) -> Known:
    """The host asks to be left alone for so long."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [tenant_id, host, seconds, problem[:200]])
        return _keep(tenant_id, host, cursor.fetchone())


def purge(cursor: Any) -> int:
    """Forget hosts of which nothing was heard for ``KEEP_DAYS``."""
    cursor.execute(
        "DELETE FROM public.governor_hoststate WHERE last_at < clock_timestamp() - %s * interval '1 day'",
        [KEEP_DAYS],
    )
    return int(cursor.rowcount)


def _keep(tenant_id: int, host: str, row: Any) -> Known:
    found = Known(*row) if row else Known()
    if len(_cache) >= _MOST_CACHED:
        _cache.clear()
    _cache[tenant_id, host] = (time.monotonic() + CACHE_SECONDS, found)
    return found
