"""Celery's side of the engine: bells that are heard, and the beat's rounds. The rules are elsewhere."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import shared_task
from celery.signals import worker_process_shutdown, worker_ready
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from circuitos.env import env
from governor import broker, hosts, notice_slack, notices, retention
from governor.allowances import ALLOWANCES
from governor.jail import standing
from governor.jail.supervisor import Zygote
from logs import partitions
from tenants import audit_chain
from tenants.errors import CodedError
from triggers import (
    alerts,
    app_claims,
    app_unclaimed,
    approvals,
    backfill,
    bells,
    bulk_feed,
    connected,
    crm_fields,
    dead_letters,
    delivery_retention,
    heartbeat,
    jail_sign,
    lanes,
    missed,
    outbox_lanes,
    outbox_sender,
    parking,
    pulse,
    quarantine_news,
    reconcile,
    reconnecting,
    registry,
    rescue,
    upgrades,
)
from triggers.runner import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

SERVE_SECONDS = 5.0
SEND_SECONDS = 5.0
IMPORT_SECONDS = 3.0
LOOK_SECONDS = 3.0


@shared_task(name="triggers.tasks.serve_lanes")
def serve_lanes(*, lane_id: int | None = None, **_: Any) -> None:
    """A bell: serve whatever lane is ripe, not only the one that rang."""
    if lane_id is not None:
        bells.heard(lane_id)
        _Process.supervisor().listen(lane_id)
    is_more = _Process.supervisor().serve(seconds=SERVE_SECONDS)
    # What was replayed has made room for the next of its bulk replay.
    is_fed = bool(bulk_feed.feed(at=timezone.now()))
    if is_more or is_fed:
        _ring_waiting()
    else:
        send_outbox()


@shared_task(name="triggers.tasks.send_outbox")
def send_outbox(**_: Any) -> None:
    """Tell the CRMs what executions changed: when no lane is ripe, and by beat where there is always one."""
    with outbox_lanes.only_sender() as is_ours:
        if is_ours:
            outbox_sender.drain(seconds=SEND_SECONDS)


@shared_task(name="triggers.tasks.read_fields")
def read_fields(*, connection_id: int, **_: Any) -> None:
    """Ask a newly connected CRM for its fields."""
    crm_fields.read_first(connection_id, at=timezone.now())


@shared_task(name="triggers.tasks.feed_replays")
def feed_replays(**_: Any) -> None:
    """Go on with bulk replays: what fed them died, or nothing of them has run lately."""
    bulk_feed.feed(at=timezone.now())


@shared_task(name="triggers.tasks.wake")
def wake(**_: Any) -> None:
    """Ring for lanes with work that nobody serves: their bell was lost, or a retry is due."""
    _ring_waiting()
    _try_jail()


@shared_task(name="triggers.tasks.rescue_lanes")
def rescue_lanes(**_: Any) -> None:
    """Take the lanes of dead workers back, and open those whose parking ended."""
    with connection.cursor() as cursor:
        is_freed = bool(rescue.free_dead(cursor) + rescue.unpark(cursor))
    reconnecting.review(at=timezone.now())
    app_claims.review(at=timezone.now())
    if is_freed:
        _ring_waiting()


@shared_task(name="triggers.tasks.review_quotas")
def review_quotas(**_: Any) -> None:
    """Open what waited for a quota that has room again, tell owners, and list what waited for too long."""
    at = timezone.now()
    bells.ring(parking.review(at=at))
    if outbox_lanes.review(at=at):
        send_outbox()
    upgrades.close_met(at=at)
    parking.tell_caught_up(at=at)
    parking.expire(at=at, default_days=ALLOWANCES["parked_days"].default)
    notices.send(at=at)


@shared_task(name="triggers.tasks.review_alerts")
def review_alerts(**_: Any) -> None:
    """Look at the tenants' own rules, and post in Slack what they are to be told."""
    at = timezone.now()
    alerts.review(at=at)
    approvals.expire(at=at)
    quarantine_news.review(at=at)
    notice_slack.send(at=at)


@shared_task(name="triggers.tasks.take_pulse")
def take_pulse(**_: Any) -> None:
    """Sum up what ran lately for the overview's charts, and note whether all parts work."""
    pulse.take(at=timezone.now(), is_well=heartbeat.is_well())


