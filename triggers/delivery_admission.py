"""Admission: how fast a tenant's events may come, and how many may wait."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from tenants.errors import CodedError
from triggers import delivery_store
from triggers.group_commit import Unavailable, committer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from triggers.delivery_connections import Hook

logger = logging.getLogger(__name__)

RECOUNT_EVERY_S = 10.0
RECOUNT_SOONEST_S = 1.0
# No waiting event takes less: a table smaller than a lot of these holds no full lot, and need not be counted.
SMALLEST_EVENT = 200
MAX_TENANTS = 10_000  # remembered at once


class RateExceeded(CodedError):
    """The tenant's events come faster than its ceiling."""

    code = "triggers.rate-exceeded"
    status = 429


class LotFull(CodedError):
    """As many events wait as the tenant may have waiting."""

    code = "triggers.lot-full"
    status = 429


class Ceilings:
    """A token bucket a tenant, in this process: a second's worth may come at once."""

    def __init__(self) -> None:
        self._buckets: dict[int, tuple[float, float]] = {}  # tenant -> tokens, filled at
        self._lock = threading.Lock()

    def take(self, tenant_id: int, events: int, *, rate: int, now: float) -> None:
        """Spend ``events``. A large delivery may run into debt, which the next ones wait for."""
        with self._lock:
            tokens, filled_at = self._buckets.get(tenant_id, (float(rate), now))
            tokens = min(float(rate), tokens + (now - filled_at) * rate)
            if tokens >= 1:
                self._buckets[tenant_id] = (tokens - events, now)
                return
            self._buckets[tenant_id] = (tokens, now)
        wait = int((1 - tokens) / rate) + 1 if rate else 60
        raise RateExceeded(f"More than {rate} events a second.", headers={"Retry-After": str(min(wait, 60))})


class Lots:
    """How many events wait, by tenant: counted now and then in the background, never for a delivery."""

    def __init__(self, *, start: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._start = start or _in_background
        self._counted: dict[int, int] = {}
        self._came: dict[int, int] = {}  # since the last count began
        self._coming: dict[int, int] = {}  # before a count that is under way
        self._limits: dict[int, int] = {}
        self._counted_at = -RECOUNT_EVERY_S
        self._is_counting = False
        self._lock = threading.Lock()

    def take(self, tenant_id: int, events: int, *, lot: int, now: float) -> None:
        """Let ``events`` in, as far as we know how many wait. Raises ``LotFull``."""
        with self._lock:
            came = self._came.get(tenant_id, 0)
            waiting = self._counted.get(tenant_id, 0) + self._coming.get(tenant_id, 0) + came
            is_full = waiting >= lot
            if not is_full:
                self._came[tenant_id] = came + events
            self._limits[tenant_id] = lot
            pause = RECOUNT_SOONEST_S if is_full else RECOUNT_EVERY_S
            is_due = not self._is_counting and now - self._counted_at >= pause
            if is_due:
                self._counted_at, self._is_counting = now, True
                # Those who come while we count may be counted twice until the next time, never not at all.
                self._coming, self._came = self._came, {}
        if is_due:
            self._start(self._recount)
        if is_full:
            raise LotFull(
                f"{waiting} events wait, as many as may. They run when what holds them ends.",
                headers={"Retry-After": "60"},
            )

    def _recount(self) -> None:
        counted = None
        try:
            size = committer().ask(_table_size)
            near = [
                tenant_id for tenant_id, lot in self._limits.copy().items() if lot * SMALLEST_EVENT <= size
            ]
            counted = _count(near) if near else {}
        except Unavailable:
            logger.debug("The waiting events are counted later: the database is away")
        except Exception:
            logger.exception("The waiting events could not be counted")
        with self._lock:
            if counted is not None:
                self._counted = counted
            else:
                for tenant_id, events in self._coming.items():
                    self._came[tenant_id] = self._came.get(tenant_id, 0) + events
            self._coming = {}
            self._is_counting = False
            if len(self._limits) > MAX_TENANTS:
                self._limits = {}


def admit(hook: Hook, events: int) -> None:
    """Let a delivery of so many events in. Raises ``RateExceeded`` or ``LotFull``."""
    now = time.monotonic()
    ceilings.take(hook.tenant_id, events, rate=hook.rate, now=now)
    lots.take(hook.tenant_id, events, lot=hook.lot, now=now)


def _in_background(recount: Callable[[], None]) -> None:
    threading.Thread(target=recount, name="lots", daemon=True).start()


def _table_size(cursor: Cursor) -> int:
    cursor.execute("SELECT pg_relation_size('triggers_liveevent')")
    row: tuple[int] = cursor.fetchone()
    return row[0]


def _count(tenant_ids: Iterable[int]) -> dict[int, int]:
    """Waiting events by tenant, on a connection for this once: with millions waiting it takes seconds."""
    connection = delivery_store.connect()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 60000")
            cursor.execute(
                "SELECT tenant_id, count(*) FROM triggers_liveevent WHERE tenant_id = ANY(%s) GROUP BY 1",
                (list(tenant_ids),),
            )
            return dict(cursor.fetchall())
    finally:
        connection.close()


ceilings = Ceilings()
lots = Lots()
