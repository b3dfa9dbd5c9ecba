"""Choosing which CRM field feeds which reading of the score: by hand, or by confirming a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.errors import CodedError
from triggers import agents
from triggers.signal_sources import places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Tenant
    from triggers.signal_sources import Standing

AUTO, NONE = "", "-"  # by name or from the mirror; from no field


class BadChoice(CodedError):
    """A choice that does not hold."""

    code = "triggers.bad-choice"


def save(
    *,
    tenant: Tenant,
    standing: Standing,
    choices: Mapping[str, str],
    least: int | None,
    actor: str,
    at: datetime,
) -> int:
    """Store the chosen fields, audited; a reading not named keeps its own. Returns how many are chosen.

    A choice is the name of a field, ``AUTO`` or ``NONE``. Raises ``BadChoice``.
    """
    known = {name for name, _ in places(standing)}
    fields = {row.reading: row.chosen for row in standing.rows if row.chosen is not None}
    can = {row.reading for row in standing.rows if row.kind}
    for reading, choice in choices.items():
        if reading not in can:
            raise BadChoice("There is no such signal to choose a field for.")
        if choice == AUTO:
            fields.pop(reading, None)
        elif choice == NONE:
            fields[reading] = ""
        elif choice in known:
            fields[reading] = choice
        else:
            raise BadChoice("The CRM has no such field any more; read its fields again.")
    agents.set_scoring(
        tenant=tenant,
        facts={},
        lpr={"fields": fields or None, "least_signals": least},
        actor=actor,
        at=at,
    )
    return sum(1 for name in fields.values() if name)


def confirm(*, tenant: Tenant, standing: Standing, readings: set[str], actor: str, at: datetime) -> int:
    """Take these guesses as choices, as they stand now. Returns how many were taken."""
    taken = {
        row.reading: row.guess.field.place.rpartition(".")[2]
        for row in standing.rows
        if row.guess is not None and row.reading in readings
    }
    if not taken:
        raise BadChoice("There is no such guess any more.")
    save(
        tenant=tenant,
        standing=standing,
        choices=taken,
        least=least_of(tenant),
        actor=actor,
        at=at,
    )
    return len(taken)


def least_of(tenant: Tenant) -> int | None:
    """The tenant's own least number of signals; None = the default."""
    lpr = tenant.settings.get("lpr") if isinstance(tenant.settings, dict) else None
    own = lpr.get("least_signals") if isinstance(lpr, dict) else None
    return own if type(own) is int else None
