"""News of the quarantine: a tenant is told once that its CRM sends what does not fit."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from governor import notices
from tenants.scope import every_tenant
from triggers import problems
from triggers.choices import EventStatus
from triggers.models import PastEvent
from triggers.schemas import Misfit

if TYPE_CHECKING:
    from datetime import datetime

LOOKED_AT = 500  # of the newest
RECENT = timedelta(minutes=10)


def review(*, at: datetime) -> int:
    """Tell of each problem that is new, or came back after its mapping was mended. Returns how many."""
    with every_tenant():
        newest = list(
            PastEvent.objects.select_related("tenant", "connection")
            .defer("body", "before", "connection__sealed_secrets", "connection__sealed_credentials")
            .filter(status=EventStatus.QUARANTINED)
            .order_by("-id")[:LOOKED_AT]
        )
        recent = [
            each
            for each in newest
            if each.reason == Misfit.code and each.finished_at and each.finished_at >= at - RECENT
        ]
        rules = {each.connection_id: _mark(each.connection.mapping) for each in recent if each.connection}
        told = 0
        for problem in problems.group(recent):
            if problem.field:
                told += _tell(problem, generation=rules.get(problem.connection_id, ""), at=at)
    return told


def _mark(rules: list[dict[str, Any]]) -> str:
    """The same as long as the rules are."""
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:8]


def _tell(problem: problems.Problem, *, generation: str, at: datetime) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        # One notice by its key: as long as the mapping is the same, it is not said again.
        return notices.tell(
            cursor,
            tenant_id=problem.tenant_id,
            key=f"misfit:{problem.fingerprint}:{generation}",
            kind="misfit",
            subject=f"{problem.connection or problem.crm} sends another {problem.object} {problem.field}"[
                :200
            ],
            text=(
                f"What it sends does not fit: {problem.misfit}. Events with it are kept and do not run until"
                " the mapping is mended; then they run. We see them too."
            ),
            at=at,
        )
