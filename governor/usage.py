"""Usage: what tenants used, counted in the transaction of what they used it for.

Lock order: lane, then the usage of the month, then that of its days: one that settles yesterday's and starts
today's holds the month first, so that no other can hold today's and wait for it. Call late in a transaction:
until it ends, other executions of the tenant wait to start or settle.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from governor import notices
from governor.calendar import month_of
from governor.choices import Charge, Period
from governor.quotas import Counters, Grant, Hold, Quota, Refusal, Spent, decide

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

_USED = ("executions", "api_calls", "ai_tokens", "ai_cost_micros")
_FIELDS = (*_USED, "held_executions", "held_calls", "held_tokens")
_LOCK = f"""
SELECT period, {", ".join(_FIELDS)} FROM public.governor_usage
WHERE tenant_id = %s AND ((period = 'd' AND starts_on = %s) OR (period = 'm' AND starts_on = %s))
ORDER BY period DESC FOR UPDATE
"""  # noqa: S608  # constants of this module
_READ = _LOCK.replace("ORDER BY period DESC FOR UPDATE", "")
_MAKE = """
INSERT INTO public.governor_usage (tenant_id, period, starts_on, executions, api_calls, ai_tokens,
    ai_cost_micros, held_executions, held_calls, held_tokens)
VALUES (%s, %s, %s, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (tenant_id, period, starts_on) DO NOTHING
"""
_HOLD = """
UPDATE public.governor_usage SET held_executions = held_executions + %s, held_calls = held_calls + %s,
    held_tokens = held_tokens + %s
WHERE tenant_id = %s AND ((period = 'd' AND starts_on = %s) OR (period = 'm' AND starts_on = %s))
"""
# In one round trip: other executions of the tenant wait for it. Gives what was counted before.
_CHARGE = f"""
WITH counted AS (
    SELECT id, period, {", ".join(_FIELDS)} FROM public.governor_usage
    WHERE tenant_id = %(tenant)s
      AND ((period = 'd' AND starts_on = %(on)s) OR (period = 'm' AND starts_on = %(month)s))
    ORDER BY period DESC FOR UPDATE
),
added AS (
    UPDATE public.governor_usage usage
    SET {", ".join(f"{name} = usage.{name} + %({name})s" for name in _FIELDS)}
    FROM counted WHERE usage.id = counted.id
),
charged AS (
    INSERT INTO public.governor_charged
        (tenant_id, "on", at, kind, execution, trigger, executions, api_calls, ai_tokens, ai_cost_micros)
    VALUES (%(tenant)s, %(on)s, %(at)s, %(kind)s, %(execution)s, %(trigger)s, %(executions)s, %(api_calls)s,
            %(ai_tokens)s, %(ai_cost_micros)s)
)
SELECT period, {", ".join(_FIELDS)} FROM counted
"""  # noqa: S608


class NothingHeld(Exception):
    """Something was charged for a day for which nothing was held: a fault of ours."""


def read(cursor: Any, *, tenant_id: int, on: date) -> tuple[Counters, Counters]:
    """The day's and the month's usage, without a lock."""
    return _both(cursor, _READ, tenant_id, on)


def reserve(
    cursor: Any,
    *,
    tenant_id: int,
    on: date,
    quota: Quota,
    executions: int,
    calls: int,
    ai_tokens: int = 0,
    least_calls: int = 0,
) -> Grant | Refusal:
    """Hold what an execution may use, or say what is used up. Call inside a transaction."""
    day, month = _locked(cursor, tenant_id, on)
    decision = decide(
        day,
        month,
        quota,
        executions=executions,
        calls=calls,
        ai_tokens=ai_tokens,
        least_calls=least_calls,
    )
    if isinstance(decision, Grant) and decision.hold != Hold():
        _hold(cursor, tenant_id, on, decision.hold, sign=1)
    return decision


def give_back(cursor: Any, *, tenant_id: int, on: date, hold: Hold) -> None:
    """Return what was held and never used: nothing ran."""
    if hold != Hold():
        _locked(cursor, tenant_id, on)
        _hold(cursor, tenant_id, on, hold, sign=-1)


def charge(
    cursor: Any,
    *,
    tenant_id: int,
    on: date,
    hold: Hold,
    spent: Spent,
    quota: Quota,
    kind: Charge = Charge.EXECUTION,
    execution: UUID | None = None,
    trigger: str = "",
    at: datetime,
) -> None:
    """Count what was used of what was held, write it to the ledger, and note thresholds that were passed.

    Raises ``NothingHeld`` for a hold that nobody made.
    """
    if spent == Spent():
        give_back(cursor, tenant_id=tenant_id, on=on, hold=hold)
        return
    if hold == Hold():
        _locked(cursor, tenant_id, on)  # its counters may have to be made
    cursor.execute(
        _CHARGE,
        {
            "tenant": tenant_id,
            "on": on,
            "month": month_of(on),
            "at": at,
            "kind": kind.value,
            "execution": str(execution) if execution else None,
            "trigger": trigger,
            **asdict(spent),
            "held_executions": -hold.executions,
            "held_calls": -hold.calls,
            "held_tokens": -hold.tokens,
        },
    )
    rows = cursor.fetchall()
    if len(rows) != len(Period):
        # Then the ledger would know of it and the counters not: the caller's transaction must not stand.
        raise NothingHeld(f"Nothing was held by tenant {tenant_id} for {on}.")
    for period, *values in rows:
        before = Counters(*values)
        notices.thresholds(
            cursor,
            tenant_id=tenant_id,
            on=on if period == Period.DAY else month_of(on),
            period=Period(period),
            before=before,
            after=before.spend(hold, spent),
            quota=quota,
            at=at,
        )


def spend_call(
    cursor: Any, *, tenant_id: int, on: date, quota: Quota, at: datetime, calls: int = 1
) -> Refusal | None:
    """Count requests of the outbox before they are sent; a refusal says what is used up."""
    decision = reserve(
        cursor, tenant_id=tenant_id, on=on, quota=quota, executions=0, calls=calls, least_calls=calls
    )
    if isinstance(decision, Refusal):
        notices.used_up(cursor, tenant_id=tenant_id, on=on, refusal=decision, at=at)
        return decision
    charge(
        cursor,
        tenant_id=tenant_id,
        on=on,
        hold=decision.hold,
        spent=Spent(api_calls=calls),
        quota=quota,
        kind=Charge.OUTBOX,
        at=at,
    )
    return None


def _locked(cursor: Any, tenant_id: int, on: date) -> tuple[Counters, Counters]:
    return _both(cursor, _LOCK, tenant_id, on, makes=True)


def _both(
    cursor: Any, statement: str, tenant_id: int, on: date, *, makes: bool = False
) -> tuple[Counters, Counters]:
    month = month_of(on)
    cursor.execute(statement, [tenant_id, on, month])
    rows = cursor.fetchall()
    if len(rows) < 2 and makes:
        # The month's first, and locked before the day's is made: a new row is a lock as well.
        for period, starts_on in ((Period.MONTH, month), (Period.DAY, on)):
            cursor.execute(_MAKE, [tenant_id, period.value, starts_on])
            cursor.execute(statement, [tenant_id, on, month])
            rows = cursor.fetchall()
    found = {period: Counters(*values) for period, *values in rows}
    return found.get(Period.DAY.value, Counters()), found.get(Period.MONTH.value, Counters())


def _hold(cursor: Any, tenant_id: int, on: date, hold: Hold, *, sign: int) -> None:
    held = [sign * amount for amount in (hold.executions, hold.calls, hold.tokens)]
    cursor.execute(_HOLD, [*held, tenant_id, on, month_of(on)])
