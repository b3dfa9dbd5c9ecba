"""Level 17, authority and consent: whether a message to a person may leave, must wait, or must not.

Pure: what is known of the person, of what was sent, and the tenant's clock come in as values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LEVEL = 17
ALLOW, HOLD, BLOCK = "allow", "hold", "block"
_RANK = {ALLOW: 0, HOLD: 1, BLOCK: 2}
CHANNELS = ("sms", "call", "email", "whatsapp")
# Telemarketing by telephone: not before 8 and not after 21 where the person is (47 CFR 64.1200(c)(1)).
QUIET_FROM, QUIET_TO = time(21), time(8)
_QUIET_CHANNELS = frozenset({"sms", "call", "whatsapp"})
EFFECTS_STOPPED = "judgment.effects-stopped"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of an effect. ``until``: when a held one is tried again; None: when freed."""

    verdict: str
    rule: str = ""
    sentence: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of whom a message goes to. Nothing known means no consent."""

    consents: Collection[str] = ()  # channels
    opted_out: Collection[str] = ()  # channels, or "all"
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Caps:
    """How many messages may go out: to one person and from a tenant, each within a day."""

    per_person: int = 2
    per_tenant: int = 1_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out in the last 24 hours, and when the oldest of it did."""

    to_person: int = 0
    of_tenant: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What an agent wants to do."""

    channel: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)  # it would write
    is_marketing: bool = True
    amount_cents: int = 0
    is_approved: bool = False
    depth: int = 0  # of the cascade it stands in


ALLOWED = Ruling(ALLOW)


def may_message(
    effect: Effect, person: Person, *, sent: Sent, caps: Caps, timezone: str, at: datetime
) -> Ruling:
    """Whether the message may leave now. The strongest of consent, caps and quiet hours rules."""
    return strongest(
        consent(effect, person),
        capped(sent, caps, at=at),
        quiet(effect, person.timezone or timezone, at=at),
    )


def strongest(*rulings: Ruling) -> Ruling:
    """The strongest; of two that hold, the one that holds longer."""
    latest = datetime.max.replace(tzinfo=UTC)

    def rank(ruling: Ruling) -> tuple[int, datetime]:
        return _RANK[ruling.verdict], ruling.until or latest

    return max(rulings, key=rank)


def consent(effect: Effect, person: Person) -> Ruling:
    """Nobody is written to who opted out, and nobody is sent marketing who did not agree to the channel."""
    if effect.channel not in CHANNELS:
        return Ruling(BLOCK, "unknown-channel", f"There is no channel {effect.channel[:20]!r}.")
    if {"all", effect.channel} & set(person.opted_out):
        return Ruling(BLOCK, "opted-out", f"The person opted out of {effect.channel}.")
    if effect.is_marketing and effect.channel not in person.consents:
        return Ruling(BLOCK, "no-consent", f"No consent to {effect.channel} is on record.")
    return ALLOWED


def quiet(effect: Effect, timezone: str, *, at: datetime) -> Ruling:
    """Calls and texts wait for the morning of the person's own clock."""
    if effect.channel not in _QUIET_CHANNELS:
        return ALLOWED
    zone = ZoneInfo(timezone)
    here = at.astimezone(zone)
    if QUIET_TO <= here.time().replace(tzinfo=None) < QUIET_FROM:
        return ALLOWED
    day = here.date() + timedelta(days=int(here.time() >= QUIET_FROM))
    until = datetime.combine(day, QUIET_TO, zone)
    return Ruling(
        HOLD, "quiet-hours", f"It is {here:%H:%M} in {timezone}: it waits for {QUIET_TO:%H:%M}.", until
    )


def capped(sent: Sent, caps: Caps, *, at: datetime) -> Ruling:
    """No more than so many a day, to a person and from a tenant."""
    for used, most, rule, whom in (
        (sent.to_person, caps.per_person, "person-cap", "to this person"),
        (sent.of_tenant, caps.per_tenant, "tenant-cap", "from this tenant"),
    ):
        if used >= most:
            until = (sent.oldest_at or at) + timedelta(days=1)
            return Ruling(HOLD, rule, f"{used:,} of {most:,} messages a day {whom} were sent.", until)
    return ALLOWED


def approval(effect: Effect, *, above_cents: int) -> Ruling:
    """What costs more than the threshold waits for a person's approval."""
    if effect.amount_cents <= above_cents or effect.is_approved:
        return ALLOWED
    said = f"{effect.amount_cents / 100:,.2f} is over {above_cents / 100:,.2f}: somebody has to approve it."
    return Ruling(HOLD, "approval", said)


def allowed_fields(effect: Effect, *, allowed: Collection[str]) -> Ruling:
    """An agent writes the fields it was given, and no other."""
    others = sorted(set(effect.fields) - set(allowed))
    if not others:
        return ALLOWED
    return Ruling(BLOCK, "field-not-allowed", f"It may not write: {', '.join(others)[:200]}.")


def loop(effect: Effect, *, deepest: int) -> Ruling:
    """A change that our own change set off ends somewhere."""
    if effect.depth <= deepest:
        return ALLOWED
    return Ruling(BLOCK, "loop", f"{effect.depth} changes set one another off; at most {deepest} may.")


def switch(*, is_stopped: bool) -> Ruling:
    """The kill switch: nothing leaves while it is thrown, and what waits goes on afterwards."""
    if not is_stopped:
        return ALLOWED
    return Ruling(
        HOLD, "kill-switch", "Effects are stopped: nothing leaves until an operator lets them again."
    )
