"""Verifying refused deliveries again, after a secret was mended: what holds now becomes events, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from governor.judgment.masking import mask
from tenants import audit
from tenants.errors import CodedError
from tenants.secrets import unseal
from triggers import ingest
from triggers.models import RefusedDelivery

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tenants.models import Tenant

MOST = 100  # of one go; as many are kept of a connection
LONGEST_PREVIEW = 4_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one delivery."""

    code: str
    accepted: int = 0  # events that were not known
    duplicates: int = 0
    problem: str = ""  # why it still does not hold

    @property
    def is_taken(self) -> bool:
        return not self.problem


def verify(chosen: Iterable[RefusedDelivery], *, actor: str, at: datetime) -> list[Verified]:
    """Verify each again, in the order they came. What still does not hold is kept, and its reason is said."""
    results: list[Verified] = []
    tenants: dict[int, tuple[Tenant, list[Verified]]] = {}
    for refused in sorted(chosen, key=lambda each: (each.received_at, each.pk))[:MOST]:
        try:
            receipt = ingest.verify_again(refused)
            result = Verified(str(refused.code), receipt.accepted, receipt.duplicates)
        except CodedError as error:
            result = Verified(str(refused.code), problem=str(error))
        results.append(result)
        tenants.setdefault(refused.tenant_id, (refused.tenant, []))[1].append(result)
    for tenant, of_tenant in tenants.values():
        audit.record(
            actor=actor,
            verb="delivery.verify-again",
            target=f"refused deliveries of {tenant.slug}",
            tenant=tenant,
            data={
                "taken": [each.code for each in of_tenant if each.is_taken],
                "refused": [each.code for each in of_tenant if not each.is_taken],
            },
            at=at,
        )
    return results


def of_connection(refused: RefusedDelivery) -> list[RefusedDelivery]:
    """All that are kept of its connection, the oldest first."""
    return list(
        RefusedDelivery.objects.select_related("tenant", "connection__tenant")
        .filter(connection=refused.connection_id)
        .order_by("received_at", "pk")[:MOST]
    )


def preview(refused: RefusedDelivery) -> str:
    """Its body, masked and cut; "" when its key is gone."""
    return shown(refused.body, context=f"refused:{refused.tenant_id}:{refused.code}")


def shown(sealed: bytes | memoryview, *, context: str) -> str:
    """A sealed body, masked and cut; "" when its key is gone."""
    try:
        plain = unseal(sealed, context=context)
    except CodedError:
        return ""
    try:
        masked: Any = mask(msgspec.json.decode(plain))
        text = msgspec.json.format(msgspec.json.encode(masked), indent=2).decode()
    except ValueError:
        text = str(mask(plain.decode("utf-8", "replace")))
    return text if len(text) <= LONGEST_PREVIEW else f"{text[:LONGEST_PREVIEW]}\n…"
