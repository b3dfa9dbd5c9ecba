"""Trigger configuration: which triggers run for a tenant's events, in which order, with which settings."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from triggers.sizing import Profiles

if TYPE_CHECKING:
    from triggers.lanes import Lease
    from triggers.registry import Registry, TriggerSpec

FRESH_SECONDS = 5.0  # how long a switch may take to reach a running worker
FRESH_WHILE_PAUSED = 0.2  # and the end of a pause: its events wait for nothing else

_ROWS = """
SELECT trigger, is_enabled, coalesce(paused_until > clock_timestamp(), false) AS is_paused, "order", settings
FROM triggers_triggerconfig
WHERE tenant_id = %s OR tenant_id IS NULL ORDER BY tenant_id NULLS FIRST
"""


@dataclass(frozen=True)
class Wanted:
    """A trigger that is to run, as configured for the tenant."""

    spec: TriggerSpec
    order: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class _Row:
    is_enabled: bool
    is_paused: bool
    order: int | None
    settings: dict[str, Any]


class Configuration:
    """The switches of all tenants, read when they are needed and kept for seconds."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.profiles = Profiles()
        self._rows: dict[int, tuple[float, float, dict[str, _Row]]] = {}

    def wanted(
        self, cursor: Any, *, tenant_id: int, obj: str, operation: str, timing: str = "after"
    ) -> tuple[Wanted, ...]:
        """The triggers that run after this operation, or before it, in the order they run."""
        specs = self.registry.for_event(obj, operation, timing)
        if not specs:
            return ()
        rows = self._of(cursor, tenant_id)
        found = []
        for spec in specs:
            row = rows.get(spec.name)
            if row is None:
                found.append(Wanted(spec, spec.order, {}))
            elif row.is_enabled:
                found.append(Wanted(spec, spec.order if row.order is None else row.order, row.settings))
        return tuple(sorted(found, key=lambda wanted: (wanted.order, wanted.spec.name)))

    def paused(self, cursor: Any, lease: Lease) -> frozenset[str]:
        """The triggers whose executions wait in this lane. What a person replays does not."""
        if lease.is_replay:
            return frozenset()
        rows = self._of(cursor, lease.tenant_id)
        return frozenset(name for name, row in rows.items() if row.is_paused)

    def is_paused(self, cursor: Any, *, tenant_id: int, trigger: str) -> bool:
        """Whether the tenant's trigger is paused."""
        row = self._of(cursor, tenant_id).get(trigger)
        return row is not None and row.is_paused

    def settings(self, cursor: Any, *, tenant_id: int, trigger: str) -> dict[str, Any]:
        """The tenant's settings of a trigger."""
        row = self._of(cursor, tenant_id).get(trigger)
        return row.settings if row else {}

    def _of(self, cursor: Any, tenant_id: int) -> dict[str, _Row]:
        read_at, fresh, rows = self._rows.get(tenant_id, (0.0, 0.0, {}))
        now = time.monotonic()
        if not read_at or now - read_at > fresh:
            cursor.execute(_ROWS, [tenant_id])
            rows = {}
            for name, is_enabled, is_paused, order, settings in cursor.fetchall():
                row = _Row(is_enabled, is_paused, order, msgspec.json.decode(settings))
                # The row for all tenants comes first.
                rows[name] = _over(rows[name], row) if name in rows else row
            fresh = FRESH_WHILE_PAUSED if any(row.is_paused for row in rows.values()) else FRESH_SECONDS
            self._rows[tenant_id] = (now, fresh, rows)
        return rows


def _over(of_all: _Row, own: _Row) -> _Row:
    """A tenant's own row over the one for all: what it leaves open is as for all, and either may pause."""
    return _Row(
        is_enabled=own.is_enabled,
        is_paused=own.is_paused or of_all.is_paused,
        order=of_all.order if own.order is None else own.order,
        settings=own.settings or of_all.settings,
    )
