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
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.utils import timezone

from tenants.models import Connection
from tenants.records import store
from triggers import outbox_lanes
from triggers.crm import WRITERS
from triggers.crm.writer import Call, Said
from triggers.models.outbox import OutboxStatus
from triggers.outbox_lanes import End
from triggers.outbox_requests import Requests, Unanswered, Wait, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triggers.crm.writer import Key, Write, Writer
    from triggers.outbox_lanes import OutboxLease

logger = logging.getLogger(__name__)

# A refused request that does not say for which record is split: so many requests may a lease spend on that.
SPLITS = 24
FIRST_WAIT, LONGEST_WAIT = 5.0, 900.0  # seconds; doubling, with a quarter of jitter
IN_DOUBT = "The CRM did not answer; it may have made the record, so it was not sent again. Look there first."
FAULT = "Something went wrong on our side; it is in the log."


class _Yield(Exception):
    """The others have their turn; what is left is sent next time."""


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
        except Wait as reason:
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
        self._requests = Requests(cursor, lease, of)
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
        if not self._requests.is_possible:
            self._end_rows([row.id for row in waiting], OutboxStatus.NOT_SENT)
            return
        # A request that made records was never answered, and its sender is no more.
        self._end_rows([row.id for row in waiting if row.has_left], OutboxStatus.FAILED, IN_DOUBT)
        writes = outbox_lanes.merge(row for row in waiting if not row.has_left)
        self._end_rows(
            rows_of(write for write in writes if write.operation == "nothing"), OutboxStatus.NOT_SENT
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
            raise Wait(said.detail or "The CRM did not confirm all.")
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
        """One request, its answer. Raises ``Wait`` when it says nothing of the writes."""
        at = timezone.now()
        given = partial(
            self._writer.body,
            call,
            remote=self._remote,
            names=self._names,
            account=self._of.account_id,
            at=at,
        )
        try:
            return self._requests.post(
                call, path=self._writer.address(call, remote=self._remote), body=given, at=at
            )
        except Unanswered as reason:
            self._put_back(call, reason.problem, is_done=reason.is_done)
            raise

    def _put_back(self, call: Call, problem: str, *, is_done: bool) -> None:
        """Leave the writes waiting; but one not to be repeated ends here if the CRM may have done it."""
        if is_done and not call.is_repeatable:
            self._end(call.writes, _Ended(failed={write.key: IN_DOUBT for write in call.writes}))
        else:
            self._end_rows(rows_of(call.writes), OutboxStatus.PENDING, problem)

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


def _backoff(attempts: int) -> float:
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(attempts, 10))
    return wait * random.uniform(0.75, 1.25)  # noqa: S311 — spreads load, guards nothing
