"""The engine in tests: events put straight into lanes, and runs that answer without a jail."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection

from governor.job import Job, RunError, RunResult
from tenants.ids import new_code
from tenants.records.store import Change
from tenants.scope import every_tenant
from tenants.secrets import seal
from triggers import lanes
from triggers.models import Event, Execution, Lane, LiveEvent
from triggers.registry import Registry, TriggerSpec
from triggers.runner import Supervisor

if TYPE_CHECKING:
    from tenants.models import Tenant

_numbers = itertools.count(1)
KINDS = {"insert": "ContactCreate", "update": "ContactUpdate", "delete": "ContactDelete"}
Answer = Callable[[Job], RunResult]


def put(
    tenant: Tenant,
    record_id: str | None = None,
    *,
    operation: str = "insert",
    age: float = 10.0,
    obj: str = "Contact",
    occurred_at: datetime | None = None,
    **fields: Any,
) -> LiveEvent:
    """A waiting event of GoHighLevel, received ``age`` seconds ago; ``fields`` go into its body."""
    number = next(_numbers)
    record_id = record_id or f"contact-{number}"
    kind = KINDS[operation] if obj == "Contact" else f"{obj}Create"
    body = {
        "type": kind,
        "locationId": "loc",
        "id": record_id,
        "firstName": "Ada",
        "email": f"{record_id}@example.test",
        **fields,
    }
    return put_raw(
        tenant,
        json.dumps(body).encode(),
        record_id=record_id,
        operation=operation,
        kind=kind,
        age=age,
        obj=obj,
        occurred_at=occurred_at,
    )


def put_raw(
    tenant: Tenant,
    body: bytes,
    *,
    record_id: str,
    operation: str = "insert",
    kind: str = "ContactCreate",
    age: float = 10.0,
    obj: str = "Contact",
    occurred_at: datetime | None = None,
    crm: str = "gohighlevel",
) -> LiveEvent:
    """A waiting event with exactly this body."""
    code = new_code()
    with every_tenant(), connection.cursor() as cursor:
        lane_id = lanes.lane_of(cursor, tenant_id=tenant.pk, obj=obj, kind="live")
        return LiveEvent.objects.create(
            code=code,
            tenant=tenant,
            lane_id=lane_id,
            crm=crm,
            object=obj,
            operation=operation,
            record_id=record_id,
            kind=kind,
            occurred_at=occurred_at,
            received_at=datetime.now(UTC) - timedelta(seconds=age),
            delivery=new_code(),
            body=seal(body, context=f"event:{tenant.pk}:{code}"),
        )


def spec(name: str = "T.score", *operations: str, **fields: Any) -> TriggerSpec:
    """A trigger on Contact, after these operations (insert and update when none is named)."""
    operations = operations or ("insert", "update")
    class_name, _, method = name.partition(".")
    defaults: dict[str, Any] = {"object": "Contact", "batch_size": 200, "order": 0}
    return TriggerSpec(
        **{**defaults, **fields},
        name=name,
        events=tuple(f"after{operation.title()}" for operation in operations),
        operations=operations,
        module="m",
        class_name=class_name,
        method=method,
    )


class Runs:
    """Stands in for the broker: notes each job and gives the answer it is told to."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.jobs: list[Job] = []
        self.answer = answer or (lambda job: RunResult())

    def __call__(self, job: Job, *, zygote: Any, heartbeat: Callable[[], bool]) -> RunResult:
        self.jobs.append(job)
        self.heartbeat = heartbeat
        return self.answer(job)

    @property
    def batches(self) -> list[list[str]]:
        return [[record["id"] for record in job.records] for job in self.jobs]


def supervisor(
    runs: Runs | None = None, *specs: TriggerSpec, worker: str = "test-worker", **options: Any
) -> Supervisor:
    """A supervisor of these triggers (one on Contact when none is named)."""
    registry = Registry(specs or (spec(),), content="0123456789abcdef")
    return Supervisor(registry=registry, zygote=None, run=runs or Runs(), worker=worker, **options)


def drain(engine: Supervisor) -> None:
    """Serve until no lane is ripe."""
    while engine.step() == 0.0:
        pass


def scoring(job: Job) -> RunResult:
    """Writes a score to each record."""
    changes = [Change("Contact", "update", record["id"], {"score": 7}) for record in job.records]
    return RunResult(changes=changes)


def poisoned_by(*record_ids: str, code: str = "script.raised", **fields: Any) -> Answer:
    """Fails any batch that holds one of these records."""

    def answer(job: Job) -> RunResult:
        if any(record["id"] in record_ids for record in job.records):
            error = RunError(code=code, type="ValueError", detail="poison", traceback="Traceback…", **fields)
            return RunResult(error=error)
        return scoring(job)

    return answer


def events(tenant: Tenant) -> dict[str, list[Event]]:
    """The tenant's events by record, in the order acknowledged."""
    found: dict[str, list[Event]] = {}
    with every_tenant():
        for event in Event.objects.filter(tenant=tenant).order_by("id"):
            found.setdefault(event.record_id, []).append(event)
    return found


def statuses(tenant: Tenant) -> dict[str, list[str]]:
    return {record_id: [event.status for event in found] for record_id, found in events(tenant).items()}


def executions(tenant: Tenant | None = None) -> list[Execution]:
    with every_tenant():
        found = Execution.objects.order_by("id")
        return list(found.filter(tenant=tenant) if tenant else found)


def lane(tenant: Tenant, kind: str = "live") -> Lane:
    with every_tenant():
        found: Lane = Lane.objects.get(tenant=tenant, kind=kind, object="Contact")
        return found


def park(cursor: Any, lane_id: int, *, seconds: float, reason: str = "provider-down") -> None:
    """As an outage leaves a lane."""
    cursor.execute(
        "UPDATE triggers_lane SET parked_reason = %s,"
        " parked_until = clock_timestamp() + %s * interval '1 second' WHERE id = %s",
        [reason, seconds, lane_id],
    )


def mirror(tenant: Tenant, record_id: str) -> dict[str, Any]:
    """What the mirror holds of a contact."""
    from tenants.records import store

    with connection.cursor() as cursor:
        return store.get(cursor, schema=tenant.schema_name, object="Contact", ids=[record_id])[record_id]
