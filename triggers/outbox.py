"""The outbox: CRM writes that a settled execution asked for, stored in the transaction that settles it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tenants.ids import new_code
from tenants.secrets import seal
from triggers.crm import WRITERS
from triggers.models.outbox import OutboxStatus
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from tenants.records.store import Change, Written

# Where a stored write keeps its ``crm.writer.Hints``: no field has such a name.
HINTS = "\0"
# A write waits to be sent when its connection holds credentials and its CRM's writer knows the object.
_INSERT = """
WITH stored AS (
    INSERT INTO triggers_outboxwrite
        (tenant_id, execution, created_at, problem, attempts, remote_id,
         code, connection_id, object, record_id, operation, sealed, status)
    SELECT %(tenant)s, %(execution)s::uuid, %(at)s, '', 0, '',
           new.code, new.connection_id, new.object, new.record_id, new.operation, new.sealed,
           CASE WHEN connection.sealed_credentials IS NOT NULL AND (connection.crm, new.object) IN
                     (SELECT * FROM unnest(%(crms)s::text[], %(objects)s::text[]))
                THEN %(pending)s ELSE %(not_sent)s END
    FROM unnest(%(code)s::uuid[], %(connection)s::bigint[], %(object)s::varchar[], %(record)s::varchar[],
                %(operation)s::varchar[], %(sealed)s::bytea[])
        WITH ORDINALITY AS new (code, connection_id, object, record_id, operation, sealed, place)
    LEFT JOIN tenants_connection connection ON connection.id = new.connection_id
    ORDER BY new.place
    RETURNING connection_id, status
)
INSERT INTO triggers_outboxlane (connection_id, tenant_id, token, attempts, problem)
SELECT DISTINCT connection_id, %(tenant)s, 0, 0, '' FROM stored WHERE status = %(pending)s
ON CONFLICT (connection_id) DO NOTHING
"""
# What a CRM may want with every request, also one that does not change it.
_KNOWN = {"Opportunity": ("name", "status"), "Task": ("contact_id",), "Note": ("contact_id",)}
_ABOUT_CONTACTS = frozenset({"Task", "Note"})
_WRITABLE = [(crm, obj) for crm, writer in WRITERS.items() for obj in writer.OBJECTS]


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
    hints: Mapping[tuple[str, str], Sequence[Any]] | None = None,
) -> int:
    """Store a write for each change of a CRM's record. Returns how many.

    ``connection_of`` names the connection that a (object, id) came from; a record that came from none goes to
    ``otherwise``. Where a connection holds credentials they are ``pending`` and ``outbox_sender`` sends them;
    else, and to CRMs without a writer (HubSpot and GoHighLevel have one), they are ``not-sent``: the mirror
    holds the change, and the row says what the CRM does not know. ``hints`` are those of ``hints_of``.
    """
    writes = []
    for change in changes:
        connection_id = connection_of.get((change.object, change.id), otherwise)
        if connection_id is None or not is_of_crm(change.object):
            continue
        code = new_code()
        told = (hints or {}).get((change.object, change.id))
        fields = {**change.fields, HINTS: told} if told else dict(change.fields)
        sealed = seal(msgspec.msgpack.encode(fields), context=f"outbox:{tenant_id}:{code}")
        writes.append((str(code), connection_id, change.object, change.id, change.operation, sealed))
    if writes:
        columns = [list(column) for column in zip(*writes, strict=True)]
        names = ("code", "connection", "object", "record", "operation", "sealed")
        crms, objects = zip(*_WRITABLE, strict=True)
        cursor.execute(
            _INSERT,
            {
                **dict(zip(names, columns, strict=True)),
                "tenant": tenant_id,
                "execution": str(execution),
                "at": at,
                "crms": list(crms),
                "objects": list(objects),
                "pending": OutboxStatus.PENDING.value,
                "not_sent": OutboxStatus.NOT_SENT.value,
            },
        )
    return len(writes)


def hints_of(
    changes: Sequence[Change], written: Sequence[Written], *, contact_of: Mapping[str, Any]
) -> dict[tuple[str, str], list[Any]]:
    """What each change means beside its fields, as ``crm.writer.Hints`` takes it; of most nothing.

    ``contact_of`` names the contact of the records that the execution was about.
    """
    images = {(each.object, each.id): each for each in written}
    found: dict[tuple[str, str], list[Any]] = {}
    for change in changes:
        key = (change.object, change.id)
        if change.operation == "delete" or not is_of_crm(change.object):
            before = images[key].before if key in images else None
            contact = (before or {}).get("contact_id") if is_of_crm(change.object) else None
            if contact:
                found[key] = [[], [], {"contact_id": contact}]
            continue
        before = (images[key].before if key in images else None) or {}
        added: list[str] = []
        removed: list[str] = []
        if change.object == "Contact" and isinstance(change.fields.get("tags"), list):
            had = [str(tag) for tag in before.get("tags") or ()]
            has = [str(tag) for tag in change.fields["tags"]]
            added = [tag for tag in dict.fromkeys(has) if tag not in had]
            removed = [tag for tag in dict.fromkeys(had) if tag not in has]
        names = _KNOWN.get(change.object, ())
        known = {name: before[name] for name in names if before.get(name) and name not in change.fields}
        if change.object in _ABOUT_CONTACTS and not (
            known.get("contact_id") or change.fields.get("contact_id")
        ):
            contact = contact_of.get(str(change.fields.get("record_id") or ""))
            known |= {"contact_id": contact} if contact else {}
        if added or removed or known or "tags" in change.fields:
            found[key] = [added, removed, known]
    return found
