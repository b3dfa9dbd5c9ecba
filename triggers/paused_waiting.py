"""What waits for paused triggers, and how long it will take to run once they are resumed."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from django.db import connection

from logs.vocabulary import duration, plural
from tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from triggers.trigger_figures import Figures

MOST = 10_000  # executions, and events behind them
SETTLE_MS = 40.0  # of an execution, beside its script: the claim, the jail and the settle

# Executions were claimed with their events and wait whole. Later events of the same records wait behind.
_WAITING = """
WITH held AS MATERIALIZED (
    SELECT id, tenant_id, lane_id, trigger, size, record_ids, created_at FROM public.triggers_execution
    WHERE status = 'queued' AND lane_id IS NOT NULL AND replay_of_id IS NULL AND trigger = ANY(%(triggers)s)
      AND (%(tenant)s::bigint IS NULL OR tenant_id = %(tenant)s)
    ORDER BY id LIMIT %(most)s
),
behind AS (
    SELECT held.trigger, count(DISTINCT live.id) AS events
    FROM held CROSS JOIN LATERAL unnest(held.record_ids) AS record (id)
    JOIN (
        SELECT id, lane_id, record_id FROM public.triggers_liveevent
        WHERE status = 'queued' AND lane_id IN (SELECT lane_id FROM held) ORDER BY id LIMIT %(most)s
    ) live ON live.lane_id = held.lane_id AND live.record_id = record.id
    GROUP BY held.trigger
)
SELECT held.trigger, count(*), sum(held.size)::int, min(held.created_at), count(DISTINCT held.lane_id),
       count(DISTINCT held.tenant_id), coalesce((SELECT events FROM behind WHERE trigger = held.trigger), 0)
FROM held GROUP BY held.trigger
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The executions of one paused trigger, and the later events of their records."""

    executions: int = 0
    in_executions: int = 0  # events
    since: datetime | None = None
    lanes: int = 0
    tenants: int = 0
    behind: int = 0  # events not claimed yet

    @property
    def events(self) -> int:
        return self.in_executions + self.behind

    @property
    def is_cut(self) -> bool:
        """There are more than were counted."""
        return self.executions >= MOST

    @property
    def told(self) -> str:
        """``12 events wait``."""
        more = "+" if self.is_cut else ""
        return f"{self.events:,}{more} event{' waits' if self.events == 1 else 's wait'}"

    def drain_ms(self, figures: Figures) -> float | None:
        """How long it takes to run, as its executions lately went; None while it never ran."""
        if figures.mean_ms is None:
            return None
        batch = max(1.0, figures.batch)
        executions = self.executions + ceil(self.behind / batch)
        return executions * (figures.mean_ms + SETTLE_MS) / max(1, self.lanes)

    def sentence(self, figures: Figures) -> str:
        """What waits and how long it will take, for people."""
        if not self.executions:
            return "Nothing waits for it."
        took = self.drain_ms(figures)
        if took is None:
            return f"{self.told}; how long they take is not known, for it has not run yet."
        return f"{self.told}; about {_about(took)} after resuming."


def of(triggers: Iterable[str]) -> dict[str, Waiting]:
    """What waits for each of these triggers, for the tenant in scope or for all: one bounded query."""
    names = list(triggers)
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"triggers": names, "tenant": current_tenant_id(), "most": MOST})
        return {name: Waiting(*rest) for name, *rest in cursor.fetchall()}


def _about(milliseconds: float) -> str:
    """Rounded up to what a person would say."""
    seconds = ceil(milliseconds / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return plural(ceil(seconds / 60), "minute")
    return duration(seconds * 1000)
