"""Previews: what a limit or quota would have done over the last days, before an operator sets it.

Bounded in cost: the newest executions by an index, a fixed number of them, and it says when there were more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.utils import OperationalError

from governor.allowances import ALLOWANCES
from governor.limits import LIMITS
from logs.vocabulary import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from governor.proposal import Proposal

LOOK_BACK = timedelta(days=7)
MOST_EXECUTIONS = 20_000
MOST_TENANTS = 5_000
LONGEST_MS = 2_000  # of the question; a busy database is no reason to wait

_EXECUTIONS = """
WITH newest AS (
    SELECT tenant_id, trigger, created_at, limit_name, depth, usage -> %(name)s AS pair
    FROM public.triggers_execution
    WHERE {narrow} ORDER BY id DESC LIMIT %(most)s
), seen AS (
    SELECT newest.tenant_id, tenant.slug, tenant.tier_id, trigger, limit_name = %(name)s AS was_stopped,
           CASE WHEN %(name)s = 'depth' THEN depth ELSE (pair ->> 0)::numeric END AS used
    FROM newest JOIN public.tenants_tenant tenant ON tenant.id = newest.tenant_id
    WHERE newest.created_at >= %(since)s
)
SELECT tenant_id, slug, tier_id, trigger, count(*),
       count(*) FILTER (WHERE used > %(value)s AND NOT was_stopped),
       count(*) FILTER (WHERE was_stopped), count(*) FILTER (WHERE was_stopped AND used <= %(value)s)
FROM seen GROUP BY tenant_id, slug, tier_id, trigger
"""
_NARROW = {
    "": "true",
    "tenant": "tenant_id = %(tenant)s",
    "trigger": "tenant_id = %(tenant)s AND trigger = %(trigger)s",
}
_DAYS = """
SELECT tenant.id, tenant.slug, tenant.tier_id, used.amount
FROM (SELECT id, slug, tier_id FROM public.tenants_tenant
      WHERE (%(tenant)s::varchar = '' OR slug = %(tenant)s) AND (%(tier)s::varchar = '' OR tier_id = %(tier)s)
      ORDER BY id DESC LIMIT %(most)s) tenant
JOIN LATERAL (SELECT {amount} AS amount FROM public.governor_usage usage
              WHERE usage.tenant_id = tenant.id AND usage.period = %(period)s
                AND usage.starts_on >= %(since)s) used ON true
