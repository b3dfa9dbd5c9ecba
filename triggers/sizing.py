"""Sizing: batches as large as the API calls that their triggers usually make leave room for."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governor import profiles
from governor.limits import complete
from governor.profiles import Profile
from governor.quotas import OVER_QUOTA
from triggers.choices import Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from governor.job import RunResult
    from triggers.config import Wanted
    from triggers.registry import TriggerSpec
    from triggers.work import Work

FRESH_SECONDS = 5.0  # how long what other workers learn may take to reach this one
LIMIT = "api_calls"

_READ = """
SELECT trigger, n, x, y, xx, xy, smallest_breach, largest_ok FROM public.governor_triggerprofile
WHERE tenant_id = %s
"""
_WRITE = """
INSERT INTO public.governor_triggerprofile
    (tenant_id, trigger, n, x, y, xx, xy, smallest_breach, largest_ok, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, trigger) DO UPDATE SET n = excluded.n, x = excluded.x, y = excluded.y,
    xx = excluded.xx, xy = excluded.xy, smallest_breach = excluded.smallest_breach,
    largest_ok = excluded.largest_ok, updated_at = excluded.updated_at
"""


@dataclass(frozen=True)
class Sized:
    """How many records a batch may have, and for the sake of which trigger."""

    size: int
    trigger: str = ""
    why: str = ""

    def say(self, works: Sequence[Work], *, taken: int, of: int) -> None:
        """Note on the executions that their batch would have been larger, if it would."""
        if taken >= of:
            return
        for work in works:
            whose = "" if work.trigger == self.trigger else f" for {self.trigger}"
            work.note = f"Batch sized to {taken} of {of} records{whose}: {self.why}."


class Profiles:
    """What is known of the tenants' triggers, read when it is needed and kept for seconds."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[float, dict[str, Profile]]] = {}

    def of(self, cursor: Any, tenant_id: int) -> dict[str, Profile]:
        """The profiles of a tenant's triggers, by name."""
        read_at, rows = self._rows.get(tenant_id, (0.0, {}))
        now = time.monotonic()
        if not read_at or now - read_at > FRESH_SECONDS:
            cursor.execute(_READ, [tenant_id])
            rows = {trigger: Profile(*figures) for trigger, *figures in cursor.fetchall()}
            self._rows[tenant_id] = (now, rows)
        return rows

    def learn(self, cursor: Any, tenant_id: int, done: Work, *, result: RunResult, at: datetime) -> None:
        """Remember what an execution called, in the transaction that settles it. Most write nothing.

        Of two workers that learn of one trigger at once the last is remembered: an estimate loses little.
        """
        # What stopped at its tenant's quota says nothing of what it needs.
        error = result.error
        breached = error is not None and error.limit == LIMIT and error.code != OVER_QUOTA
        if done.mode != Mode.LIVE or (result.error is not None and not breached):
            return  # what was not called, or not to the end, teaches nothing
        calls = needed(result)
        rows = self.of(cursor, tenant_id)
        before = rows.get(done.trigger, Profile())
        records = sum(member.problem is None for member in done.members)
        after = profiles.observe(before, records=records, calls=calls, breached=breached)
        if not profiles.is_news(before, after, calls=calls, breached=breached):
            return
        figures = (after.n, after.x, after.y, after.xx, after.xy, after.smallest_breach, after.largest_ok)
        cursor.execute(_WRITE, [tenant_id, done.trigger, *figures, at])
        rows[done.trigger] = after


def needed(result: RunResult) -> float:
    """The calls an execution needed: those counted, and those that an earlier attempt had answered."""
    counted = result.usage[LIMIT][0] if LIMIT in result.usage else 0
    return counted + sum(bool(effect.get("reused")) for effect in result.effects)


def declared(spec: TriggerSpec) -> float:
    """The calls that a trigger's script asks for, where no tenant's policy is at hand."""
    return complete(spec.limits)[LIMIT]


def size(
    known: Mapping[str, Profile],
    wanted: Sequence[Wanted],
    *,
    most: int,
    limit_of: Callable[[TriggerSpec], float],
) -> Sized:
    """The batch for these triggers: up to ``most`` records, and what the least of them has room for."""
    sized = Sized(most)
    for each in wanted:
        profile = known.get(each.spec.name)
        if profile is None:
            continue
        advice = profiles.advise(profile, limit=limit_of(each.spec), most=most)
        if advice.size < sized.size:
            sized = Sized(advice.size, each.spec.name, advice.why)
    return sized
