"""Webhook completeness: of the changes that a CRM should have told, how many it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Sum

from triggers.models import ArrivedDay

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Connection

DAYS = 7


@dataclass(frozen=True, slots=True)
class Completeness:
    """Changed records of seven days: told by a delivery, or found by us."""

    delivered: int
    found: int

    @property
    def percent(self) -> float | None:
        """None while nothing changed; 100 only when nothing was missed."""
        of = self.delivered + self.found
        if not of:
            return None
        return 100.0 if not self.found else min(round(100 * self.delivered / of, 2), 99.99)

    @property
    def delivered_text(self) -> str:
        return f"{self.delivered:,}"

    @property
    def found_text(self) -> str:
        return f"{self.found:,}"

    @property
    def text(self) -> str:
        return "" if self.percent is None else f"{self.percent:.2f} %" if self.found else "100 %"


def of(connection: Connection, *, at: datetime) -> Completeness:
    """One connection's."""
    return of_all([connection.pk], at=at).get(connection.pk, Completeness(0, 0))


def of_all(connection_ids: list[int], *, at: datetime) -> dict[int, Completeness]:
    """Those of a list, in one query."""
    since = (at - timedelta(days=DAYS - 1)).date()
    rows = ArrivedDay.objects.filter(connection_id__in=connection_ids, on__gte=since)
    sums = rows.values("connection_id").annotate(told=Sum("delivered"), own=Sum("found"))
    return {row["connection_id"]: Completeness(row["told"], row["own"]) for row in sums}
