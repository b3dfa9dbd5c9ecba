"""Limits and allowances in force, each with the steps that led to it: for the API and the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection

from governor import policy
from governor.allowances import ALLOWANCES, UNLIMITED
from governor.limits import LIMITS
from triggers.registry import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from governor.resolve import Effective
    from tenants.models import Tenant


def of_tenant(tenant: Tenant | None, *, trigger: str = "") -> dict[str, Any]:
    """What holds for the tenant (None: for the platform), and for one trigger of it.

    Raises ``UnknownTrigger`` or ``ScriptsDoNotLoad``.
    """
    declared = registry().get(trigger).limits if trigger else None
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant.pk) if tenant else policy.of_scope(cursor)
    return {
        "tenant": found.tenant or None,
        "tier": found.tier or None,
        "trigger": trigger or None,
        "limits": rows(found.limits(trigger, declared=declared)),
        "allowances": rows(found.allowances),
    }


def one(tenant: Tenant | None, *, name: str, trigger: str = "") -> dict[str, Any]:
    """One limit or allowance, as ``of_tenant`` says it."""
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant.pk) if tenant else policy.of_scope(cursor)
    return row((found.limits(trigger) if name in LIMITS else found.allowances)[name])


def rows(values: Mapping[str, Effective]) -> list[dict[str, Any]]:
    """Each value, in the order of its definition."""
    return [row(effective) for effective in values.values()]


def row(effective: Effective) -> dict[str, Any]:
    """One value in force. None as a value: there is no limit."""
    known = LIMITS.get(effective.name) or ALLOWANCES[effective.name]
    return {
        "name": effective.name,
        "label": known.label,
        "value": _number(effective.value),
        "unit": known.unit,
        "default": _number(known.default),
        "counted": known.counted,
        "source": effective.source,
        "sentence": effective.sentence,
        "steps": [{**step.as_dict(), "value": _number(step.value)} for step in effective.steps],
    }


def _number(value: int) -> int | None:
    return None if value >= UNLIMITED else value
