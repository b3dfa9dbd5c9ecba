"""Upgrades: a tenant asks for another tier, an operator decides with one click, and what waits runs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.db.models import F

from governor import notices
from governor.choices import RequestStatus
from governor.models import UpgradeRequest
from tenants import audit
from tenants.errors import CodedError
from tenants.models import Tenant, Tier
from triggers import bells, outbox_lanes, parking

if TYPE_CHECKING:
    from datetime import datetime

BY_OTHER_MEANS = "the change of its plan"


class BadUpgrade(CodedError):
    """The upgrade cannot be asked for or decided."""

    code = "governor.bad-upgrade"


class AlreadyDecided(BadUpgrade):
    """Somebody decided meanwhile."""

    code = "governor.already-decided"
    status = 409


def ask(
    *, tenant: Tenant, actor: str, at: datetime, tier: Tier | None = None, note: str = ""
) -> UpgradeRequest:
    """The tenant's open request, made when there is none. ``tier`` is by default the one its tier offers.

    Raises ``BadUpgrade``.
    """
    wanted = tier or tenant.tier.upgrade_to
    if wanted is None:
        raise BadUpgrade(f"There is no larger plan than {tenant.tier.name}; ask your agency.")
    if wanted.pk == tenant.tier_id:
        raise BadUpgrade(f"{tenant.name} has the {wanted.name} plan already.")
    close_met(at=at, tenant_id=tenant.pk)
    with transaction.atomic():
        request, is_new = UpgradeRequest._base_manager.get_or_create(  # noqa: SLF001  # the tenant is named
            tenant=tenant,
            status=RequestStatus.OPEN,
            defaults={
                "tier": wanted,
                "requested_by": actor,
                "requested_at": at,
                "note": note.strip()[:300],
            },
        )
        if is_new:
            audit.record(
                actor=actor,
                verb="asked for an upgrade",
                target=f"tier {wanted.slug}",
                tenant=tenant,
                data={"note": request.note},
                at=at,
            )
    return request


def approve(request: UpgradeRequest, *, actor: str, at: datetime) -> int:
    """Give the tenant the tier and let what waited run. Returns how many lanes were opened.

    Raises ``AlreadyDecided``, or ``BadUpgrade`` when the tenant has a larger plan meanwhile.
    """
    with transaction.atomic():
        decided = _decide(request, RequestStatus.APPROVED, actor=actor, answer="", at=at)
        tenant = decided.tenant
        if tenant.tier.executions_per_day > decided.tier.executions_per_day:
            raise BadUpgrade(f"{tenant.name} has a larger plan by now, {tenant.tier.name}; decline it.")
        before = tenant.tier_id
        Tenant.objects.filter(pk=tenant.pk).update(tier=decided.tier)
        audit.record(
            actor=actor,
            verb="approved the upgrade of",
            target=f"tenant {tenant.slug}",
            tenant=tenant,
            data={"before": before, "tier": decided.tier_id},
            at=at,
        )
        _tell_upgraded(decided, at=at)
        opened = parking.release(tenant_id=tenant.pk, actor=f"the upgrade to {decided.tier.name}", at=at)
    outbox_lanes.review(at=at)
    bells.ring(opened)
    return len(opened)


def close_met(*, at: datetime, tenant_id: int | None = None) -> int:
    """Close requests of tenants that were given what they asked for by other means. Returns how many."""
    met = UpgradeRequest._base_manager.filter(status=RequestStatus.OPEN, tier=F("tenant__tier"))  # noqa: SLF001
    closed = 0
    for request in met if tenant_id is None else met.filter(tenant=tenant_id):
        with suppress(AlreadyDecided), transaction.atomic():
            decided = _decide(request, RequestStatus.APPROVED, actor=BY_OTHER_MEANS, answer="", at=at)
            _tell_upgraded(decided, at=at)
            closed += 1
    return closed


def decline(request: UpgradeRequest, *, actor: str, answer: str, at: datetime) -> None:
    """Say no, and why. Raises ``AlreadyDecided``, or ``BadUpgrade`` without a reason."""
    if not answer.strip():
        raise BadUpgrade("Say why, so that the owner knows.")
    with transaction.atomic():
        decided = _decide(request, RequestStatus.DECLINED, actor=actor, answer=answer, at=at)
        audit.record(
            actor=actor,
            verb="declined the upgrade of",
            target=f"tenant {decided.tenant.slug}",
            tenant=decided.tenant,
            data={"answer": decided.answer},
            at=at,
        )
        with connection.cursor() as cursor:
            notices.tell(
                cursor,
                tenant_id=decided.tenant_id,
                key=f"declined:{decided.code}",
                kind="declined",
                subject=f"The {decided.tier.name} plan was not approved",
                text=decided.answer,
                at=at,
            )


def _tell_upgraded(decided: UpgradeRequest, *, at: datetime) -> None:
    with connection.cursor() as cursor:
        notices.tell(
            cursor,
            tenant_id=decided.tenant_id,
            key=f"upgraded:{decided.code}",
            kind="upgraded",
            subject=f"You have the {decided.tier.name} plan now",
            text=(
                f"{decided.tier.executions_per_day:,} executions and"
                f" {decided.tier.api_calls_per_day:,} API calls a day. What waited runs now, in order."
            ),
            at=at,
        )


def _decide(
    request: UpgradeRequest, status: RequestStatus, *, actor: str, answer: str, at: datetime
) -> UpgradeRequest:
    found: UpgradeRequest = (
        UpgradeRequest._base_manager.select_for_update(of=("self",))  # noqa: SLF001  # a row at hand
        .select_related("tenant", "tier")
        .get(pk=request.pk)
    )
    if found.status != RequestStatus.OPEN:
        raise AlreadyDecided(f"{found.decided_by} decided already: {found.get_status_display().lower()}.")
    found.status, found.decided_by, found.decided_at = status, actor, at
    found.answer = answer.strip()[:300]
    found.save(update_fields=["status", "decided_by", "decided_at", "answer"])
    return found
