"""The preview of a bulk replay: what it would run, touch and cost, before anybody starts it.

Bounded: at most ``bulk_choose.MOST`` executions, ``MOST_CHECKED`` of their records are compared with what
came later, and the database is asked for seconds, not minutes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection, transaction

from governor import policy, profiles, usage
from governor.allowances import UNLIMITED
from governor.calendar import day_of
from governor.profiles import Profile
from governor.quotas import Quota
from tenants.errors import CodedError
from triggers.bulk_choose import Choice, choose
from triggers.choices import Mode, Records
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from triggers.models import Execution

MOST_CHECKED = 5_000  # records, the newest
ENOUGH = 4 * MOST_CHECKED  # of executions' members among which they are: one record may be in many
MOST_TENANTS = 20  # whose quota is told one by one
LONGEST_MS = 8_000
LONGEST_CHECK_MS = 3_000  # of comparing with what came later; the rest is told without it

_GROUPS = """
SELECT execution.tenant_id, tenant.slug, tenant.name, execution.trigger, count(*)::int,
       sum(CASE WHEN %(failed)s AND execution.status = 'partial' THEN execution.failed
                ELSE execution.size END)::int,
       coalesce(sum((execution.usage -> 'api_calls' ->> 0)::numeric), 0)::float8,
       count(*) FILTER (WHERE execution.event_ids = '{}' OR NOT EXISTS (
           SELECT 1 FROM triggers_event event
           WHERE event.id IN (execution.event_ids[1], execution.event_ids[cardinality(execution.event_ids)])
       ))::int
FROM triggers_execution execution JOIN tenants_tenant tenant ON tenant.id = execution.tenant_id
WHERE execution.id = ANY(%(ids)s)
GROUP BY execution.tenant_id, tenant.slug, tenant.name, execution.trigger
"""
_RECORDS = """
SELECT count(*)::int FROM (
    SELECT DISTINCT execution.tenant_id, execution.object, record_id
    FROM triggers_execution execution, unnest(execution.record_ids) record_id
    WHERE execution.id = ANY(%(ids)s)
) touched
"""
# Of the newest executions, as many as hold that many records: to sort the records of all takes seconds.
# A subquery with an offset is not flattened: the index of records answers, never a walk through a trigger's.
_SINCE = """
WITH newest AS (
    SELECT id, tenant_id, object, trigger, record_ids, event_ids,
           sum(size) OVER (ORDER BY id DESC) - size AS newer
    FROM triggers_execution WHERE id = ANY(%(ids)s)
),
member AS (
    SELECT newest.id, newest.tenant_id, newest.object, newest.trigger, one.record_id, one.event_id
    FROM newest, unnest(newest.record_ids, newest.event_ids) one(record_id, event_id)
    WHERE newest.newer < %(enough)s AND one.record_id IS NOT NULL
),
pair AS MATERIALIZED (
    SELECT tenant_id, object, trigger, record_id, max(id) AS id, max(event_id) AS event_id
    FROM member GROUP BY tenant_id, object, trigger, record_id ORDER BY max(id) DESC LIMIT %(most)s
),
record AS MATERIALIZED (
    SELECT tenant_id, object, record_id, max(event_id) AS event_id
    FROM pair GROUP BY tenant_id, object, record_id
)
SELECT (SELECT count(*)::int FROM pair),
       (SELECT count(*)::int FROM record),
       (SELECT count(*)::int FROM pair WHERE EXISTS (
            SELECT 1 FROM (
                SELECT id, tenant_id, trigger, status, mode FROM triggers_execution
                WHERE record_ids @> ARRAY[pair.record_id] OFFSET 0
            ) later
            WHERE later.tenant_id = pair.tenant_id AND later.trigger = pair.trigger AND later.id > pair.id
              AND later.status = 'succeeded' AND later.mode = 'live')),
       (SELECT count(*)::int FROM (
            SELECT record.* FROM record WHERE EXISTS (
                SELECT 1 FROM triggers_event_past past
                WHERE past.tenant_id = record.tenant_id AND past.record_id = record.record_id
                  AND past.id > record.event_id AND past.object = record.object)
            UNION
            SELECT record.* FROM record JOIN triggers_liveevent live USING (tenant_id, object, record_id)
            WHERE live.id > record.event_id
       ) conflicting)
"""
_PROFILES = """
SELECT tenant_id, trigger, n, x, y, xx, xy, smallest_breach, largest_ok FROM governor_triggerprofile
WHERE tenant_id = ANY(%s)
"""


class TooWide(CodedError):
    """The filter takes too long to work out."""

    code = "triggers.replay-too-wide"


@dataclass(frozen=True)
class Cost:
    """What a tenant would pay, and what it has left today. None: there is no quota."""

    tenant: str  # its slug
    name: str
    tenant_id: int
    executions: int
    api_calls: int
    executions_left: int | None
    api_calls_left: int | None

    @property
    def is_short(self) -> bool:
        """Whether it is more than today has room for: the rest waits."""
        left = (self.executions_left, self.api_calls_left)
        return any(
            have is not None and want > have
            for want, have in zip((self.executions, self.api_calls), left, strict=True)
        )


@dataclass(frozen=True)
class Preview:
    """What a bulk replay would do."""

    choice: Choice
    mode: str
    records_choice: str
    events: int
    records: int
    api_calls: int  # expected
    gone: int  # executions none of whose events is kept: not replayable any more
    checked: int  # records that were compared with what came later
    succeeded_since: int  # of those: their trigger succeeded on them later
    newer_events: int  # of those: the CRM told of a newer change
    costs: tuple[Cost, ...]  # by tenant, the dearest first
    tenants: int

    @property
    def executions(self) -> int:
        return len(self.choice.ids)

    @property
    def token(self) -> str:
        return self.choice.token

    @property
    def is_checked_whole(self) -> bool:
        return self.checked >= self.records

    @property
    def is_short(self) -> bool:
        return any(cost.is_short for cost in self.costs)


def preview(rows: QuerySet[Execution], *, mode: str, records: str, token: str = "", at: datetime) -> Preview:
    """What replaying ``rows`` would do; eight queries and three for each tenant told. Raises ``TooWide``."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            (before,) = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(LONGEST_MS)])
            found = _preview(cursor, rows, mode=mode, records=records, token=token, at=at)
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
            return found
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        raise TooWide("This takes too long to count; narrow it, for example by time.") from None


