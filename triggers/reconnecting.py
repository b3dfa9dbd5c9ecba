"""Connections that lost their access: the owner is told once, and what waits goes on when it is back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import connection as database
from django.db import transaction

from governor import notices
from tenants.models import Connection
from triggers import bells

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

MOST_SHOWN = 1_000  # waiting events, counted
AT_A_TIME = 200  # connections of one round

_WAITING = """
SELECT count(*) FROM (
    SELECT FROM public.triggers_liveevent
    WHERE lane_id IS NULL AND status = 'queued' AND connection_id = %s LIMIT %s) few
"""
# Whoever resumes first has the row; the others find nothing held.
_LET_GO = """
UPDATE public.tenants_connection SET is_held = false
WHERE id = %s AND is_held AND reconnect_since IS NULL RETURNING id
"""
# Each into the lane that it would have come to. In order: a lane serves its events by id.
_INTO_LANES = """
UPDATE public.triggers_liveevent waiting SET lane_id = lane.id
FROM public.triggers_lane lane, public.tenants_connection linked
WHERE waiting.lane_id IS NULL AND waiting.status = 'queued'
  AND linked.id = waiting.connection_id AND NOT linked.is_held
  AND lane.tenant_id = waiting.tenant_id AND lane.object = waiting.object
  AND lane.shard = 0 AND lane.kind = 'live'
RETURNING lane.id
"""


def review(*, at: datetime) -> int:
    """A round of the beat: tell owners, and resume what is connected again. Returns how many resumed."""
    held = Connection.objects.filter(is_held=True).select_related("tenant").order_by("pk")[:AT_A_TIME]
    resumed = 0
    for each in held:
        if each.reconnect_since is None:
            resumed += resume(each)
        else:
            tell(each, at=at)
    # What an ingest that began before the last resuming stored after it.
    _rejoin()
    return resumed


def tell(connection: Connection, *, at: datetime) -> bool:
    """Tell the owner, once for each time that the access was lost."""
    with transaction.atomic(), database.cursor() as cursor:
        return notices.tell(
            cursor,
            tenant_id=connection.tenant_id,
            key=f"reconnect:{connection.code}:{connection.reconnect_since:%Y%m%dT%H%M%S%f}",
            kind="reconnect",
            subject=f"{connection} needs reconnecting",
            text=(
                f"{connection.reconnect_reason} What it sends is kept and waits in order, and nothing is"
                " written to it. Open Connections in your portal and connect it again: all of it goes on."
            ),
            at=at,
        )


def resume(connection: Connection) -> bool:
    """Let the events and writes of a connection go on that is connected again. False: nothing was held."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_LET_GO, [connection.pk])
        if cursor.fetchone() is None:
            return False
        lanes = _into_lanes()
        transaction.on_commit(lambda: bells.ring(lanes))
    connection.is_held = False
    logger.info("Connection %s goes on", connection.code)
    return True


def waiting(connection: Connection) -> int:
    """How many of its events wait for it to be connected again, counted up to ``MOST_SHOWN`` and one."""
    with database.cursor() as cursor:
        cursor.execute(_WAITING, [connection.pk, MOST_SHOWN + 1])
        return int(cursor.fetchone()[0])


def _rejoin() -> None:
    with transaction.atomic():
        lanes = _into_lanes()
        if lanes:
            transaction.on_commit(lambda: bells.ring(lanes))


def _into_lanes() -> set[int]:
    with database.cursor() as cursor:
        cursor.execute(_INTO_LANES)
        return {lane_id for (lane_id,) in cursor.fetchall()}
