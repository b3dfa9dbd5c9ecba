"""The outbox: CRM writes that a settled execution asked for, stored in the transaction that settles it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tenants.ids import new_code
from tenants.secrets import seal
from triggers.models.outbox import OutboxStatus
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from tenants.records.store import Change

_INSERT = """
INSERT INTO triggers_outboxwrite
    (tenant_id, execution, status, created_at, code, connection_id, object, record_id, operation, sealed)
SELECT %s, %s::uuid, %s, %s, new.*
FROM unnest(%s::uuid[], %s::bigint[], %s::varchar[], %s::varchar[], %s::varchar[], %s::bytea[]) AS new
"""


def is_of_crm(obj: str) -> bool:
    """Whether CRMs hold this object; all others are the tenant's own and stay in the mirror."""
    return obj in FIELDS


def put(
    cursor: Any,
    changes: Sequence[Change],
    *,
    tenant_id: int,
    execution: UUID,
    connection_of: Mapping[tuple[str, str], int | None],
    otherwise: int | None,
    at: datetime,
) -> int:
    """Store a write for each change of a CRM's record. Returns how many.

    ``connection_of`` names the connection that a (object, id) came from; a record that came from none goes to
    ``otherwise``. No connection holds credentials to write with yet, so all are ``not-sent``: the mirror
    holds the change, and the row says what the CRM does not know.
    """
    writes = []
    for change in changes:
        connection_id = connection_of.get((change.object, change.id), otherwise)
        if connection_id is None or not is_of_crm(change.object):
            continue
        code = new_code()
        fields = msgspec.msgpack.encode(dict(change.fields))
        sealed = seal(fields, context=f"outbox:{tenant_id}:{code}")
        writes.append((str(code), connection_id, change.object, change.id, change.operation, sealed))
    if writes:
        columns = [list(column) for column in zip(*writes, strict=True)]
        cursor.execute(_INSERT, [tenant_id, str(execution), OutboxStatus.NOT_SENT.value, at, *columns])
    return len(writes)