@shared_task(name="triggers.tasks.import_history")
def import_history(**_: Any) -> None:
    """Go on with imports, while there is nothing live to do."""
    connected.notice(at=timezone.now())
    _in_spare_time(backfill.step, seconds=IMPORT_SECONDS)


@shared_task(name="triggers.tasks.find_missed")
def find_missed(*, is_start: bool = False, **_: Any) -> None:
    """Ask CRMs what changed, and make events of what they never told."""
    missed.mind(at=timezone.now(), is_start=is_start)
    _in_spare_time(missed.step, seconds=LOOK_SECONDS)


@shared_task(name="triggers.tasks.ensure_partitions")
def ensure_partitions(**_: Any) -> None:
    """Make the coming days' partitions, and drop those past their time."""
    partitions.ensure(timezone.now())


@shared_task(name="triggers.tasks.sweep_deliveries")
def sweep_deliveries(**_: Any) -> None:
    """Delete dedup keys past their window, refused deliveries past their day, hosts without news."""
    with connection.cursor() as cursor:
        delivery_retention.sweep(cursor, at=timezone.now())
        retention.sweep(cursor, at=timezone.now())
        app_unclaimed.sweep(cursor, at=timezone.now())
        hosts.purge(cursor)
    missed.forget_old(at=timezone.now())


@shared_task(name="triggers.tasks.group_failures")
def group_failures(**_: Any) -> None:
    """Sort failed executions into the groups of their faults."""
    dead_letters.sweep_all()


@shared_task(name="triggers.tasks.reconcile_usage")
def reconcile_usage(**_: Any) -> None:
    """Compare what was counted this month and the last with the ledger."""
    reconcile.mend(since=(timezone.now() - timedelta(days=31)).date().replace(day=1))


@shared_task(name="triggers.tasks.look_at_audit")
def look_at_audit(**_: Any) -> None:
    """Look at the next stretch of the audit log's chain."""
    chain = audit_chain.look(at=timezone.now())
    if not chain.holds:
        logger.error("The audit log was tampered with. %s", chain.sentence)


def _in_spare_time(step: Callable[..., bool], *, seconds: float) -> None:
    """Page by page, for about so long; what is live goes first."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and step(at=timezone.now()):
        with connection.cursor() as cursor:
            if lanes.with_work(cursor, limit=1):
                return


def _ring_waiting() -> None:
    with connection.cursor() as cursor:
        # What a dead neighbour leased has work and nobody to do it.
        rescue.free_dead(cursor)
        bells.ring(lanes.with_work(cursor))


def _try_jail() -> None:
    """Have the jail ready before it is needed, and leave a sign of how it is."""
    try:
        findings = standing.of_machine(env(), at=timezone.now())
        jail_sign.leave(findings)
        _Process.supervisor().zygote.start()
    except CodedError as error:
        logger.warning("The jail does not start: %s", error)
        heartbeat.sign("jail", "degraded")


class _Process:
    """This worker child's supervisor and zygote, made when the first bell is heard and never inherited."""

    _supervisor: Supervisor | None = None
    _pid = 0

    @classmethod
    def supervisor(cls) -> Supervisor:
        if cls._supervisor is None or cls._pid != os.getpid():
            triggers = registry.registry()
            zygote = Zygote(triggers.paths, mode=env().jail, is_safe=partial(standing.require, env()))
            cls._supervisor = Supervisor(registry=triggers, zygote=zygote, run=broker.run)
            cls._pid = os.getpid()
            # A child takes the place of one that died: its lane need not wait for the lease to end.
            with connection.cursor() as cursor:
                rescue.free_dead(cursor)
        elif env().reload:
            cls._supervisor.use(registry.reload_if_changed())
        return cls._supervisor

    @classmethod
    def close(cls) -> None:
        if cls._supervisor is not None and cls._pid == os.getpid():
            cls._supervisor.zygote.close()
        cls._supervisor = None


@worker_ready.connect
def _look_after_start(**_: Any) -> None:
    """What was not delivered while nothing ran is looked for at once."""
    try:
        find_missed.apply_async(kwargs={"is_start": True}, expires=60, retry=False)
    except OperationalError as error:
        logger.debug("The look after the start waits for the beat: %s", error)


@worker_process_shutdown.connect
def _close(**_: Any) -> None:
    _Process.close()
