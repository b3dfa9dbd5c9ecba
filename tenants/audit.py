"""The audit log: who did what. Rows are only added, and each carries the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from tenants.models import AuditEvent, Tenant

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCK = 0x6175646974  # "audit": the one advisory lock that orders the chain
_FIRST = "0" * 64


def record(
    *,
    actor: str,
    verb: str,
    target: str,
    tenant: Tenant | None = None,
    data: Mapping[str, Any] | None = None,
    at: datetime,
) -> AuditEvent:
    """Add a row in the caller's transaction: it stands if, and only if, what it tells of stands."""
    values = dict(data or {})
    if tenant is not None:
        values["tenant"] = tenant.slug  # outlives the tenant's row
    # What is hashed must be what is read back.
    values = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    with transaction.atomic(), connection.cursor() as cursor:
        # Held to the commit: two rows must not follow the same one.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        last = AuditEvent.objects.order_by("-id").values_list("digest", flat=True).first()
        event = AuditEvent(
            at=at.astimezone(UTC),
            tenant=tenant,
            actor=actor[:150],
            verb=verb[:80],
            target=target[:200],
            data=values,
            previous=last or _FIRST,
        )
        event.digest = digest(event)
        event.save(force_insert=True)
    return event


def digest(event: AuditEvent) -> str:
    """The hash of what a row says and of the row before it."""
    said = [
        event.previous,
        event.at.astimezone(UTC).isoformat(),
        event.actor,
        event.verb,
        event.target,
        event.data,
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def first_break() -> AuditEvent | None:
    """The first row that was changed, or stands where another was taken out; None when the chain holds."""
    previous = _FIRST
    for event in AuditEvent.objects.order_by("id").iterator():
        if event.previous != previous or event.digest != digest(event):
            return event
        previous = event.digest
    return None
