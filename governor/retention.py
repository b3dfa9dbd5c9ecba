"""Retention: the ledger and notices are kept so long that a year can be compared with the one before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

LEDGER_DAYS = 400
AT_A_TIME = 10_000  # rows a round, so that no statement holds others up

# The oldest come first, so that a table without any to delete is not read to its end.
_SWEEP = """
DELETE FROM public.{table}
WHERE id IN (SELECT id FROM (SELECT id, {column} FROM public.{table} ORDER BY id LIMIT %s) oldest
             WHERE {column} < %s)
"""
_TABLES = (("governor_charged", "at"), ("governor_notice", "created_at"))


def sweep(cursor: Any, *, at: datetime) -> int:
    """Delete a portion of what is past its time. Returns how many rows went."""
    gone = 0
    for table, column in _TABLES:
        cursor.execute(
            _SWEEP.format(table=table, column=column), [AT_A_TIME, at - timedelta(days=LEDGER_DAYS)]
        )
        gone += int(cursor.rowcount)
    return gone
