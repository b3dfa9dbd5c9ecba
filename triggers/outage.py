"""Outages: work whose host is down waits in its parked lane, whole and untried, until the host is back."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from governor import hosts
from governor.host_watch import PROVIDER_DOWN
from triggers import bells, lanes

if TYPE_CHECKING:
    from governor.job import RunResult
    from triggers.lanes import Lease

PARKED = "provider-down"


def is_outage(result: RunResult) -> bool:
    """Whether the run failed by a host that is down, as its broker saw; a script cannot say so."""
    error = result.error
    return error is not None and error.is_retryable and error.code == PROVIDER_DOWN


def park(cursor: Any, lease: Lease, result: RunResult) -> None:
    """Park the lane until the probe. Call it in the settling transaction."""
    assert result.error is not None
    host = str(result.error.data.get("host", ""))
    # Its row stays as it is until we committed: who closes the circuit then finds this lane parked.
    seconds = hosts.waits(cursor, tenant_id=lease.tenant_id, host=host)
    if seconds > 0:
        lanes.park(cursor, lease, reason=PARKED, until=timezone.now() + timedelta(seconds=seconds))


def resume(cursor: Any, *, tenant_id: int) -> None:
    """A host of the tenant is back: what waits for it goes on once this transaction is committed."""
    opened = lanes.unpark(cursor, tenant_id=tenant_id, reason=PARKED)
    if opened:
        transaction.on_commit(partial(bells.ring, opened))
