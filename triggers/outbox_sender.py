"""Sending the outbox: one connection at a time, many records a request, till the CRM confirms or refuses.

At least once: a request without an answer is repeated. One that makes records is not, where the CRM may have
it: its writes fail as in doubt, for a person to look.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx2
from django.db import connection, transaction
from django.utils import timezone

from governor import egress, hosts, usage
from governor.calendar import day_of
from governor.host_watch import HostWatch, Passed, Stopped, Tried
from governor.judgment import authority
from governor.policy import load
from governor.quotas import Quota
from governor.rate_headers import hold_seconds
from governor.targets import host_of
from governor.tenant_governor import resets_at
from tenants import credentials
from tenants.connections import needs_reconnecting
from tenants.models import Connection
from tenants.records import store
from triggers import outage, outbox_lanes
from triggers.crm import WRITERS, budget, renewal
from triggers.crm.client import headers_for
from triggers.crm.writer import Call, Said
from triggers.models.outbox import OutboxStatus
from triggers.outbox_lanes import End

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from triggers.crm.writer import Key, Write, Writer
    from triggers.outbox_lanes import OutboxLease

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
# A refused request that does not say for which record is split: so many requests may a lease spend on that.
SPLITS = 24
STOPPED_WAIT = 30.0  # seconds until it is looked whether the kill switch still stops everything
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0  # seconds; doubling, with a quarter of jitter
IN_DOUBT = "The CRM did not answer; it may have made the record, so it was not sent again. Look there first."
FAULT = "Something went wrong on our side; it is in the log."
# The server says it did nothing; behind other 5xx a gateway may hide a server that did.
NOT_DONE = frozenset({429, 500, 503})
_TO_US = frozenset({401, 403})  # says nothing of the records: the token is wrong, or lacks a right
PATIENCE = 2.0  # seconds to wait for a turn within the rate budget, before the lane is given back


class _Yield(Exception):
    """The others have their turn; what is left is sent next time."""


class _Wait(Exception):
    """Nothing more can be sent to this CRM for a while."""

    def __init__(
        self,
        problem: str,
        *,
        seconds: float | None = None,
        is_tried: bool = True,
        waits_for_quota: bool = False,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.seconds = seconds
        self.is_tried = is_tried  # a request was made
        self.waits_for_quota = waits_for_quota


@dataclass
class _Ended:
    """What became of some writes."""

    sent: dict[Key, str] = field(default_factory=dict)
    failed: dict[Key, str] = field(default_factory=dict)
    waiting: str = ""  # why the others are to be sent again


def drain(*, seconds: float = 5.0) -> bool:
    """Send what waits, for about so long; several may at once. True: there may be more."""
    until = time.monotonic() + seconds
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            lease = outbox_lanes.take(cursor)
        if lease is None:
            return False
        _serve(lease, until=until)
        if time.monotonic() >= until:
            return True


def _serve(lease: OutboxLease, *, until: float) -> None:
    of = Connection.objects.select_related("tenant").get(pk=lease.connection_id)
    with connection.cursor() as cursor:
        try:
            _Sender(cursor, lease, of, until=until).send_all()
        except _Yield:
            outbox_lanes.release(cursor, lease)
        except outbox_lanes.Fenced:
            logger.warning("Another worker sends the writes of connection %s.", of.pk)
        except _Wait as reason:
            seconds = reason.seconds if reason.seconds is not None else _backoff(lease.attempts)
            logger.warning("Writes of connection %s wait %.0f s: %s", of.pk, seconds, reason.problem)
            outbox_lanes.release(
                cursor,
                lease,
                problem=reason.problem,
                wait=seconds,
                is_tried=reason.is_tried,
                waits_for_quota=reason.waits_for_quota,
            )
        except Exception:
            # A fault of ours with one connection must not keep the others from being served.
            logger.exception("Writes of connection %s cannot be sent", of.pk)
            outbox_lanes.release(cursor, lease, problem=FAULT, wait=_backoff(lease.attempts))
        else:
            outbox_lanes.release(cursor, lease)


class _Sender:
    """Sends the waiting writes of one leased lane."""

    def __init__(self, cursor: Any, lease: OutboxLease, of: Connection, *, until: float) -> None:
        self._cursor = cursor
        self._lease = lease
        self._of = of
        self._until = until
        self._known = credentials.load(of)
        self._url = renewal.base_url(of.crm)
        self._host = host_of(httpx2.URL(self._url))
        self._watch = HostWatch(of.tenant_id)
        self._writer: Writer = WRITERS[of.crm]
        field_map = of.tenant.settings.get("field_map")
        self._names = (
            {ours: theirs for theirs, ours in field_map.items()} if isinstance(field_map, dict) else {}
        )
        self._remote: dict[Key, str] = {}
        self._splits = SPLITS
        self._left: Counter[Key] = Counter()  # requests that a write still stands in
        self._parts: dict[Key, str] = {}  # why a part of a write was refused

    def send_all(self) -> None:
        waiting = outbox_lanes.rows(self._cursor, self._lease)
        if self._known is None:
            self._end_rows([row.id for row in waiting], OutboxStatus.NOT_SENT)
            return
        # A request that made records was never answered, and its sender is no more.
        self._end_rows([row.id for row in waiting if row.has_left], OutboxStatus.FAILED, IN_DOUBT)
        writes = outbox_lanes.merge(row for row in waiting if not row.has_left)
        self._end_rows(
            _rows(write for write in writes if write.operation == "nothing"), OutboxStatus.NOT_SENT
        )
        writes = [write for write in writes if write.operation != "nothing"]
        ids = {str(write.fields.get(name)) for write in writes for name in ("record_id", "contact_id")}
        self._remote = outbox_lanes.remote_ids(
            self._cursor, self._lease, sorted(ids | {write.id for write in writes})
        )
        calls, unsendable = self._writer.plan(writes, remote=self._remote)
        self._end(writes, _Ended(failed=unsendable))
        self._left.update(write.key for call in calls for write in call.writes)
        while calls:
            calls[:0] = self._call(calls.pop(0))
            if calls and time.monotonic() >= self._until:
                raise _Yield

    def _call(self, call: Call) -> list[Call]:
        """Send one request; returns those to send instead when it was refused for some of its writes."""
        call = replace(call, writes=tuple(write for write in call.writes if self._left[write.key]))
        if not call.writes:
            return []
        status, body = self._post(call)
        said = self._writer.read(call, status, body, remote=self._remote)
        if said.is_unclear and self._splits > 0 and len(call.writes) > 1:
            self._splits -= 1
            middle = len(call.writes) // 2
            return [replace(call, writes=half) for half in (call.writes[:middle], call.writes[middle:])]
        if said.is_unclear:
            said = Said(refused={write.key: said.detail for write in call.writes})
        self._remote |= {key: remote_id for key, remote_id in said.sent.items() if remote_id}
        self._end(call.writes, self._ended(call, said))
        left = tuple(write for write in call.writes if write.key not in {**said.sent, **said.refused})
        if not left:
            return []
        if 200 <= status < 300:
            raise _Wait(said.detail or "The CRM did not confirm all.")
        return [replace(call, writes=left)]

    def _ended(self, call: Call, said: Said) -> _Ended:
        """The writes that this answer ends: of one in several requests the last does, or a refusal."""
        ended = _Ended()
        for key in (*said.sent, *said.refused):
            self._left[key] -= 1
            reason = said.refused.get(key)
            if reason and call.is_part:
                self._parts[key] = reason
            elif reason:
                self._left[key] = 0
                ended.failed[key] = reason
                continue
            if self._left[key] > 0:
                continue
            if key in self._parts:
                is_all = self._parts[key] == reason
                ended.failed[key] = self._parts[key] + ("" if is_all else " The rest was written.")
            else:
                ended.sent[key] = self._remote.get(key, "") if key[1] != self._remote.get(key) else ""
        return ended

    def _post(self, call: Call) -> tuple[int, bytes]:
        """One request, its answer. Raises ``_Wait`` when it says nothing of the writes."""
        at = timezone.now()
        passed = self._watch.admit(self._host, seconds_left=0)
        if isinstance(passed, Stopped):
            seconds = hosts.known(self._of.tenant_id, self._host).waits
            raise _Wait(passed.detail, seconds=seconds, is_tried=False)
        try:
            token = self._fresh_token(at)
            self._wait_for_turn()
            self._count(at)
        except _Wait:
            if passed.is_probe:
                self._watch.gave_up(self._host)
            raise
        if call.is_repeatable:
            outbox_lanes.renew(self._cursor, self._lease)
        else:
            outbox_lanes.leave(self._cursor, self._lease, _rows(call.writes), at=at)
        try:
            answer = self._send(call, token, at)
            known = self._known
            if answer.status == 401 and known is not None and renewal.is_renewable(self._of, known):
                # It was taken back before its time; with a new one the same request may pass.
                answer = self._send(call, self._renewed(at), at)
        except egress.EgressRefused as refused:
            if passed.is_probe:
                self._watch.gave_up(self._host)
            self._put_back(call, str(refused), is_done=False)
            raise _Wait(str(refused)) from None
        except egress.CalloutFailed as failed:
            self._saw(Tried(self._host, code=failed.code, is_sent=failed.is_sent), passed)
            self._put_back(call, failed.detail, is_done=failed.is_sent)
            raise _Wait(failed.detail) from None
        hold = hold_seconds(answer.status, answer.headers, at=timezone.now())
        if hold:
            with transaction.atomic():
                budget.hold(self._cursor, self._of.pk, seconds=hold)
        self._saw(Tried(self._host, status=answer.status, hold=hold), passed)
        if (
            answer.status in _TO_US
            or answer.status == 429
            or answer.status >= 500
            or 300 <= answer.status < 400
        ):
            problem = f"{self._of.get_crm_display()} answered {answer.status}."
            is_done = answer.status >= 500 and answer.status not in NOT_DONE
            self._put_back(call, problem, is_done=is_done)
            if answer.status == 401:
                needs_reconnecting(self._of, renewal.REVOKED, timezone.now())
            raise _Wait(problem, seconds=hold)
        return answer.status, answer.body

    def _send(self, call: Call, token: str, at: datetime) -> egress.Answer:
        path = self._writer.address(call, remote=self._remote)
        given = self._writer.body(
            call, remote=self._remote, names=self._names, account=self._of.account_id, at=at
        )
        headers = headers_for(self._of.crm, path, token)
        return egress.send(
            call.method, self._url + path, headers=headers, json=given, timeout=REQUEST_SECONDS
        )

    def _fresh_token(self, at: datetime) -> str:
        assert self._known is not None
        is_stale = self._known.is_stale(at) and renewal.is_renewable(self._of, self._known)
        return self._renewed(at) if is_stale else self._known.token

    def _renewed(self, at: datetime) -> str:
        assert self._known is not None
        try:
            self._known = renewal.renew(self._of, self._known, at=at)
        except (renewal.NotRenewed, renewal.Revoked) as error:
            raise _Wait(str(error)) from None
        return self._known.token

    def _wait_for_turn(self) -> None:
        """Take a turn within the connection's rate budget. Raises ``_Wait`` when none is near."""
        seconds = budget.wait_for_turn(self._cursor, self._of, patience=PATIENCE)
        if seconds:
            raise _Wait(
                f"{self._of.get_crm_display()} takes no more of us now.", seconds=seconds, is_tried=False
            )

    def _count(self, at: datetime) -> None:
        """Count the request against the tenant's API calls. Raises ``_Wait`` when none is left."""
        with transaction.atomic():
            policy = load(self._cursor, self._lease.tenant_id)
            if policy.is_stopped:
                ruling = authority.switch(is_stopped=True)
                raise _Wait(ruling.sentence, seconds=STOPPED_WAIT, is_tried=False)
            refusal = usage.spend_call(
                self._cursor,
                tenant_id=self._lease.tenant_id,
                on=day_of(at, policy.timezone),
                quota=Quota.of(policy),
                at=at,
            )
        if refusal is not None:
            seconds = (resets_at(refusal.period, at, policy.timezone) - at).total_seconds()
            raise _Wait(refusal.sentence, seconds=seconds, is_tried=False, waits_for_quota=True)

    def _saw(self, tried: Tried, passed: Passed) -> None:
        """Share what the request told of the CRM's host; lanes parked for it go on once it is back."""
        self._watch.saw(tried, is_probe=passed.is_probe)
        if self._watch.has_recovered:
            self._watch.has_recovered = False
            with transaction.atomic():
                outage.resume(self._cursor, tenant_id=self._of.tenant_id)

    def _put_back(self, call: Call, problem: str, *, is_done: bool) -> None:
        """Leave the writes waiting; but one not to be repeated ends here if the CRM may have done it."""
        if is_done and not call.is_repeatable:
            self._end(call.writes, _Ended(failed={write.key: IN_DOUBT for write in call.writes}))
        else:
            self._end_rows(_rows(call.writes), OutboxStatus.PENDING, problem)

    def _end(self, writes: Iterable[Write], ended: _Ended) -> None:
        ends: list[End] = []
        written: list[Key] = []
        for write in writes:
            if write.key in ended.sent:
                left_out = self._writer.left_out(write) if write.operation != "delete" else []
                problem = f"Not written, the CRM lets nobody: {', '.join(left_out)}." if left_out else ""
                remote_id = ended.sent[write.key]
                ends += [End(row, OutboxStatus.SENT.value, problem, remote_id) for row in write.rows]
                written.append(write.key)
            elif write.key in ended.failed:
                problem = ended.failed[write.key]
                ends += [End(row, OutboxStatus.FAILED.value, problem) for row in write.rows]
        self._store(ends)
        with transaction.atomic():
            store.mark_written(
                self._cursor, schema=self._of.tenant.schema_name, keys=written, at=timezone.now()
            )

    def _end_rows(self, ids: Sequence[int], status: OutboxStatus, problem: str = "") -> None:
        self._store([End(row, status.value, problem) for row in ids])

    def _store(self, ends: Sequence[End]) -> None:
        if ends:
            outbox_lanes.end(self._cursor, self._lease, ends, at=timezone.now())


def _rows(writes: Iterable[Write]) -> list[int]:
    return [row for write in writes for row in write.rows]


def _backoff(attempts: int) -> float:
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts, 10))
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 — spreads load, guards nothing
