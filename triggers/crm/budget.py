"""Rate budgets: a request asks for its turn first, in one statement, whichever worker makes it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction

from tenants.choices import CRM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.models import Connection

# A row is made on first use, and refilled as time went by. What comes back: the seconds to wait, 0 = go.
_TAKE = """
INSERT INTO public.triggers_ratebudget AS budget
    (connection_id, tokens, filled_at, held_until, day, used_today)
VALUES (%(connection)s, %(burst)s - 1, clock_timestamp(), NULL,
        (clock_timestamp() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (connection_id) DO UPDATE SET
    tokens = least(%(burst)s, budget.tokens
        + extract(epoch FROM clock_timestamp() - budget.filled_at) * %(rate)s) - 1,
    filled_at = clock_timestamp(),
    day = (clock_timestamp() AT TIME ZONE 'UTC')::date,
    used_today = CASE WHEN budget.day = (clock_timestamp() AT TIME ZONE 'UTC')::date
                      THEN budget.used_today ELSE 0 END + 1
WHERE (budget.held_until IS NULL OR budget.held_until <= clock_timestamp())
  AND least(%(burst)s, budget.tokens
        + extract(epoch FROM clock_timestamp() - budget.filled_at) * %(rate)s) >= 1
  AND (budget.day < (clock_timestamp() AT TIME ZONE 'UTC')::date OR budget.used_today < %(daily)s)
RETURNING 0
"""
_WAIT = """
SELECT greatest(
    coalesce(extract(epoch FROM held_until - clock_timestamp()), 0),
    (1 - least(%(burst)s, tokens + extract(epoch FROM clock_timestamp() - filled_at) * %(rate)s)) / %(rate)s,
    CASE WHEN day = (clock_timestamp() AT TIME ZONE 'UTC')::date AND used_today >= %(daily)s
         THEN extract(epoch FROM ((day + 1)::timestamp AT TIME ZONE 'UTC') - clock_timestamp()) ELSE 0 END,
    0.01)::float8
FROM public.triggers_ratebudget WHERE connection_id = %(connection)s
"""
_HOLD = """
INSERT INTO public.triggers_ratebudget AS budget
    (connection_id, tokens, filled_at, held_until, day, used_today)
VALUES (%(connection)s, 0, clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s),
        (clock_timestamp() AT TIME ZONE 'UTC')::date, 0)
ON CONFLICT (connection_id) DO UPDATE SET
    held_until = greatest(budget.held_until, clock_timestamp() + make_interval(secs => %(seconds)s))
"""


@dataclass(frozen=True)
class Budget:
    """``burst`` requests at once, ``rate`` a second after them, ``daily`` in a day (UTC)."""

    burst: float
    rate: float
    daily: int


# HighLevel documents 100 requests in 10 s and 200,000 a day for each app and location; HubSpot 110 in 10 s
# for an app, 100 for a free private one. A little is left for whoever else uses the account.
BUDGETS: Mapping[str, Budget] = {
    CRM.GOHIGHLEVEL.value: Budget(burst=50, rate=5, daily=190_000),
    CRM.HUBSPOT.value: Budget(burst=50, rate=5, daily=240_000),
}
UNKNOWN = Budget(burst=10, rate=2, daily=50_000)


def take(cursor: Any, connection_id: int, budget: Budget) -> float:
    """Take a turn. Returns 0.0, or the seconds until it is worth asking again: then none was taken."""
    said = {
        "connection": connection_id,
        "burst": budget.burst,
        "rate": budget.rate,
        "daily": budget.daily,
    }
    cursor.execute(_TAKE, said)
    if cursor.fetchone() is not None:
        return 0.0
    cursor.execute(_WAIT, said)
    (seconds,) = cursor.fetchone()
    return float(seconds)


def wait_for_turn(cursor: Any, connection: Connection, *, patience: float) -> float:
    """Take a turn, waiting so many seconds for it. Returns 0.0, or how long it would have taken."""
    allowed = BUDGETS.get(connection.crm, UNKNOWN)
    until = time.monotonic() + patience
    while True:
        with transaction.atomic():
            seconds = take(cursor, connection.pk, allowed)
        if not seconds or time.monotonic() + seconds > until:
            return seconds
        time.sleep(seconds)


def hold(cursor: Any, connection_id: int, *, seconds: float) -> None:
    """The CRM asks to be left alone for so long: no worker calls it before."""
    cursor.execute(_HOLD, {"connection": connection_id, "seconds": max(0.0, seconds)})
