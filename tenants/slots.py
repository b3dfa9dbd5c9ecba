"""A ceiling for database connections of the web process: threads share a few slots.

Each thread has a connection of its own, and small managed plans allow about twenty in all. Whoever
wants the database in a web thread takes a slot; its connection is closed before the slot is given back.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import connections

from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOTS = 6
PATIENCE_SECONDS = 10.0

_slots = threading.BoundedSemaphore(SLOTS)
_held = threading.local()


class Busy(CodedError):
    """All connections were in use for as long as we cared to wait."""

    code = "circuitos.busy"
    status = 503


@contextmanager
def database_slot(*, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Use the database within. Nests: the inner one shares the outer's slot. Raises ``Busy``."""
    if getattr(_held, "depth", 0):
        _held.depth += 1
        try:
            yield
        finally:
            _held.depth -= 1
        return
    if not _slots.acquire(timeout=patience):
        raise Busy("The database is busy; try again in a moment.", headers={"Retry-After": "2"})
    _held.depth = 1
    try:
        yield
    finally:
        _held.depth = 0
        # First the connection, then the slot. One within a transaction belongs to the caller.
        for connection in connections.all(initialized_only=True):
            if not connection.in_atomic_block:
                connection.close()
        _slots.release()