def _preview(
    cursor: Any, rows: QuerySet[Execution], *, mode: str, records: str, token: str, at: datetime
) -> Preview:
    choice = choose(rows, records=records, token=token)
    ids = list(choice.ids)
    cursor.execute(_GROUPS, {"ids": ids, "failed": records == Records.FAILED})
    groups = cursor.fetchall()
    cursor.execute(_RECORDS, {"ids": ids})
    (touched,) = cursor.fetchone()
    checked, succeeded_since, newer_events = _since(cursor, ids)
    calls = _calls(cursor, groups) if mode != Mode.RECORDED else {}
    return Preview(
        choice=choice,
        mode=mode,
        records_choice=records,
        events=sum(row[5] for row in groups),
        records=touched,
        api_calls=sum(calls.values()),
        gone=sum(row[7] for row in groups),
        checked=checked,
        succeeded_since=succeeded_since,
        newer_events=newer_events,
        costs=_costs(cursor, groups, calls, at=at) if mode == Mode.LIVE else (),
        tenants=len({row[0] for row in groups}),
    )


def _since(cursor: Any, ids: list[int]) -> tuple[int, int, int]:
    """Records compared with what came later, and what was found; none when that takes too long."""
    try:
        with transaction.atomic():
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(LONGEST_CHECK_MS)])
            cursor.execute(_SINCE, {"ids": ids, "most": MOST_CHECKED, "enough": ENOUGH})
            _, checked, succeeded_since, newer_events = cursor.fetchone()
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(LONGEST_MS)])
    except OperationalError as error:
        if "statement timeout" not in str(error):
            raise
        return 0, 0, 0
    return checked, succeeded_since, newer_events


def _calls(cursor: Any, groups: Sequence[Any]) -> dict[tuple[int, str], int]:
    """The API calls expected of each tenant's trigger: what its executions made, or usually make if more.

    One that failed early made few; its trigger's profile tells what it needs when it does not.
    """
    cursor.execute(_PROFILES, [sorted({row[0] for row in groups})])
    known = {(row[0], row[1]): Profile(*row[2:]) for row in cursor.fetchall()}
    expected = {}
    for tenant_id, _, _, trigger, executions, events, used, _ in groups:
        usual = profiles.advise(known.get((tenant_id, trigger), Profile()), limit=UNLIMITED, most=1)
        needed = usual.calls_per_run * executions + usual.calls_per_record * events
        expected[tenant_id, trigger] = round(max(used, needed))
    return expected


def _costs(
    cursor: Any, groups: Sequence[Any], calls: dict[tuple[int, str], int], *, at: datetime
) -> tuple[Cost, ...]:
    """Live replays that people ask for count: an execution each, and their calls."""
    names: dict[int, tuple[str, str]] = {}
    executions: dict[int, int] = defaultdict(int)
    api_calls: dict[int, int] = defaultdict(int)
    for tenant_id, slug, name, trigger, count, *_ in groups:
        names[tenant_id] = (slug, name)
        executions[tenant_id] += count
        api_calls[tenant_id] += calls[tenant_id, trigger]
    dearest = sorted(names, key=lambda each: (-executions[each], names[each]))[:MOST_TENANTS]
    costs = []
    for tenant_id in dearest:
        left_executions, left_calls = left_of(cursor, tenant_id, at=at)
        costs.append(
            Cost(
                *names[tenant_id],
                tenant_id,
                executions[tenant_id],
                api_calls[tenant_id],
                left_executions,
                left_calls,
            )
        )
    return tuple(costs)


def left_of(cursor: Any, tenant_id: int, *, at: datetime) -> tuple[int | None, int | None]:
    """Executions and API calls that today, and this month, have left."""
    held = policy.load(cursor, tenant_id)
    quota = Quota.of(held)
    day, month = usage.read(cursor, tenant_id=tenant_id, on=day_of(at, held.timezone))
    left: list[int | None] = []
    for resource in ("executions", "api_calls"):
        room = [
            quota.allowed(resource, period) - getattr(used, resource) - used.held(resource)
            for period, used in (("d", day), ("m", month))
            if quota.allowed(resource, period) < UNLIMITED
        ]
        left.append(max(0, min(room)) if room else None)
    return left[0], left[1]


def releases() -> list[tuple[str, str]]:
    """The releases a replay may run on, as choices: those that are known."""
    return [("live", f"Live ({registry().release})")]
