"""Rows of history: executions with their traces and events, as a settled run leaves them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from logs import search, traces
from tenants.ids import new_code
from tenants.scope import every_tenant
from tenants.secrets import seal
from triggers.models import Execution, LiveEvent

if TYPE_CHECKING:
    from tenants.models import Tenant

_numbers = itertools.count(1)
USAGE = {
    "api_calls": [3, 50],
    "wall_ms": [412, 30_000],
    "cpu_ms": [96, 10_000],
    "memory_mb": [11, 128],
    "record_queries": [1, 100],
    "records_read": [100, 10_000],
    "records_written": [100, 10_000],
    "log_lines": [2, 1_000],
}


def make_event(tenant: Tenant, **fields: Any) -> LiveEvent:
    """A live event of a contact; ``body`` is plain JSON bytes and stored sealed."""
    number = next(_numbers)
    code = fields.pop("code", None) or new_code()
    body = fields.pop("body", b'{"type":"ContactCreate","email":"ada@example.test","phone":"+13035550100"}')
    at = fields.setdefault("received_at", datetime.now(UTC))
    with every_tenant():
        return LiveEvent.objects.create(
            **{
                "code": code,
                "tenant": tenant,
                "crm": "gohighlevel",
                "object": "Contact",
                "operation": "insert",
                "record_id": f"contact-{number}",
                "kind": "ContactCreate",
                "occurred_at": at,
                "delivery": new_code(),
                "body": seal(body, context=f"event:{tenant.pk}:{code}"),
                **fields,
            }
        )


def make_execution(
    tenant: Tenant,
    *,
    records: list[dict[str, Any]] | None = None,
    trace: dict[str, Any] | None = None,
    at: datetime | None = None,
    **fields: Any,
) -> Execution:
    """A settled execution of three contacts; ``trace=False``-like ``{}`` keeps the usual trace."""
    number = next(_numbers)
    code = new_code()
    at = at or datetime.now(UTC)
    if records is None:
        records = [
            {
                "id": f"contact-{number}-{n}",
                "email": f"lead{number}.{n}@example.test",
                "phone": "+13035550100",
            }
            for n in range(3)
        ]
    defaults: dict[str, Any] = {
        "code": code,
        "root": code,
        "tenant": tenant,
        "trigger": "ContactTrigger.score_new_leads",
        "object": "Contact",
        "operation": "insert",
        "release": "local-1f2e3d4c",
        "status": "succeeded",
        "record_ids": [record["id"] for record in records],
        "terms": search.terms_of(records),
        "size": len(records),
        "ok": len(records),
        "attempts": 1,
        "now": at,
        "created_at": at,
        "started_at": at,
        "finished_at": at + timedelta(milliseconds=412),
        "wall_ms": 412,
        "cpu_ms": 96,
        "usage": USAGE,
    }
    with every_tenant():
        execution: Execution = Execution.objects.create(**{**defaults, **fields})
    if execution.finished_at is not None:
        with connection.cursor() as cursor:
            traces.write(
                cursor,
                tenant_id=tenant.pk,
                execution=execution.code,
                started_at=execution.started_at,
                release=execution.release,
                at=at,
                **{
                    "usage": execution.usage,
                    "outcomes": {record["id"]: ["ok", "", None] for record in records},
                    "spans": [{"name": "jail", "kind": "jail", "at_ms": 0, "ms": 400, "ok": True}],
                    **(trace or {}),
                },
            )
    return execution
