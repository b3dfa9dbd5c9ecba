"""What a new tenant takes over from another besides its settings: each app above registers its part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants import audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tenants.models import Tenant

    Lend = Callable[[Tenant, Tenant], int]

_lenders: dict[str, Lend] = {}


def register(name: str, lender: Lend) -> None:
    """Add a part. ``lender(source, target)`` copies it and counts its rows. A name can be taken once."""
    if name in _lenders:
        raise ValueError(f"What a template lends as {name!r} is registered already.")
    _lenders[name] = lender


def lend(source: Tenant, target: Tenant, *, actor: str, at: datetime) -> None:
    """Copy every part, audited. Call in the transaction that makes the target."""
    copied = {name: lender(source, target) for name, lender in _lenders.items()}
    audit.record(
        actor=actor,
        verb="copied a template to",
        target=f"tenant {target.slug}",
        tenant=target,
        data={"from": source.slug, **copied},
        at=at,
    )
