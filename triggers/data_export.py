"""A tenant's data as files: everything on one contact, not masked; or all records, line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from psycopg2 import sql

from logs.document import facts
from logs.models import Trace
from tenants import audit
from tenants.errors import CodedError
from tenants.records.jsonb import load
from tenants.scope import tenant_scope
from tenants.secrets import unseal
from tenants.slots import database_slot
from triggers.subject import Subject, before_of, find, plain_body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tenants.models import Tenant
    from triggers.models import Event, Execution, OutboxWrite

AT_A_TIME = 1_000
MOST_ROWS = 10_000  # of each kind, of one contact
_PAGE = """
SELECT id, object, external_id, source, data::text, deleted_at, created_at, updated_at
FROM {schema}.records_record WHERE id > %s ORDER BY id LIMIT %s
"""


def of_contact(tenant: Tenant, text: str, *, actor: str, at: datetime) -> bytes:
    """All that is held on a contact as JSON, in clear: the copy that it may ask for. Audited.

    Raises ``NoSubject`` or ``BadIdentifier``.
    """
    with tenant_scope(tenant.pk):
        subject = find(tenant, text)
        document = {
            "tenant": tenant.slug,
            "exported_at": at,
            "records": [_record(held) for held in subject.records],
            "events": [_event(event) for event in subject.events().order_by("pk")[:MOST_ROWS]],
            "executions": _executions(subject),
            "crm_writes": [_write(write) for write in subject.outbox().order_by("pk")[:MOST_ROWS]],
        }
    counts = {name: len(rows) for name, rows in document.items() if isinstance(rows, list)}
    audit.record(
        actor=actor,
        verb="exported a contact",
        target=f"tenant {tenant.slug}",
        tenant=tenant,
        data=counts,
        at=at,
    )
    return json.dumps(document, indent=1, ensure_ascii=False, cls=DjangoJSONEncoder).encode()


def all_records(tenant: Tenant, *, actor: str, at: datetime) -> Iterator[bytes]:
    """Every record of the mirror, a line of JSON each, a portion at a time. Audited when it begins."""
    audit.record(
        actor=actor, verb="exported all records", target=f"tenant {tenant.slug}", tenant=tenant, at=at
    )
    return _lines(tenant)


def _lines(tenant: Tenant) -> Iterator[bytes]:
    statement = sql.SQL(_PAGE).format(schema=sql.Identifier(str(tenant.schema_name)))
    last = 0
    while True:
        # A slot for each portion: whoever reads slowly holds no connection meanwhile.
        with database_slot(), connection.cursor() as cursor:
            cursor.execute(statement, [last, AT_A_TIME])
            rows = cursor.fetchall()
        for _, obj, external_id, source, data, deleted_at, created_at, updated_at in rows:
            row = {
                "object": obj,
                "id": external_id,
                "source": source,
                "data": load(data),
                "deleted_at": deleted_at,
                "created_at": created_at,
                "updated_at": updated_at,
            }
            yield (json.dumps(row, ensure_ascii=False, cls=DjangoJSONEncoder) + "\n").encode()
        if len(rows) < AT_A_TIME:
            return
        last = rows[-1][0]


def _record(held: Any) -> dict[str, Any]:
    return {
        "object": held.object,
        "id": held.id,
        "source": held.source,
        "data": held.data,
        "deleted_at": held.deleted_at,
        "created_at": held.created_at,
        "updated_at": held.updated_at,
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.code,
        "object": event.object,
        "record_id": event.record_id,
        "kind": event.kind,
        "status": event.status,
        "received_at": event.received_at,
        "body": plain_body(event),
        "before": before_of(event),
    }


def _executions(subject: Subject) -> list[dict[str, Any]]:
    found = list(subject.executions().select_related("tenant").order_by("pk")[:MOST_ROWS])
    outcomes = dict(
        Trace.objects.filter(
            execution__in=[each.code for each in found],
            started_at__gte=min((each.created_at for each in found), default=None),
        ).values_list("execution", "outcomes")
        if found
        else ()
    )
    return [_execution(each, subject, outcomes.get(each.code) or {}) for each in found]


def _execution(execution: Execution, subject: Subject, outcomes: dict[str, Any]) -> dict[str, Any]:
    ids = {record_id for obj, record_id in subject.keys if obj == execution.object}
    return {
        **facts(execution),
        # Its own outcomes: the batch may hold other people.
        "outcomes": {record_id: said for record_id, said in outcomes.items() if record_id in ids},
    }


def _write(write: OutboxWrite) -> dict[str, Any]:
    return {
        "id": write.code,
        "object": write.object,
        "record_id": write.record_id,
        "operation": write.operation,
        "status": write.status,
        "created_at": write.created_at,
        "sent_at": write.sent_at,
        "fields": _opened(write.sealed, f"outbox:{write.tenant_id}:{write.code}"),
    }


def _opened(sealed: bytes | memoryview | None, context: str) -> Any:
    if not sealed:
        return None
    try:
        return msgspec.msgpack.decode(unseal(sealed, context=context))
    except (CodedError, ValueError):
        return None
