"""Usage over days of the tenant's calendar: from the counters by day, from the ledger by trigger."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils.dateparse import parse_date

from governor.calendar import day_of, month_of
from tenants.exports import harmless
from triggers.filters import BadFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tenants.models import Tenant

MOST_DAYS = 400
MOST_TRIGGERS = 1_000
MOST_LINES = 50_000  # of a CSV file
CRM_WRITES = "CRM writes"  # what the outbox sent belongs to no single trigger
FIELDS = ("executions", "api_calls", "ai_tokens", "ai_cost")
YEARS = range(2000, 2101)

_BY_DAY = """
SELECT starts_on, executions, api_calls, ai_tokens, ai_cost_micros FROM public.governor_usage
WHERE tenant_id = %s AND period = 'd' AND starts_on BETWEEN %s AND %s
"""
_SUMS = "sum(executions), sum(api_calls), sum(ai_tokens), sum(ai_cost_micros)"
_BY_TRIGGER = f"""
SELECT trigger, kind, {_SUMS} FROM public.governor_charged
WHERE tenant_id = %s AND "on" BETWEEN %s AND %s
GROUP BY trigger, kind ORDER BY sum(executions) DESC, sum(api_calls) DESC, trigger LIMIT %s
"""  # noqa: S608  # constants of this module
_BY_BOTH = f"""
SELECT "on", trigger, kind, {_SUMS} FROM public.governor_charged
WHERE tenant_id = %s AND "on" BETWEEN %s AND %s
GROUP BY "on", trigger, kind ORDER BY "on", trigger, kind LIMIT %s
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Days:
    """From one day to another, both included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1))


@dataclass(frozen=True, slots=True)
class Sums:
    """What was used."""

    executions: int = 0
    api_calls: int = 0
    ai_tokens: int = 0
    ai_cost_micros: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.executions + other.executions,
            self.api_calls + other.api_calls,
            self.ai_tokens + other.ai_tokens,
            self.ai_cost_micros + other.ai_cost_micros,
        )

    def as_dict(self) -> dict[str, Any]:
        """The cost is in dollars, as text: no binary fraction can hold a cent."""
        cost = f"{self.ai_cost_micros // 10**6}.{self.ai_cost_micros % 10**6:06d}"
        return dict(zip(FIELDS, (self.executions, self.api_calls, self.ai_tokens, cost), strict=True))


def wanted_days(start: str, end: str, *, tenant: Tenant, at: datetime) -> Days:
    """The days a query string asks for; by default the month so far. Raises ``BadFilter``."""
    today = day_of(at, tenant.timezone)
    last = _day("to", end) if end else today
    first = _day("from", start) if start else min(month_of(today), last)
    if first > last:
        raise BadFilter("from", f"this is after the last day, {last}.")
    if (last - first).days >= MOST_DAYS:
        raise BadFilter("from", f"ask for at most {MOST_DAYS} days at once.")
    return Days(first, last)


def by_day(tenant: Tenant, days: Days) -> dict[date, Sums]:
    """Each of the days with what was used, those without use included: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_DAY, [tenant.pk, days.first, days.last])
        found = {on: Sums(*map(int, sums)) for on, *sums in cursor.fetchall()}
    return {on: found.get(on, Sums()) for on in days}


def by_trigger(tenant: Tenant, days: Days, *, most: int = MOST_TRIGGERS) -> list[tuple[str, Sums]]:
    """What each trigger used, the busiest first: one query."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_TRIGGER, [tenant.pk, days.first, days.last, most])
        return [(trigger or CRM_WRITES, Sums(*map(int, sums))) for trigger, _, *sums in cursor.fetchall()]


def usage_report(tenant: Tenant, days: Days) -> dict[str, Any]:
    """The API's document."""
    used = by_day(tenant, days)
    return {
        "tenant": tenant.slug,
        "timezone": tenant.timezone,
        "from": days.first,
        "to": days.last,
        "totals": sum(used.values(), Sums()).as_dict(),
        "days": [{"on": on, **sums.as_dict()} for on, sums in used.items()],
        "triggers": [{"trigger": name, **sums.as_dict()} for name, sums in by_trigger(tenant, days)],
    }


def usage_csv(tenant: Tenant, days: Days) -> str:
    """A line for each day and trigger. Raises ``BadFilter`` when there are too many."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_BOTH, [tenant.pk, days.first, days.last, MOST_LINES + 1])
        found = cursor.fetchall()
    if len(found) > MOST_LINES:
        raise BadFilter("from", f"these days come to more than {MOST_LINES:,} lines; ask for fewer.")
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["on", "trigger", *FIELDS])
    for on, trigger, _, *sums in found:
        figures = Sums(*map(int, sums)).as_dict().values()
        lines.writerow([on.isoformat(), harmless(trigger or CRM_WRITES), *figures])
    return text.getvalue()


def file_name(tenant: Tenant, days: Days) -> str:
    """How a download of the days is called."""
    return f"usage-{tenant.slug}-{days.first}-{days.last}.csv"


def _day(name: str, text: str) -> date:
    try:
        found = parse_date(text.strip())
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise BadFilter(name, "write a day, such as 2026-03-02.")
    return found
