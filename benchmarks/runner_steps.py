"""The steps of the runner's benchmark that need Django: each is one short process."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django

BODY = {
    "type": "ContactCreate",
    "locationId": "bench",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "phone": "+13035550100",
    "companyName": "Analytical Engines",
    "address1": "1 Main Street",
    "city": "Denver",
    "state": "CO",
    "postalCode": "80202",
    "country": "US",
    "source": "form",
    "tags": ["vip", "spring"],
    "timezone": "America/Denver",
    "dnd": False,
    "dateAdded": "2026-03-02T12:00:00.000Z",
}

_DONE = """
SELECT (SELECT count(*) FROM triggers_event_past WHERE status = 'succeeded' AND origin = 'live'),
       (SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM triggers_execution e
        JOIN tenants_tenant t ON t.id = e.tenant_id WHERE t.slug LIKE 'bench_')
"""


def main() -> None:
    step, *arguments = sys.argv[1:]
    django.setup()
    numbers = [int(argument) for argument in arguments]
    steps: dict[str, Any] = {
        "fill-baseline": fill_baseline,
        "wait-baseline": wait_baseline,
        "measure-steps": measure_steps,
        "measure-scoring": measure_scoring,
        "fill": fill,
        "ring": ring,
        "wait": wait,
    }
    told = steps[step](*numbers)
    if told is not None:
        print(json.dumps(told))


def fill_baseline(records: int) -> None:
    from django.db import connection

    from benchmarks.task_per_record.models import Lead
    from benchmarks.task_per_record.tasks import app, score_lead

    with connection.schema_editor() as editor:
        editor.create_model(Lead)
    leads = Lead.objects.bulk_create([Lead(payload={**BODY, "id": str(n)}) for n in range(records)])
    with app.producer_pool.acquire(block=True) as producer:
        for lead in leads:
            score_lead.apply_async([lead.pk], producer=producer)


def wait_baseline() -> dict[str, float]:
    from django.db.models import Count, Max, Min

    from benchmarks.task_per_record.models import Lead

    said = Lead.objects.aggregate(first=Min("scored_at"), last=Max("scored_at"), done=Count("scored_at"))
    seconds = (said["last"] - said["first"]).total_seconds() if said["done"] else 0.0
    return {"done": said["done"], "seconds": seconds}


def fill(records: int, tenants: int) -> None:
    """A backlog of ContactCreate events, spread over so many tenants."""
    from tenants.models import Tenant
    from tenants.provision import create_tenant
    from triggers import registry
    from triggers.models import TriggerConfig

    for spec in registry.registry():
        if spec.class_name != "Bench":
            TriggerConfig.objects.create(trigger=spec.name, is_enabled=False)
    for number in range(tenants):
        slug = f"bench{number}"
        tenant = Tenant.objects.filter(slug=slug).first() or create_tenant(slug=slug, name=slug, tier="paid")
        _put(tenant, records // tenants)


def ring() -> None:
    from triggers.tasks import serve_lanes

    for _ in range(4):
        serve_lanes.delay()


def wait() -> dict[str, float]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_DONE)
        done, seconds = cursor.fetchone()
    return {"done": done, "seconds": seconds or 0.0}


def measure_steps() -> dict[str, float]:
    """What single executions of a small trigger cost."""
    from triggers import registry

    return _measure(registry.load(registry.env().scripts), (("one", 1, 200), ("batch", 200, 30)))


def measure_scoring() -> dict[str, float]:
    """What executions of the shipped scoring cost, claim to settle."""
    from triggers import registry

    return _measure(registry.load(registry.DEFAULT_SCRIPTS), (("one", 1, 100), ("batch", 200, 40)))


def _measure(triggers: Any, sizes: tuple[tuple[str, int, int], ...]) -> dict[str, float]:
    """One supervisor in this process."""
    from benchmarks.runner import median_ms
    from governor import broker
    from governor.jail.supervisor import Zygote
    from tenants.provision import create_tenant
    from triggers.runner import Supervisor

    tenant = create_tenant(slug="single", name="Single", tier="paid")
    inside: list[float] = []

    def run(job: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return broker.run(job, **options)
        finally:
            inside.append(time.perf_counter() - started)

    zygote = Zygote(triggers.paths)
    engine = Supervisor(registry=triggers, zygote=zygote, run=run)
    told = {}
    for name, size, rounds in sizes:
        took: list[float] = []
        for number in range(rounds + 5):
            _put(tenant, size, origin="test")
            started = time.perf_counter()
            engine.step()
            if number >= 5:  # warm
                took.append(time.perf_counter() - started)
        told[f"{name}_ms"] = median_ms(took)
        told[f"{name}_outside_ms"] = median_ms(
            [whole - jail for whole, jail in zip(took, inside[-rounds:], strict=True)]
        )
    zygote.close()
    return told


def _put(tenant: Any, count: int, *, origin: str = "live") -> None:
    from django.db import connection

    from tenants.ids import new_code
    from tenants.scope import every_tenant
    from tenants.secrets import seal
    from triggers import lanes
    from triggers.models import LiveEvent

    with every_tenant(), connection.cursor() as cursor:
        lane_id = lanes.lane_of(cursor, tenant_id=tenant.pk, obj="Contact", kind="live")
        at = datetime.now(UTC) - timedelta(seconds=10)
        events = []
        for _ in range(count):
            code = new_code()
            body = json.dumps({**BODY, "id": code.hex, "email": f"{code.hex[-12:]}@example.test"}).encode()
            events.append(
                LiveEvent(
                    code=code,
                    tenant=tenant,
                    lane_id=lane_id,
                    crm="gohighlevel",
                    object="Contact",
                    operation="insert",
                    record_id=code.hex,
                    kind="ContactCreate",
                    occurred_at=at,
                    received_at=at,
                    delivery=code,
                    body=seal(body, context=f"event:{tenant.pk}:{code}"),
                    origin=origin,
                )
            )
        LiveEvent.objects.bulk_create(events, batch_size=1000)


if __name__ == "__main__":
    main()
