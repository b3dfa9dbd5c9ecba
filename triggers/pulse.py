"""Summing up: five minutes of executions in one row, so that a week's charts cost two thousand rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

STEP = timedelta(minutes=5)
KEPT = timedelta(days=35)
# Executions end after they begin: so long the sums of their five minutes are taken anew.
OPEN = timedelta(minutes=20)
FARTHEST = timedelta(days=1)  # back, after nobody took the pulse for long
# A length of time in milliseconds falls into one of STEPS by its logarithm; each is 22 % longer than the one
# before, so that a percentile read from them is off by a tenth at most. The last holds all longer ones.
STEPS = 64
LONGEST_MS = 300_000
_RATIO = math.log(LONGEST_MS) / (STEPS - 1)
SAMPLE = 5_000  # executions whose way from webhook to result is looked up, the newest

_SUM = """
WITH edge AS (
    SELECT coalesce((SELECT id FROM public.triggers_execution WHERE created_at < %(since)s
                     ORDER BY id DESC LIMIT 1), 0) AS id
),
recent AS MATERIALIZED (
    SELECT id, date_bin('5 minutes', created_at, 'epoch') AS bin, status, mode, ok, wall_ms, finished_at,
           event_ids[1] AS event_id
    FROM public.triggers_execution
    WHERE id > (SELECT id FROM edge) AND created_at >= %(since)s AND created_at < %(until)s
),
answer AS (
    SELECT recent.bin, extract(epoch FROM recent.finished_at - event.received_at) * 1000 AS ms
    FROM (SELECT * FROM recent WHERE mode = 'live' AND finished_at IS NOT NULL AND event_id IS NOT NULL
          ORDER BY id DESC LIMIT %(sample)s) recent
    JOIN public.triggers_event_past event ON event.id = recent.event_id
    WHERE event.received_at >= %(since)s - interval '1 day' AND event.origin = 'live'
),
length AS (
    SELECT 'ran' AS name, bin, wall_ms::float8 AS ms FROM recent WHERE wall_ms IS NOT NULL
    UNION ALL SELECT 'answered', bin, ms::float8 FROM answer
),
step AS (
    SELECT name, bin, least(%(last)s, greatest(0, ceil(ln(greatest(ms, 1)) / %(ratio)s)))::int AS step,
           count(*)::int AS n
    FROM length GROUP BY 1, 2, 3
),
histogram AS (
    SELECT name, bin, array_agg(n ORDER BY place) AS counts FROM (
        SELECT each.name, each.bin, place, coalesce(step.n, 0) AS n
        FROM (SELECT DISTINCT name, bin FROM step) each CROSS JOIN generate_series(0, %(last)s) place
        LEFT JOIN step ON step.name = each.name AND step.bin = each.bin AND step.step = place
    ) filled GROUP BY name, bin
),
total AS (
    SELECT bin, count(*)::int AS executions,
           (count(*) FILTER (WHERE status IN ('failed', 'partial')))::int AS failed,
           coalesce(sum(ok) FILTER (WHERE status <> 'bisected'), 0)::int AS records
    FROM recent GROUP BY bin
)
INSERT INTO public.triggers_pulse AS pulse (at, executions, failed, records, ran, answered)
SELECT total.bin, total.executions, total.failed, total.records, coalesce(ran.counts, '{}'),
       coalesce(answered.counts, '{}')
FROM total
LEFT JOIN histogram ran ON ran.bin = total.bin AND ran.name = 'ran'
LEFT JOIN histogram answered ON answered.bin = total.bin AND answered.name = 'answered'
ON CONFLICT (at) DO UPDATE SET executions = excluded.executions, failed = excluded.failed,
    records = excluded.records, ran = excluded.ran, answered = excluded.answered
"""
_NEWEST = "SELECT max(at) FROM public.triggers_pulse WHERE executions > 0"
_LOOK = """
INSERT INTO public.triggers_pulse AS pulse (at, ran, answered, looked, well)
VALUES (date_bin('5 minutes', %(at)s, 'epoch'), '{}', '{}', %(bit)s, %(well)s)
ON CONFLICT (at) DO UPDATE SET looked = pulse.looked | excluded.looked, well = pulse.well | excluded.well
"""
_FORGET = "DELETE FROM public.triggers_pulse WHERE at < %s"
_READ = """
SELECT at, executions, failed, records, ran, answered,
       bit_count(looked::int::bit(16))::int, bit_count(well::int::bit(16))::int
FROM public.triggers_pulse WHERE at >= %s AND at < %s ORDER BY at
"""


@dataclass(frozen=True)
class Beat:
    """A row of the pulse: what began in five minutes."""

    at: datetime
    executions: int
    failed: int
    records: int
    ran: list[int]
    answered: list[int]
    looked: int  # minutes
    well: int


def take(*, at: datetime, is_well: bool) -> None:
    """Sum up the last minutes anew, and note for this minute whether all parts worked.

    Any number of callers, at any time: sums are replaced, and a minute is well once it was seen well.
    """
    start = at.astimezone(UTC)
    bit = 1 << start.minute % 5
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        (newest,) = cursor.fetchone()
        since = min(at - OPEN, newest or at - FARTHEST)
        since = max(since, at - FARTHEST)
        # From the beginning of its five minutes: a row is replaced whole.
        since -= timedelta(seconds=since.timestamp() % STEP.total_seconds())
        cursor.execute(
            _SUM,
            {"since": since, "until": at, "last": STEPS - 1, "ratio": _RATIO, "sample": SAMPLE},
        )
        cursor.execute(_LOOK, {"at": at, "bit": bit, "well": bit if is_well else 0})
        cursor.execute(_FORGET, [at - KEPT])


def read(*, since: datetime, until: datetime) -> list[Beat]:
    """The rows of a span, oldest first; five minutes in which nothing ran may have none."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, [since, until])
        return [Beat(*row) for row in cursor.fetchall()]


def merged(histograms: Sequence[Sequence[int]]) -> list[int]:
    """The sum of histograms, empty ones among them."""
    filled = [each for each in histograms if each]
    return [sum(column) for column in zip(*filled, strict=True)] if filled else []


def percentile(histogram: Sequence[int], share: float) -> float | None:
    """Milliseconds that ``share`` of the counted took at most, within a tenth; None when none was counted."""
    total = sum(histogram)
    if not total:
        return None
    wanted = share * total
    passed = 0
    for step, count in enumerate(histogram):
        if count and passed + count >= wanted:
            low, high = (math.exp(max(0, step - 1) * _RATIO), math.exp(step * _RATIO))
            return low + (high - low) * max(0.0, wanted - passed) / count
        passed += count
    return float(LONGEST_MS)
