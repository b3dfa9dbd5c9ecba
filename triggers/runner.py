"""Running: a supervisor leases a lane, claims a batch, runs each execution in the jail and settles it."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import DataError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from governor.policy import Policies
from governor.quotas import OVER_QUOTA
from triggers import admission, bisect, claim, lanes, outage, rescue, settle, work
from triggers.config import Configuration
from triggers.launch import Launcher, not_run
from triggers.registry import UnknownTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from governor.job import RunResult
    from triggers.lanes import Lease
    from triggers.registry import Registry, TriggerSpec
    from triggers.work import Work

logger = logging.getLogger(__name__)

STEP = 0.05  # seconds: the longest sleep while a batch fills
YIELD_AFTER = 2.0  # seconds of one lane's executions after which other lanes get their turn
YIELD_REPLAYS_AFTER = 0.25  # the same for replays: live events of their tenant wait no longer than that
PASS_OVER = 0.5  # seconds a lane that had nothing for us is left alone
PASS_OVER_FAULT = 30.0  # and one that a fault of ours keeps from being served
# How many events to claim after so many could not be stored.
SMALLER = {claim.MOST: 14, 14: 1}
RECONNECT_SECONDS = 30.0
LEASE_LOST = "triggers.lease-lost"
UNSTORABLE = "triggers.unstorable"
# What PostgreSQL, or its driver, says to a value it cannot hold.
REFUSED = (DataError, ValueError)


class _Refused(Exception):
    """The claim was rolled back: it holds a value that cannot be stored."""


class Supervisor:
    """One worker process: serves whatever lane is ripe. Uses the database from one thread only."""

    def __init__(
        self,
        *,
        registry: Registry,
        zygote: Any,
        run: Callable[..., RunResult],
        worker: str | None = None,
        lease_seconds: float = lanes.LEASE_SECONDS,
    ) -> None:
        self.worker = worker or lanes.worker_name()
        self.configuration = Configuration(registry)
        self.zygote = zygote
        self.lease_seconds = lease_seconds
        self.policies = Policies()
        self._launcher = Launcher(run=run, policies=self.policies)
        self._passed_over: dict[int, float] = {}
        self._refused: dict[int, int] = {}
        self._lease: Lease | None = None

    def use(self, registry: Registry) -> None:
        """Run these scripts from the next claim on."""
        if registry is not self.configuration.registry:
            self.configuration = Configuration(registry)
            self.zygote.reload(registry.paths)

    def listen(self, lane_id: int) -> None:
        """A bell rang for this lane: look at it again, though it had nothing a moment ago."""
        if self._passed_over.get(lane_id, 0.0) - time.monotonic() <= PASS_OVER:
            self._passed_over.pop(lane_id, None)

    def serve(self, *, seconds: float = 5.0) -> bool:
        """Serve ripe lanes until none has work or the time is over. True: there is still work."""
        until = time.monotonic() + seconds
        while True:
            try:
                ripe_in = self.step()
            except (OperationalError, InterfaceError) as error:
                logger.warning("The database is gone, its batch will be run again: %s", error)
                if not self._reconnect():
                    return False
                ripe_in = 0.0
            if ripe_in is None:
                return False
            if time.monotonic() >= until:
                return True
            if ripe_in > 0:
                time.sleep(min(ripe_in, STEP))

    def step(self) -> float | None:
        """Serve one lane once. Returns the seconds until the next is ripe; None when none has work."""
        self._lease = None
        try:
            return self._step()
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            lease = self._taken()
            if lease is None:
                raise
            # A fault of ours in one lane must not keep the others from being served.
            logger.exception("Lane %s cannot be served", lease.lane_id)
            self._passed_over[lease.lane_id] = time.monotonic() + PASS_OVER_FAULT
            with connection.cursor() as cursor:
                lanes.release(cursor, lease, is_served=False)
            return 0.0

    def _step(self) -> float | None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                lease, ripe_in = lanes.take(
                    cursor,
                    worker=self.worker,
                    passed_over=self._left_alone(),
                    lease_seconds=self.lease_seconds,
                )
                if lease is None:
                    return ripe_in
                self._lease = lease
                works = self._works(cursor, lease)
        except _Refused:
            return 0.0
        if works:
            try:
                self._run_all(lease, works)
            except settle.Fenced:
                logger.warning("Another worker serves lane %s; nothing was committed.", lease.lane_id)
        return 0.0

    def _works(self, cursor: Any, lease: Lease) -> list[Work]:
        """What is to run in the leased lane now. Without any, the lease is given back."""
        at = timezone.now()
        gate = admission.Gate(cursor, lease, self.policies.of(cursor, lease.tenant_id), at=at)
        left = rescue.resume(cursor, lease, paused=self.configuration.paused(cursor, lease))
        if left.works:
            return self._resumed(cursor, lease, gate, left.works, at)
        if not lease.is_replay and gate.is_closed():
            # An operator may have raised the quota since the policy was read.
            self.policies.forget(lease.tenant_id)
            gate = admission.Gate(cursor, lease, self.policies.of(cursor, lease.tenant_id), at=at)
            if gate.is_closed():
                gate.park()
                return []
        claimed = claim.Claimed() if lease.is_replay else self._claim(cursor, lease, left.held, gate, at)
        if gate.refusal is not None:
            gate.park()
        elif not claimed.works:
            lanes.release(cursor, lease, is_served=not claimed.is_empty)
        if claimed.is_empty:
            # Its waiting events are held back by an execution whose next attempt is still to come.
            self._passed_over[lease.lane_id] = time.monotonic() + PASS_OVER
        return claimed.works

    def _resumed(
        self, cursor: Any, lease: Lease, gate: admission.Gate, works: list[Work], at: datetime
    ) -> list[Work]:
        """Start the first execution of those left; of replays, which have no order, the first that may."""
        while works and not gate.admit(works[0], spec=self._spec(works[0])):
            works = works[1:] if lease.is_replay else []
        if works:
            work.start(cursor, works[0], at=at)
        else:
            gate.park()
        return works

    def _spec(self, wanted: Work) -> TriggerSpec | None:
        try:
            return self.configuration.registry.get(wanted.trigger)
        except UnknownTrigger:
            return None

    def _claim(
        self, cursor: Any, lease: Lease, held: set[str], gate: admission.Gate, at: datetime
    ) -> claim.Claimed:
        """Claim a batch; one that could not be stored is smaller now, down to the event that is at fault."""
        most = self._refused.pop(lease.lane_id, claim.MOST)
        wanted = partial(
            claim.claim, cursor, lease, configuration=self.configuration, held=held, gate=gate, at=at
        )
        try:
            if most > 1:
                return wanted(most=most)
            # Set aside under the same lock: later, another worker may have done so, and the next be innocent.
            with transaction.atomic():
                return wanted(most=1)
        except REFUSED as error:
            refusal = _first_line(error)
            logger.warning("%d events of lane %s cannot be stored: %s", most, lease.lane_id, refusal)
            if most > 1:
                self._refused[lease.lane_id] = SMALLER[most]
                raise _Refused from error
            return claim.set_aside(cursor, lease, held=held, code=UNSTORABLE, detail=refusal, at=at)

    def _run_all(self, lease: Lease, works: Sequence[Work]) -> None:
        """Run the executions in order, one settle each. Raises ``Fenced``."""
        queue = deque(works)
        given_up: set[UUID] = set()
        began = time.monotonic()
        while queue:
            current = queue.popleft()
            if current.root in given_up:
                result = not_run(bisect.GIVEN_UP, "Both halves of its batch came to the same limit.")
            else:
                result = self._run(lease, current)
            # Retryable: said by the broker, not raised by a script.
            if result.error and result.error.code == LEASE_LOST and result.error.is_retryable:
                raise settle.Fenced
            is_over = time.monotonic() - began > (YIELD_REPLAYS_AFTER if lease.is_replay else YIELD_AFTER)
            try:
                is_last = self._settle(lease, current, result, queue, given_up, is_over=is_over)
            except REFUSED as error:
                logger.exception("What execution %s did cannot be stored", current.code)
                refused = not_run(UNSTORABLE, f"What it did cannot be stored: {_first_line(error)}")
                # Nothing of it can be kept but what it cost.
                kept = ("usage", "ai_tokens_in", "ai_tokens_out", "ai_cost_micros")
                result = replace(refused, **{name: getattr(result, name) for name in kept})
                is_last = self._settle(lease, current, result, queue, given_up, is_over=is_over)
            if is_last:
                return

    def _settle(
        self,
        lease: Lease,
        current: Work,
        result: RunResult,
        queue: deque[Work],
        given_up: set[UUID],
        *,
        is_over: bool,
    ) -> bool:
        """Commit one execution's end and the next one's start. True: the lane was given back."""
        with transaction.atomic(), connection.cursor() as cursor:
            at = timezone.now()
            ending = bisect.decide(current, result, family=partial(settle.family, cursor, current))
            spent = admission.spent_by(current, ending, result)
            is_outage = outage.is_outage(result)
            is_last = is_over or is_outage or not (queue or ending.parts)
            settle.fence(cursor, lease, is_last=is_last, lease_seconds=self.lease_seconds)
            if result.has_recovered:
                outage.resume(cursor, tenant_id=lease.tenant_id)
            if ending.retry_in is not None and ending.code in bisect.PARKING:
                current.attempts = max(0, current.attempts - 1)
            parts = settle.settle(
                cursor,
                lease,
                current,
                ending=ending,
                result=result,
                is_counted=bool(spent.executions),
                at=at,
            )
            self.configuration.profiles.learn(cursor, lease.tenant_id, current, result=result, at=at)
            waiting = deque(queue)
            _enqueue(waiting, parts)
            gate = admission.Gate(cursor, lease, self.policies.of(cursor, lease.tenant_id), at=at)
            gate.charge(current, spent)
            if is_outage:
                outage.park(cursor, lease, result)
            elif ending.code == OVER_QUOTA and ending.error is not None:
                spec = self._spec(current)
                is_last = gate.is_used_up(current, ending.error.limit, spec=spec) or is_last
            if not is_last:
                # A copy, so that a transaction that is rolled back leaves the one in the queue as it was.
                following = waiting[0] = replace(waiting[0])
                is_last = not gate.admit(following, spec=self._spec(following))
            if not is_last:
                work.start(cursor, waiting[0], at=at)
            if gate.refusal is not None:
                gate.park()
        queue.clear()
        queue.extend(waiting)
        if ending.gives_up:
            given_up.add(current.root)
        settle.remember(current, ending)
        return is_last

    def _run(self, lease: Lease, current: Work) -> RunResult:
        return self._launcher.launch(
            lease,
            current,
            configuration=self.configuration,
            zygote=self.zygote,
            heartbeat=partial(self._renew, lease),
        )

    def _renew(self, lease: Lease) -> bool:
        with connection.cursor() as cursor:
            return lanes.renew(cursor, lease, lease_seconds=self.lease_seconds)

    def _taken(self) -> Lease | None:
        return self._lease

    def _left_alone(self) -> list[int]:
        now = time.monotonic()
        self._passed_over = {lane: until for lane, until in self._passed_over.items() if until > now}
        return list(self._passed_over)

    def _reconnect(self) -> bool:
        """Wait for the database, then give back the lease we still hold, so that nobody waits for its end."""
        until = time.monotonic() + RECONNECT_SECONDS
        while time.monotonic() < until:
            connection.close()
            try:
                with connection.cursor() as cursor:
                    if self._lease is not None:
                        lanes.release(cursor, self._lease, is_served=False)
            except (OperationalError, InterfaceError):
                time.sleep(STEP * 5)
            else:
                return True
        return False


def _first_line(error: Exception) -> str:
    # Below it PostgreSQL quotes the values, and with them people.
    return str(error).partition("\n")[0]


def _enqueue(queue: deque[Work], parts: Sequence[Work]) -> None:
    """Put the parts behind the others of their batch and before the next trigger's executions."""
    if parts:
        after = sum(1 for waiting in queue if waiting.root == parts[0].root)
        for offset, part in enumerate(parts):
            queue.insert(after + offset, part)
