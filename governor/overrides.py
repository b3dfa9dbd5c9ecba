"""Overrides: an operator sets a limit or quota, with a reason and perhaps an end; each is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import Q

from governor.allowances import ALLOWANCES
from governor.limits import LIMITS
from governor.models import Override
from tenants import audit
from tenants.errors import CodedError

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from tenants.models import Tenant, Tier

SHORTEST_REASON = 3
LONGEST_REASON = 300
_LOCK = 0x6F76  # "ov"; taken before the audit log's


class BadOverride(CodedError):
    """The override cannot be meant."""

    code = "governor.bad-override"


def put(
    *,
    name: str,
    value: int,
    reason: str,
    actor: str,
    at: datetime,
    tier: Tier | None = None,
    tenant: Tenant | None = None,
    trigger: str = "",
    until: datetime | None = None,
) -> Override:
    """Set a value for the platform, a tier, a tenant, or a trigger; it takes the place of the one before.

    Raises ``BadOverride``.
    """
    check(
        name=name, value=value, reason=reason, at=at, tier=tier, tenant=tenant, trigger=trigger, until=until
    )
    with transaction.atomic():
        _take_turns()
        before = (
            Override.objects.select_for_update()
            .filter(name=name, tier=tier, tenant=tenant, trigger=trigger, ended_at=None)
            .first()
        )
        if before is not None:
            _close(before, actor=actor, at=at)
        made = Override.objects.create(
            name=name,
            value=value,
            tier=tier,
            tenant=tenant,
            trigger=trigger,
            reason=reason.strip(),
            actor=actor,
            created_at=at,
            until=until,
        )
        audit.record(
            actor=actor,
            verb="set",
            target=f"{name} of {made.scope}",
            tenant=tenant,
            data={
                "value": value,
                "before": before.value if before else None,
                "reason": made.reason,
                "until": until,
            },
            at=at,
        )
    return made


def end(override: Override, *, actor: str, reason: str = "", at: datetime) -> None:
    """Take an override back; what stood below it holds again. Ended once, it stays ended."""
    with transaction.atomic():
        open_ = Override.objects.select_for_update().filter(pk=override.pk, ended_at=None).first()
        if open_ is None:
            return
        _close(open_, actor=actor, at=at)
        audit.record(
            actor=actor,
            verb="ended",
            target=f"{override.name} of {override.scope}",
            tenant=override.tenant,
            data={"value": override.value, "reason": reason},
            at=at,
        )


def in_force(at: datetime) -> QuerySet[Override]:
    """Those that hold at a moment: neither ended nor lapsed."""
    return Override.objects.filter(Q(until=None) | Q(until__gt=at), ended_at=None)


def check(
    *,
    name: str,
    value: int,
    reason: str,
    at: datetime,
    tier: Tier | None = None,
    tenant: Tenant | None = None,
    trigger: str = "",
    until: datetime | None = None,
) -> None:
    """Raise ``BadOverride`` unless this can be meant."""
    known = LIMITS.get(name) or ALLOWANCES.get(name)
    if known is None:
        names = ", ".join([*LIMITS, *ALLOWANCES])
        raise BadOverride(f"There is no limit or quota {name!r}; there are {names}.")
    if isinstance(value, bool) or not isinstance(value, int) or not known.floor <= value <= known.ceiling:
        raise BadOverride(f"{name} is a whole number from {known.floor:,} to {known.ceiling:,} {known.unit}.")
    if len(reason.strip()) < SHORTEST_REASON or len(reason) > LONGEST_REASON:
        raise BadOverride("Say why, in a few words: whoever reads the trace will want to know.")
    if trigger and name not in LIMITS:
        raise BadOverride(f"{name} belongs to a tenant or tier, not to a trigger.")
    if tier is not None and (tenant is not None or trigger):
        raise BadOverride("An override is for a tier, or for a tenant and perhaps one trigger: not for both.")
    if until is not None and until <= at:
        raise BadOverride("The end lies in the past.")


def _take_turns() -> None:
    """Two that set the same value at once follow each other: the later one ends the earlier."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('governor_override'))")


def _close(override: Override, *, actor: str, at: datetime) -> None:
    override.ended_at, override.ended_by = at, actor
    override.save(update_fields=["ended_at", "ended_by"])
