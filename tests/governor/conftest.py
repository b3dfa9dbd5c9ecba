"""One jail for the governor's tests, and a short way to run a handler of tests/governor/scripts in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from governor.broker import Job, RunResult, run
from governor.jail.supervisor import Zygote
from tenants.ids import new_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenants.models import Tenant

SCRIPTS = Path(__file__).parent / "scripts"
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Spec:
    """As much of a trigger's spec as the broker reads."""

    module: str
    class_name: str
    method: str

    @property
    def name(self) -> str:
        return f"{self.class_name}.{self.method}"


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    jail = Zygote([SCRIPTS])
    yield jail
    jail.close()


def make_job(tenant: Tenant, handler: str, **more: Any) -> Job:
    """A job for ``module.Class.method``, over two contacts unless told otherwise."""
    records = more.pop("records", None)
    more_settings = more.pop("tenant_settings", {})
    if records is None:
        records = [{"id": f"c{n}", "email": f"lead{n}@example.com"} for n in (1, 2)]
    execution = more.pop("execution", None) or new_code()
    given = {
        "object": "Contact",
        "operation": "insert",
        "olds": [None] * len(records),
        "old_known": [True] * len(records),
        "now": NOW,
        "root": execution,
        **more,
    }
    return Job(
        tenant_id=tenant.pk,
        schema=tenant.schema_name,
        tenant={
            "slug": tenant.slug,
            "name": tenant.name,
            "tier": tenant.tier_id,
            "timezone": "UTC",
            "settings": more_settings,
        },
        execution=execution,
        spec=Spec(*handler.split(".")),
        records=records,
        **given,
    )


@pytest.fixture
def execute(zygote: Zygote, acme: Tenant) -> Callable[..., RunResult]:
    """``execute("module.Class.method", records=…, limits=…)``: run it for acme."""

    def go(
        handler: str, *, tenant: Tenant = acme, heartbeat: Callable[[], bool] = lambda: True, **more: Any
    ) -> RunResult:
        return run(make_job(tenant, handler, **more), zygote=zygote, heartbeat=heartbeat)

    return go
