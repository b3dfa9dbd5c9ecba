"""What an execution ran over, read again: its events as the script saw them, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection

from tenants.errors import CodedError
from tenants.secrets import unseal
from triggers import members
from triggers.lanes import Lease
from triggers.models import OutboxWrite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.models import Execution

MOST_WRITES = 1_000  # changes of one execution that are read


@dataclass
class PastRecord:
    """One event of an execution, with its images."""

    event_id: int
    code: Any
    record_id: str
    record: dict[str, Any] | None  # as the script saw it; None = it does not fit any more
    old: dict[str, Any] | None = None
    body: bytes | None = None  # as the CRM sent it; None = its key is gone
    kind: str = ""
    crm: str = ""


@dataclass
class PastChange:
    """A change of a CRM's record that was committed."""

    object: str
    operation: str
    id: str
    fields: dict[str, Any] = field(default_factory=dict)


def of_execution(execution: Execution, *, event_ids: Sequence[int]) -> list[PastRecord]:
    """The events of the execution that are kept, in the order acknowledged: one query."""
    if not event_ids:
        return []
    lease = lease_of(execution)
    with connection.cursor() as cursor:
        rows = members.read(cursor, event_ids, is_past=True)
    found = []
    for row in rows:
        member = members.member(row, lease)
        try:
            body = unseal(row.body, context=f"event:{execution.tenant_id}:{row.code}")
        except CodedError:
            body = None
        is_whole = member.problem is None
        found.append(
            PastRecord(
                event_id=row.id,
                code=row.code,
                record_id=row.record_id,
                record=member.record if is_whole else None,
                old=member.old if is_whole else None,
                body=body,
                kind=row.kind,
                crm=row.crm,
            )
        )
    return found


def changes(execution: Execution) -> list[PastChange]:
    """What it changed of CRM records, exact, in the order asked for: one query. A dry run changes nothing."""
    writes = OutboxWrite.objects.filter(tenant=execution.tenant_id, execution=execution.code).order_by("pk")
    found = []
    for write in writes[:MOST_WRITES]:
        try:
            plain = unseal(write.sealed, context=f"outbox:{execution.tenant_id}:{write.code}")
        except CodedError:
            continue
        fields: Mapping[str, Any] = msgspec.msgpack.decode(plain) or {}
        found.append(PastChange(write.object, write.operation, write.record_id, dict(fields)))
    return found


def lease_of(execution: Execution) -> Lease:
    """What reading its events needs to know of its tenant; it leases nothing."""
    tenant = execution.tenant
    return Lease(
        lane_id=0,
        token=0,
        kind="replay",
        object=execution.object,
        tenant_id=tenant.pk,
        schema=tenant.schema_name,
        slug=tenant.slug,
        name=tenant.name,
        tier=tenant.tier_id,
        timezone=tenant.timezone,
        settings=tenant.settings,
    )
