"""Day partitions of events and traces: made a week ahead, dropped in milliseconds when their time is over."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from psycopg2 import sql

from logs.traces import TRACE_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS_AHEAD = 7
EVENT_DAYS = 30  # how long an event and its body are kept
LOCK_ID = 727_001  # one process at a time, of those that share the database
LOCK_TIMEOUT = "2s"  # rather try again later than stand in the live queue's way


@dataclass(frozen=True)
class Partitioned:
    """A table cut into days."""

    table: str
    key: str
    keep_days: int


TABLES = (
    Partitioned("triggers_event_past", "received_at", EVENT_DAYS),
    Partitioned("logs_trace", "started_at", TRACE_DAYS),
)


@dataclass
class Report:
    """What one call did."""

    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    moved: int = 0  # rows taken out of a DEFAULT partition
    is_busy: bool = False  # another process was at it


def ensure(at: datetime) -> Report:
    """Make the partitions of the next days, empty the DEFAULT ones, drop days older than they are kept.

    Safe to call from several processes at once and as often as one likes. Each day is one transaction.
    """
    report = Report()
    with _alone() as is_alone:
        if not is_alone:
            report.is_busy = True
            return report
        for table in TABLES:
            today = at.astimezone(UTC).date()
            for day in [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]:
                _make(table, day, report)
            for day in _days_in_default(table):
                _make(table, day, report)
            for name, day in days_of(table.table).items():
                if day < today - timedelta(days=table.keep_days):
                    _drop(table, name, report)
    return report


def days_of(table: str) -> dict[str, date]:
    """The day partitions that stand, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
            " WHERE inhparent = to_regclass(%s) ORDER BY child.relname",
            [f"public.{table}"],
        )
        names = [name for (name,) in cursor.fetchall()]
    pattern = re.compile(rf"{table}_(\d{{8}})")
    found = [pattern.fullmatch(name) for name in names]
    return {
        match[0]: datetime.strptime(match[1], "%Y%m%d").replace(tzinfo=UTC).date() for match in found if match
    }


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_ID])
        is_alone = bool(cursor.fetchone()[0])
        try:
            yield is_alone
        finally:
            if is_alone:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_ID])


def _make(table: Partitioned, day: date, report: Report) -> None:
    name = f"{table.table}_{day:%Y%m%d}"
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    names: dict[str, Any] = {
        "parent": sql.Identifier("public", table.table),
        "default": sql.Identifier("public", f"{table.table}_default"),
        "child": sql.Identifier("public", name),
        "key": sql.Identifier(table.key),
        "start": sql.Literal(start),
        "end": sql.Literal(start + timedelta(days=1)),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"public.{name}"])
        if cursor.fetchone()[0]:
            return
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        # ATTACH, unlike CREATE … PARTITION OF, locks no reader or writer of the other days out. The DEFAULT
        # partition is held, so that no row of this day slips in between the move and the attaching.
        cursor.execute(sql.SQL("LOCK TABLE {default} IN ACCESS EXCLUSIVE MODE").format(**names))
        cursor.execute(
            sql.SQL("CREATE TABLE {child} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)").format(
                **names
            )
        )
        cursor.execute(
            sql.SQL(
                "WITH moved AS (DELETE FROM {default} WHERE {key} >= {start} AND {key} < {end} RETURNING *)"
                " INSERT INTO {child} SELECT * FROM moved"
            ).format(**names)
        )
        report.moved += cursor.rowcount
        cursor.execute(
            sql.SQL(
                "ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES FROM ({start}) TO ({end})"
            ).format(**names)
        )
    report.made.append(name)


def _days_in_default(table: Partitioned) -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("SELECT DISTINCT ({key} AT TIME ZONE 'UTC')::date FROM {default} ORDER BY 1").format(
                key=sql.Identifier(table.key), default=sql.Identifier("public", f"{table.table}_default")
            )
        )
        return [day for (day,) in cursor.fetchall()]


def _drop(table: Partitioned, name: str, report: Report) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        cursor.execute(sql.SQL("DROP TABLE {child}").format(child=sql.Identifier("public", name)))
    report.dropped.append(name)
