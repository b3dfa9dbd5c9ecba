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
    from collections.abc import Iterable

    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from triggers.delivery_connections import Hook

logger = logging.getLogger(__name__)

RECOUNT_EVERY_S = 10.0
RECOUNT_SOONEST_S = 1.0
# No waiting event takes less: a table smaller than a lot of these holds no full lot, and need not be counted.
SMALLEST_EVENT = 200


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

    def __init__(self) -> None:
        self._counted: dict[int, int] = {}
        self._since: dict[int, int] = {}
        self._limits: dict[int, int] = {}
        self._counted_at = -RECOUNT_EVERY_S
        self._lock = threading.Lock()

    def take(self, tenant_id: int, events: int, *, lot: int, now: float) -> None:
        """Let ``events`` in, as far as we know how many wait."""
        with self._lock:
            waiting = self._counted.get(tenant_id, 0) + self._since.get(tenant_id, 0)
            is_full = waiting >= lot
            if not is_full:
                self._since[tenant_id] = self._since.get(tenant_id, 0) + events
            self._limits[tenant_id] = lot
            is_due = now - self._counted_at >= (RECOUNT_SOONEST_S if is_full else RECOUNT_EVERY_S)
            if is_due:
                self._counted_at = now
        if is_due:
            threading.Thread(target=self._recount, name="lots", daemon=True).start()
        if is_full:
            raise LotFull(
                f"{waiting} events wait, as many as may. They run when what holds them ends.",
                headers={"Retry-After": "60"},
            )

    def _recount(self) -> None:
        with self._lock:
            since = dict(self._since)
            limits = dict(self._limits)
        try:
            size = committer().ask(_table_size)
            near = [tenant_id for tenant_id, lot in limits.items() if lot * SMALLEST_EVENT <= size]
            counted = _count(near) if near else {}
        except Unavailable:
            return
        except Exception:
            logger.exception("The waiting events could not be counted")
            return
        with self._lock:
            self._counted = counted
            # What came while we counted may be counted twice until the next time; better than not at all.
            for tenant_id, events in since.items():
                self._since[tenant_id] -= events
            self._since = {tenant_id: events for tenant_id, events in self._since.items() if events}
            if len(self._limits) > 10_000:
                self._limits = {}


def admit(hook: Hook, events: int) -> None:
    """Let a delivery of so many events in. Raises ``RateExceeded`` or ``LotFull``."""
    now = time.monotonic()
    ceilings.take(hook.tenant_id, events, rate=hook.rate, now=now)
    lots.take(hook.tenant_id, events, lot=hook.lot, now=now)


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
