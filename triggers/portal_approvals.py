"""The portal's approvals: what waits for a member, and what was decided lately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.scope import tenant_scope
from triggers import agents, approvals, usage_words
from triggers.models.approval import Approval, ApprovalStatus
from triggers.portal_words import Said

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Tenant

MOST_WAITING = 50
MOST_DECIDED = 20
SAID = {
    ApprovalStatus.APPROVED: Said("good", "✓", "Approved"),
    ApprovalStatus.REJECTED: Said("quiet", "⊘", "Rejected"),
    ApprovalStatus.EXPIRED: Said("quiet", "–", "Expired"),
}


def approvals_page(tenant: Tenant, *, at: datetime, problem: dict[str, str] | None = None) -> dict[str, Any]:
    """The page's context: two queries. ``problem``: a code, and why it could not be decided."""
    with tenant_scope(tenant.pk):
        of_tenant = Approval.objects.filter(tenant=tenant)
        # The oldest first: they end first.
        waiting = list(
            of_tenant.filter(status=ApprovalStatus.WAITING, expires_at__gt=at).order_by("pk")[
                : MOST_WAITING + 1
            ]
        )
        decided = list(of_tenant.exclude(status=ApprovalStatus.WAITING).order_by("-pk")[:MOST_DECIDED])
    titles = {agent.name: agent.title for agent in agents.AGENTS}
    zone = tenant.timezone
    return {
        "page": "agents",
        "problem": problem or {},
        "is_cut": len(waiting) > MOST_WAITING,
        "waiting": [
            {
                "approval": one,
                "agent": titles.get(one.agent, one.agent),
                "text": approvals.words(one),
                "asked": usage_words.moment(one.created_at, zone, at=at),
                "until": usage_words.moment(one.expires_at, zone, at=at),
            }
            for one in waiting[:MOST_WAITING]
        ],
        "decided": [
            {
                "approval": one,
                "said": SAID[ApprovalStatus(one.status)],
                "when": usage_words.moment(one.decided_at or one.expires_at, zone, at=at),
            }
            for one in decided
        ],
    }


def count_waiting(tenant: Tenant, *, at: datetime) -> int:
    """How many wait, at most ``MOST_WAITING`` and one: one query."""
    with tenant_scope(tenant.pk):
        found = Approval.objects.filter(tenant=tenant, status=ApprovalStatus.WAITING, expires_at__gt=at)
        return len(found.values_list("pk")[: MOST_WAITING + 1])
