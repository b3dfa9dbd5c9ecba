"""What deliveries leave behind goes when its time is over: dedup keys, refused bodies, counts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from triggers.delivery_refused import KEPT

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

COUNTS_KEPT = timedelta(days=90)
CHUNK = 10_000  # rows of one statement: no long transaction touches the path of webhooks
MOST_CHUNKS = 100

# It waits for no row that a webhook holds, so the two never wait for one another.
_EXPIRED = """
DELETE FROM triggers_dedup WHERE (connection_id, key) IN (
    SELECT connection_id, key FROM triggers_dedup WHERE expires_at < %s ORDER BY expires_at LIMIT %s
    FOR UPDATE SKIP LOCKED)
"""


def sweep(cursor: Cursor, *, at: datetime) -> int:
    """Delete what is over, in autocommit and in small pieces. The number of rows deleted."""
    cursor.execute("DELETE FROM triggers_refuseddelivery WHERE received_at < %s", (at - KEPT,))
    deleted: int = cursor.rowcount
    cursor.execute("DELETE FROM triggers_refusedcount WHERE refused_on < %s", ((at - COUNTS_KEPT).date(),))
    deleted += cursor.rowcount
    for _ in range(MOST_CHUNKS):
        cursor.execute(_EXPIRED, (at, CHUNK))
        deleted += cursor.rowcount
        if cursor.rowcount < CHUNK:
            break
    return deleted