"""
_MORE_SPECIAL = """
SELECT coalesce(tier_id, ''), coalesce(tenant_id, 0), trigger FROM public.governor_override
WHERE name = %s AND ended_at IS NULL AND (until IS NULL OR until > %s)
"""


class Group(NamedTuple):
    """Executions of one trigger of one tenant: how many, and what the value means for them."""

    tenant_id: int
    slug: str
    tier: str
    trigger: str
    total: int
    over: int  # used more than the value, and were not stopped
    stopped: int  # by the limit as it was
    fitting: int  # of those: the value has room for what they had used by then


@dataclass(frozen=True, slots=True)
class Preview:
    """What would have been. ``hits`` is what the value would have stopped, or made wait."""

    sentence: str
    more: str = ""
    hits: int = 0
    tenants: int = 0
    is_known: bool = True


class Special(NamedTuple):
    """For whom an override of the same name speaks already."""

    tier: str
    tenant_id: int
    trigger: str

    def rank(self) -> tuple[int, int]:
        level = 3 if self.trigger else 2 if self.tenant_id else 1 if self.tier else 0
        return level, int(bool(self.trigger and self.tenant_id))

    def speaks_of(self, group: Group) -> bool:
        return (
            (not self.tier or self.tier == group.tier)
            and (not self.tenant_id or self.tenant_id == group.tenant_id)
            and (not self.trigger or self.trigger == group.trigger)
        )


def preview(cursor: Any, proposal: Proposal, *, tenant_id: int = 0, at: datetime) -> Preview:
    """What the proposed value would have done over the last seven days. Never raises for lack of time."""
    look = _limit if proposal.name in LIMITS else _quota if proposal.name in _AMOUNTS else None
    if look is None:
        each = ALLOWANCES[proposal.name]
        return Preview(f"This stops no execution; it holds from now on for {each.counted}.")
    try:
        return _within(cursor, lambda: look(cursor, proposal, tenant_id=tenant_id, at=at))
    except OperationalError:
        return Preview(
            "The database was too busy to look back; what this would have done is not known.", is_known=False
        )


def _within(cursor: Any, look: Callable[[], Preview]) -> Preview:
    with transaction.atomic():
        cursor.execute("SELECT current_setting('statement_timeout')")
        (before,) = cursor.fetchone()
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(LONGEST_MS)])
        found = look()
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    return found


def _limit(cursor: Any, proposal: Proposal, *, tenant_id: int, at: datetime) -> Preview:
    narrow = "" if not tenant_id else "trigger" if proposal.trigger else "tenant"
    cursor.execute(
        _EXECUTIONS.format(narrow=_NARROW[narrow]),
        {
            "name": proposal.name,
            "value": proposal.value,
            "tenant": tenant_id,
            "trigger": proposal.trigger,
            "since": at - LOOK_BACK,
            "most": MOST_EXECUTIONS,
        },
    )
    groups = [Group(*row) for row in cursor.fetchall()]
    is_cut = sum(group.total for group in groups) >= MOST_EXECUTIONS
    cursor.execute(_MORE_SPECIAL, [proposal.name, at])
    special = [Special(*row) for row in cursor.fetchall()]
    return tell_limit(concerned(groups, special, proposal, tenant_id=tenant_id), proposal, is_cut=is_cut)


def concerned(
    groups: Iterable[Group], others: Collection[Special], proposal: Proposal, *, tenant_id: int
) -> list[Group]:
    """The groups of which nothing more special than the proposal would speak."""
    mine = Special(proposal.tier, tenant_id, proposal.trigger)
    stronger = [each for each in others if each.rank() > mine.rank()]
    return [
        group
        for group in groups
        if mine.speaks_of(group) and not any(each.speaks_of(group) for each in stronger)
    ]


def tell_limit(groups: Collection[Group], proposal: Proposal, *, is_cut: bool) -> Preview:
    """The sentences for a limit of one execution."""
    total = sum(group.total for group in groups)
    over = sum(group.over for group in groups)
    tenants = len({group.tenant_id for group in groups if group.over})
    stopped = sum(group.stopped for group in groups)
    fitting = sum(group.fitting for group in groups)
    seen = f"the newest {MOST_EXECUTIONS:,} executions" if is_cut else "the last 7 days"
    verb = "have dropped lines of" if proposal.name == "log_lines" else "have stopped"
    if not total:
        return Preview(f"Over {seen} nothing ran that this is for.")
    if over:
        what = f"{plural(over, 'execution')} of {plural(tenants, 'tenant')}"
        sentence = f"Over {seen} this would {verb} {what}."
    else:
        sentence = f"Over {seen} this would {verb} none of {plural(total, 'execution')}."
    more = ""
    if stopped:
        room = f"at most {fitting:,}" if fitting else "none"
        more = (
            f"The present limit stopped {plural(stopped, 'execution')}, of which {room} would have had room."
        )
    return Preview(sentence, more, hits=over, tenants=tenants)


_AMOUNTS = {
    "executions_per_day": ("d", "executions", "executions", "day"),
    "api_calls_per_day": ("d", "api_calls", "API calls", "day"),
    "ai_tokens_per_day": ("d", "ai_tokens", "AI tokens", "day"),
    "executions_per_month": ("m", "executions", "executions", "month"),
    "api_calls_per_month": ("m", "api_calls", "API calls", "month"),
}


def _quota(cursor: Any, proposal: Proposal, *, tenant_id: int, at: datetime) -> Preview:
    period, column, *_ = _AMOUNTS[proposal.name]
    since = (at - LOOK_BACK).date() + timedelta(days=1)
    cursor.execute(
        _DAYS.format(amount=column),
        {
            "tenant": proposal.tenant,
            "tier": proposal.tier,
            "period": period,
            "since": since if period == "d" else since.replace(day=1),
            "most": MOST_TENANTS,
        },
    )
    amounts = [
        (Group(pk, slug, tier, "", 1, 0, 0, 0), amount) for pk, slug, tier, amount in cursor.fetchall()
    ]
    cursor.execute(_MORE_SPECIAL, [proposal.name, at])
    special = [Special(*row) for row in cursor.fetchall()]
    groups = {group for group, _ in amounts}
    kept = set(concerned(groups, special, proposal, tenant_id=tenant_id))
    return tell_quota([(group, amount) for group, amount in amounts if group in kept], proposal)


def tell_quota(amounts: Collection[tuple[Group, int]], proposal: Proposal) -> Preview:
    """The sentences for a quota of a day or month."""
    _, column, noun, stretch = _AMOUNTS[proposal.name]
    if not amounts:
        return Preview("Over the last 7 days nothing was used that this is for.")
    over = [(group, amount - proposal.value) for group, amount in amounts if amount > proposal.value]
    if not over:
        most = max(amount for _, amount in amounts)
        return Preview(
            "Over the last 7 days no execution would have waited:"
            f" the most that was used in a {stretch} is {most:,} {noun}."
        )
    tenants = len({group.tenant_id for group, _ in over})
    beyond = sum(amount for _, amount in over)
    when = f"{'on' if stretch == 'day' else 'in'} {plural(len(over), stretch)}"
    if tenants > 1:
        when += " of theirs"
    if column == "executions":
        what = f"{plural(beyond, 'execution')} of {plural(tenants, 'tenant')}"
        sentence = f"Over the last 7 days this would have made {what} wait, {when}."
    else:
        sentence = (
            f"Over the last 7 days {plural(tenants, 'tenant')} used {beyond:,} {noun} more than that, {when};"
            " executions would have waited."
        )
    return Preview(sentence, "Nothing is lost: what waits runs when the quota starts anew.", beyond, tenants)
