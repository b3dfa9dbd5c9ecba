"""Pausing: a trigger's executions wait, in order, until its pause is over or somebody ends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from tenants import audit
from tenants.errors import CodedError
from triggers import bells
from triggers.models import TriggerConfig
from triggers.registry import registry

if TYPE_CHECKING:
    from tenants.models import Tenant

# Far enough that nobody lives to see it, near enough that every clock can show it.
UNTIL_RESUMED = datetime(9000, 1, 1, tzinfo=UTC)
LONGEST_REASON = 200
SMALLEST_ORDER, LARGEST_ORDER = -10_000, 10_000

_LANES = """
SELECT DISTINCT lane_id FROM public.triggers_execution
WHERE status IN ('queued', 'running') AND lane_id IS NOT NULL AND trigger = %s
  AND (%s::bigint IS NULL OR tenant_id = %s)
"""


class BadPause(CodedError):
    """No reason is given, or the pause would be over already."""

    code = "triggers.bad-pause"


class NotPaused(CodedError):
    """There is no pause to end."""

    code = "triggers.not-paused"
    status = 409


class PausedForAll(CodedError):
    """The pause is for all tenants: one of them cannot end it."""

    code = "triggers.paused-for-all"
    status = 409


class BadSwitch(CodedError):
    """The order is out of bounds."""

    code = "triggers.bad-switch"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that stands. ``until`` None: until it is resumed."""

    reason: str
    until: datetime | None
    by: str
    since: datetime | None
    is_for_all: bool


def pause(
    *, trigger: str, tenant: Tenant | None, reason: str, until: datetime | None, actor: str, at: datetime
) -> Pause:
    """Let the trigger's executions wait until then, or until it is resumed; a pause that stands is replaced.

    For one tenant, or (None) for all. Raises ``UnknownTrigger`` and ``BadPause``.
    """
    registry().get(trigger)
    reason = " ".join(reason.split())
    if not reason:
        raise BadPause("Say why: whoever finds the trigger paused will want to know.", field="reason")
    if len(reason) > LONGEST_REASON or "\x00" in reason:
        raise BadPause(f"The reason may have {LONGEST_REASON} characters, of text.", field="reason")
    if until is not None and not at < until < UNTIL_RESUMED:
        raise BadPause("The pause must end later than now.", field="until")
    with transaction.atomic():
        values = {
            "paused_until": until or UNTIL_RESUMED,
            "pause_reason": reason,
            "paused_by": actor[:150],
            "paused_at": at,
        }
        # Two at once: the second waits for the first's row, and replaces its reason and end.
        TriggerConfig.objects.update_or_create(
            trigger=trigger,
            tenant=tenant,
            defaults=values,
            create_defaults={**values, "is_enabled": _is_enabled(trigger)},
        )
        audit.record(
            actor=actor,
            verb="trigger.pause",
            target=f"trigger {trigger}",
            tenant=tenant,
            data={"reason": reason, "until": until},
            at=at,
        )
    return Pause(reason, until, actor, at, tenant is None)


def resume(*, trigger: str, tenant: Tenant | None, actor: str, at: datetime) -> list[int]:
    """End the pause: what waits runs in order. Returns the lanes that have waiting executions of it.

    Raises ``UnknownTrigger``, ``NotPaused`` and ``PausedForAll``.
    """
    registry().get(trigger)
    with transaction.atomic(), connection.cursor() as cursor:
        rows = TriggerConfig.objects.select_for_update().filter(
            trigger=trigger, paused_until__gt=at, tenant=tenant
        )
        config = rows.first()
        if config is None:
            of_all = TriggerConfig.objects.filter(trigger=trigger, tenant=None, paused_until__gt=at)
            if tenant is not None and of_all.exists():
                raise PausedForAll(
                    "It is paused for all tenants; only an operator, acting for all, can resume it."
                )
            raise NotPaused("The trigger is not paused" + (f" for {tenant.slug}." if tenant else " for all."))
        said = {"reason": config.pause_reason, "since": config.paused_at}
        config.paused_until = config.paused_at = None
        config.pause_reason = config.paused_by = ""
        config.save(update_fields=["paused_until", "paused_at", "pause_reason", "paused_by"])
        audit.record(
            actor=actor,
            verb="trigger.resume",
            target=f"trigger {trigger}",
            tenant=tenant,
            data=said,
            at=at,
        )
        cursor.execute(_LANES, [trigger, tenant and tenant.pk, tenant and tenant.pk])
        lanes = [lane_id for (lane_id,) in cursor.fetchall()]
        transaction.on_commit(partial(bells.ring, lanes))
    return lanes


def configure(
    *, trigger: str, tenant: Tenant | None, is_enabled: bool, order: int | None, actor: str, at: datetime
) -> TriggerConfig:
    """Switch the trigger on or off and set its place in the order (None: as its script says).

    Raises ``UnknownTrigger`` and ``BadSwitch``.
    """
    registry().get(trigger)
    if order is not None and not SMALLEST_ORDER <= order <= LARGEST_ORDER:
        raise BadSwitch(f"The order is a number from {SMALLEST_ORDER:,} to {LARGEST_ORDER:,}.")
    with transaction.atomic():
        before = TriggerConfig.objects.select_for_update().filter(trigger=trigger, tenant=tenant).first()
        config, _ = TriggerConfig.objects.update_or_create(
            trigger=trigger, tenant=tenant, defaults={"is_enabled": is_enabled, "order": order}
        )
        audit.record(
            actor=actor,
            verb="trigger.configure",
            target=f"trigger {trigger}",
            tenant=tenant,
            data={
                "is_enabled": [before.is_enabled if before else True, is_enabled],
                "order": [before.order if before else None, order],
            },
            at=at,
        )
    return config


def pause_of(config: Any, *, at: datetime) -> Pause | None:
    """The pause a row of configuration says, if it stands."""
    if config is None or config.paused_until is None or config.paused_until <= at:
        return None
    until = None if config.paused_until >= UNTIL_RESUMED else config.paused_until
    return Pause(
        config.pause_reason, until, config.paused_by, config.paused_at, is_for_all=config.tenant_id is None
    )


def longest(*pauses: Pause | None) -> Pause | None:
    """Of the pauses that stand, the one that ends last."""
    standing = [each for each in pauses if each is not None]
    return max(standing, key=lambda each: each.until or UNTIL_RESUMED, default=None)


def _is_enabled(trigger: str) -> bool:
    """Whether it is on for all: a tenant's row, made for its pause, must not switch it on."""
    of_all = TriggerConfig.objects.filter(trigger=trigger, tenant=None).values_list("is_enabled").first()
    return of_all is None or bool(of_all[0])
