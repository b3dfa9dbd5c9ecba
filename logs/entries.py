"""The log lines of executions, found by level and words and cut short: for those who watch many at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from tenants.scope import current_tenant_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

LEVELS = ("debug", "info", "warning", "error")
MOST = 8  # lines of one execution, the newest
LONGEST = 400
CLOCK_SKEW = timedelta(hours=1)

_ENTRIES = """
SELECT trace.execution, line.level, line.message, line.data
FROM public.logs_trace trace CROSS JOIN LATERAL (
    SELECT number, entry ->> 'level' AS level, left(entry ->> 'message', %(longest)s) AS message,
           left(nullif(entry -> 'data', 'null'::jsonb)::text, %(longest)s) AS data
    FROM jsonb_array_elements(trace.entries) WITH ORDINALITY AS entries (entry, number)
    WHERE (entry ->> 'level') = ANY(%(levels)s)
      AND (%(text)s = '' OR strpos(lower(entry ->> 'message'), lower(%(text)s)) > 0
           OR strpos(lower(entry ->> 'data'), lower(%(text)s)) > 0)
    ORDER BY number DESC LIMIT %(most)s
) line
WHERE trace.execution = ANY(%(codes)s::uuid[]) AND trace.started_at >= %(since)s
  AND (%(tenant)s::bigint IS NULL OR trace.tenant_id = %(tenant)s)
ORDER BY line.number
"""


@dataclass(frozen=True)
class Entry:
    """A line a script wrote, as it was masked when it was stored."""

    level: str
    message: str
    data: str


def of(
    codes: Sequence[UUID], *, since: datetime, level: str = "debug", text: str = "", most: int = MOST
) -> dict[UUID, list[Entry]]:
    """The newest lines of each execution that have at least this level and hold the text: one query."""
    if not codes:
        return {}
    asked: dict[str, Any] = {
        "codes": [str(code) for code in codes],
        "since": since - CLOCK_SKEW,
        "levels": list(LEVELS[LEVELS.index(level) :]),
        "text": text,
        "longest": LONGEST,
        "most": most,
        "tenant": current_tenant_id(),
    }
    found: dict[UUID, list[Entry]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_ENTRIES, asked)
        for code, written, message, data in cursor.fetchall():
            found.setdefault(code, []).append(Entry(written, message or "", data or ""))
    return found
