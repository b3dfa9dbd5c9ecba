"""Runs a trigger in the jail over records from a file, writes nothing, and keeps nothing."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction

from circuitos.env import env
from governor import broker, on_limit
from governor.jail import standing
from governor.jail.supervisor import Zygote
from governor.job import DRY, Job
from tenants.errors import CodedError
from tenants.ids import new_code
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from governor.job import RunResult
    from tenants.models import Tenant
    from triggers.registry import Registry, TriggerSpec

Batch = list[tuple[dict[str, Any], dict[str, Any] | None]]


class BadRecords(CodedError):
    """The file holds no records."""

    code = "triggers.bad-records"


class WrongEvent(CodedError):
    """The trigger does not run on that event."""

    code = "triggers.wrong-event"


def read_records(file: Path) -> Batch:
    """Records and their old images: a JSON list, one record, or ``{"records": […], "old": […]}``.

    Raises ``BadRecords`` saying what is wrong with the file.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRecords(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadRecords(f"{file} is no JSON: {error}.") from error
    records, olds = found, None
    if isinstance(found, dict):
        records, olds = (found["records"], found.get("old")) if "records" in found else ([found], None)
    olds = [None] * len(records) if olds is None and isinstance(records, list) else olds
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise BadRecords(f"{file} must hold a list of records.")
    if not isinstance(olds, list) or len(olds) != len(records):
        raise BadRecords(f'"old" in {file} must hold an image (or null) for each record.')
    batch: Batch = []
    for index, (record, old) in enumerate(zip(records, olds, strict=True)):
        record_id = str(record.get("id") or f"r{index + 1}")
        batch.append(({**record, "id": record_id}, None if old is None else {**old, "id": record_id}))
    if len({record["id"] for record, _ in batch}) != len(batch):
        raise BadRecords(f"{file} holds two records of one id.")
    return batch


def dry_run(
    *,
    registry: Registry,
    spec: TriggerSpec,
    tenant: Tenant,
    batch: Batch,
    event: str = "",
    settings: Mapping[str, Any] | None = None,
    at: datetime,
) -> RunResult:
    """Run the trigger once in dry mode: reads happen, writes are recorded, not made; nothing is kept.

    ``event`` is one of the trigger's, its first by default. Raises ``WrongEvent``, ``BadRecords`` when the
    batch is larger than the trigger's, ``JailBroken`` and ``JailUnsafe``.
    """
    chosen = event or (spec.events[0] if spec.events else "afterInsert")
    if spec.events and chosen not in spec.events:
        raise WrongEvent(f"{spec.name} runs on {', '.join(spec.events)}, not on {chosen}.")
    if len(batch) > spec.batch_size:
        raise BadRecords(
            f"{len(batch)} records are more than the {spec.batch_size} that {spec.name} takes at once."
        )
    timing = "before" if chosen.startswith("before") else "after"
    execution = new_code()
    job = Job(
        tenant_id=tenant.pk,
        schema=tenant.schema_name,
        tenant={
            "slug": tenant.slug,
            "name": tenant.name,
            "tier": tenant.tier_id,
            "timezone": tenant.timezone,
            "settings": tenant.settings,
        },
        execution=execution,
        root=execution,
        spec=spec,
        release=registry.release,
        mode=DRY,
        object=spec.object,
        operation=chosen.removeprefix(timing).lower(),
        timing=timing,
        records=[_complete(spec.object, record) for record, _ in batch],
        olds=[None if old is None else _complete(spec.object, old) for _, old in batch],
        old_known=[old is not None for _, old in batch],
        limits=spec.limits,
        now=at,
        settings=settings or {},
    )
    zygote = Zygote(registry.paths, mode=env().jail, is_safe=partial(standing.require, env()))
    try:
        zygote.start()  # before the clock of the execution runs
        with transaction.atomic():
            result = broker.run(job, zygote=zygote, heartbeat=lambda: True)
            if on_limit.is_due(spec, result):
                result = on_limit.add(job, result, run=broker.run, zygote=zygote, heartbeat=lambda: True)
            transaction.set_rollback(True)  # the journal of a dry run is of no use
    finally:
        zygote.close()
    failed = {key for key, outcome in result.outcomes.items() if outcome[0] == "failed"}
    if result.error is not None:
        return result
    # As at the settle: what was asked of a record that failed is not done.
    result.changes = [each for each in result.changes if each.object != spec.object or each.id not in failed]
    return result


def _complete(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    return {**dict.fromkeys(FIELDS.get(name, ())), **record}
