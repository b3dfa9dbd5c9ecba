"""What a connection's pages say of its past: the import, the first scores, and what its CRM did not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection as database

from tenants.records import store
from tenants.scope import tenant_scope
from triggers import completeness
from triggers.backfill import SCORE
from triggers.models import Backfill, BackfillState, Reconciliation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Connection
    from triggers.completeness import Completeness

_PLURALS = {"Contact": "Contacts", "Opportunity": "Opportunities", "Appointment": "Appointments"}
_OPEN = {BackfillState.QUEUED, BackfillState.RUNNING}


@dataclass(frozen=True, slots=True)
class Part:
    """One object's import."""

    name: str
    state: str
    read: int
    total: int | None
    unfit: int
    problem: str
    share: int  # percent, for the bar

    @property
    def text(self) -> str:
        if self.state == BackfillState.QUEUED and not self.read:
            return "waits for its turn"
        of = f" of {self.total:,}" if self.total and self.state != BackfillState.FINISHED else ""
        unfit = f", {self.unfit:,} not readable" if self.unfit else ""
        return f"{self.read:,}{of}{unfit}"

    @property
    def symbol(self) -> str:
        return {"finished": "✓", "failed": "✕", "running": "▸"}.get(self.state, "○")


@dataclass(frozen=True, slots=True)
class Screen:
    """The dry scores of the newest leads."""

    leads: int
    hot: int
    won: int
    won_hot: int
    grades: list[tuple[str, int, int]]  # grade, leads, percent of all
    best: list[dict[str, Any]]

    @property
    def sentence(self) -> str:
        """Never a promise without its numbers."""
        if not self.leads:
            return "There are no leads to score yet."
        said = f"Your last {self.leads:,} leads, scored" if self.leads > 1 else "Your one lead, scored"
        if not self.won:
            return (
                f"{said}: {self.hot:,} of them are hot. None of them has a won opportunity to compare with."
            )
        return f"{said}: of {self.won:,} won, {self.won_hot:,} would have been hot."


@dataclass(frozen=True, slots=True)
class History:
    """All of it, for portal, console and REST."""

    parts: list[Part] = field(default_factory=list)
    screen: Screen | None = None
    problem: str = ""
    is_open: bool = False
    share: int = 0
    is_scoring: bool = False
    completeness: Completeness = field(default_factory=lambda: completeness.Completeness(0, 0))
    looked_at: datetime | None = None  # when the last whole round ended
    look_problem: str = ""

    @property
    def is_known(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.parts)


def of(connection: Connection, *, at: datetime, with_names: bool = True) -> History:
    """A connection's history: three queries, and one for the names of its best leads."""
    with tenant_scope(connection.tenant_id):
        rows = list(Backfill.objects.filter(connection=connection).order_by("position"))
        look = Reconciliation.objects.filter(connection=connection).first()
    if not rows and look is None:
        return History()
    objects = [row for row in rows if row.object != SCORE]
    parts = [_part(row) for row in objects]
    scored = next((row for row in rows if row.object == SCORE), None)
    return History(
        parts=parts,
        screen=_screen(connection, scored.report, with_names=with_names)
        if scored and scored.report
        else None,
        problem=next((f"{_named(row)}: {row.problem}" for row in rows if row.problem), ""),
        is_open=any(row.state in _OPEN for row in rows),
        share=sum(part.share for part in parts) // len(parts) if parts else 0,
        is_scoring=scored is not None
        and scored.state in _OPEN
        and not any(row.state in _OPEN for row in objects),
        completeness=completeness.of(connection, at=at),
        looked_at=look.finished_at if look else None,
        look_problem=look.problem if look else "",
    )


def _named(row: Backfill) -> str:
    return "Scoring" if row.object == SCORE else _PLURALS.get(row.object, row.object)


def _part(row: Backfill) -> Part:
    share = 0
    if row.state == BackfillState.FINISHED:
        share = 100
    elif row.total:
        share = min(99, 100 * row.read // row.total)
    elif row.read:
        share = 50  # the CRM does not say of how many
    return Part(_named(row), row.state, row.read, row.total, row.unfit, row.problem, share)


def _screen(connection: Connection, report: Mapping[str, Any], *, with_names: bool) -> Screen:
    leads = report["leads"]
    best = [dict(each) for each in report["best"]]
    if with_names and best:
        with database.cursor() as cursor:
            known = store.get(
                cursor,
                schema=connection.tenant.schema_name,
                object="Contact",
                ids=[each["id"] for each in best],
            )
        for each in best:
            each["name"] = _name(known.get(each["id"]) or {})
    grades = [
        (grade, number, round(100 * number / leads)) for grade, number in sorted(report["grades"].items())
    ]
    return Screen(leads, report["hot"], report["won"], report["won_hot"], grades, best)


def _name(contact: Mapping[str, Any]) -> str:
    parts = [str(contact.get(key) or "") for key in ("first_name", "last_name")]
    return " ".join(filter(None, parts)) or str(contact.get("name") or contact.get("email") or "")
