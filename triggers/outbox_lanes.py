"""The outbox's lanes: which connection's writes are sent next, by whom, and what became of each."""

from __future__ import annotations

import socket
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from django.db import connection, transaction

from governor import usage
from governor.calendar import day_of
from governor.policy import load
from governor.quotas import Grant, Quota, decide
from tenants.secrets import unseal
from triggers.crm.writer import Hints, Write
from triggers.outbox import HINTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from triggers.crm.writer import Key

LEASE_SECONDS = 60
_ADVISORY = 0x0B0C  # the first half of the lock's name; the second is the machine's
ROWS = 1000  # of one lease

_TAKE = """
WITH pick AS (
    SELECT lane.connection_id FROM triggers_outboxlane lane
    JOIN tenants_tenant tenant ON tenant.id = lane.tenant_id AND tenant.status = 'active'
    JOIN tenants_connection linked ON linked.id = lane.connection_id AND NOT linked.is_held
    WHERE (lane.lease_until IS NULL OR lane.lease_until <= clock_timestamp())
      AND (lane.next_attempt_at IS NULL OR lane.next_attempt_at <= clock_timestamp())
      AND EXISTS (SELECT 1 FROM triggers_outboxwrite waiting
                  WHERE waiting.connection_id = lane.connection_id AND waiting.status = 'pending')
    ORDER BY lane.last_served_at NULLS FIRST LIMIT 1
    FOR UPDATE OF lane SKIP LOCKED
)
UPDATE triggers_outboxlane lane
SET token = lane.token + 1, waits_for_quota = false,
    lease_until = clock_timestamp() + %s * interval '1 second'
FROM pick WHERE lane.connection_id = pick.connection_id
RETURNING lane.connection_id, lane.tenant_id, lane.token, lane.attempts
"""
_ROWS = """
SELECT waiting.id, waiting.code, waiting.object, waiting.record_id, waiting.operation, waiting.sealed,
       waiting.left_at IS NOT NULL, coalesce(execution.object, '')
FROM triggers_outboxwrite waiting LEFT JOIN triggers_execution execution ON execution.code = waiting.execution
WHERE waiting.connection_id = %s AND waiting.status = 'pending' ORDER BY waiting.id LIMIT %s
"""
_RENEW = """
UPDATE triggers_outboxlane SET lease_until = clock_timestamp() + %s * interval '1 second'
WHERE connection_id = %s AND token = %s
"""
_RELEASE = """
UPDATE triggers_outboxlane SET lease_until = NULL, last_served_at = clock_timestamp(), attempts = %s,
    problem = %s, waits_for_quota = %s, next_attempt_at = clock_timestamp() + %s * interval '1 second'
WHERE connection_id = %s AND token = %s
"""
_END = """
UPDATE triggers_outboxwrite written
SET status = said.status, problem = said.problem, remote_id = said.remote_id, left_at = NULL,
    attempts = least(attempts + 1, 32000), sent_at = CASE WHEN said.status = 'sent' THEN %s END
FROM unnest(%s::bigint[], %s::varchar[], %s::text[], %s::varchar[]) AS said (id, status, problem, remote_id)
WHERE written.id = said.id AND written.status = 'pending'
"""
_FOR_QUOTA = """
SELECT connection_id, tenant_id FROM triggers_outboxlane WHERE waits_for_quota
ORDER BY connection_id FOR UPDATE SKIP LOCKED
"""
_OPEN = """
UPDATE triggers_outboxlane SET waits_for_quota = false, next_attempt_at = NULL, problem = ''
WHERE connection_id = ANY(%s)
"""


@contextmanager
def only_sender() -> Iterator[bool]:
    """Whether this process alone of its machine may send now.

    A CRM that hangs holds its sender for seconds; the machine's other workers keep serving lanes meanwhile.
    """
    machine = machine_lock()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", machine)
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", machine)


def machine_lock() -> list[int]:
    """The name of this machine's lock: two signed 32-bit numbers."""
    return [_ADVISORY, zlib.crc32(socket.gethostname().encode()) - (1 << 31)]


class Fenced(Exception):
    """Another sender has the connection's lane; what it finds pending it sends again."""


@dataclass(frozen=True)
class OutboxLease:
    """The right to send one connection's writes."""

    connection_id: int
    tenant_id: int
    token: int
    attempts: int


class End(NamedTuple):
    """What became of one row."""

    row: int
    status: str
    problem: str = ""
    remote_id: str = ""


class Row(NamedTuple):
    """One waiting write."""

    id: int
    code: str
    object: str
    record_id: str
    operation: str
    fields: dict[str, Any]
    has_left: bool  # a request that must not be repeated blindly went out with it and was never answered
    about: str
    hints: Hints = Hints()


def take(cursor: Any, *, lease_seconds: float = LEASE_SECONDS) -> OutboxLease | None:
    """Lease the connection with writes to send that was served longest ago."""
    cursor.execute(_TAKE, [lease_seconds])
    found = cursor.fetchone()
    return OutboxLease(*found) if found else None


def rows(cursor: Any, lease: OutboxLease) -> list[Row]:
    """The oldest waiting writes of the leased lane, in order."""
    cursor.execute(_ROWS, [lease.connection_id, ROWS])
    found = []
    for pk, code, obj, record_id, operation, sealed, has_left, about in cursor.fetchall():
        fields = msgspec.msgpack.decode(unseal(sealed, context=f"outbox:{lease.tenant_id}:{code}"))
        told = fields.pop(HINTS, None)
        # A write of before there were hints: its tags are all to be there, and none is to go.
        hints = Hints(*told) if told else Hints(tags_added=_texts(fields.get("tags")))
        found.append(Row(pk, str(code), obj, record_id, operation, fields, has_left, about, hints))
    return found


def merge(waiting: Iterable[Row]) -> list[Write]:
    """One write a record: the newest value of each field wins; made and deleted meanwhile is nothing."""
    writes: dict[Key, Write] = {}
    for row in waiting:
        key = (row.object, row.record_id)
        write = writes.get(key)
        if write is None:
            writes[key] = Write(
                *key,
                row.operation,
                dict(row.fields),
                code=row.code,
                about=row.about,
                rows=[row.id],
                hints=row.hints,
            )
            continue
        write.rows.append(row.id)
        write.hints = write.hints.followed_by(row.hints)
        if row.operation == "delete":
            write.operation = "nothing" if write.operation in {"insert", "nothing"} else "delete"
            write.fields = {}
        elif write.operation in {"delete", "nothing"}:
            write.operation = "insert" if write.operation == "nothing" else "upsert"
            write.fields = dict(row.fields)
        else:
            nested = {**write.fields.get("custom_fields", {}), **row.fields.get("custom_fields", {})}
            write.fields |= row.fields
            if nested:
                write.fields["custom_fields"] = nested
    return list(writes.values())


def remote_ids(cursor: Any, lease: OutboxLease, record_ids: Sequence[str]) -> dict[Key, str]:
    """The CRM's ids of those records that we made in it."""
    cursor.execute(
        "SELECT object, record_id, remote_id FROM triggers_outboxwrite"
        " WHERE connection_id = %s AND record_id = ANY(%s) AND remote_id <> ''",
        [lease.connection_id, list(record_ids)],
    )
    return {(obj, record_id): remote_id for obj, record_id, remote_id in cursor.fetchall()}


def leave(cursor: Any, lease: OutboxLease, ids: Sequence[int], *, at: datetime) -> None:
    """Note that a request which must not be repeated blindly goes out now; commits before it does."""
    with transaction.atomic():
        renew(cursor, lease)
        cursor.execute("UPDATE triggers_outboxwrite SET left_at = %s WHERE id = ANY(%s)", [at, list(ids)])


def renew(cursor: Any, lease: OutboxLease, *, lease_seconds: float = LEASE_SECONDS) -> None:
    """Extend the lease. Raises ``Fenced``."""
    cursor.execute(_RENEW, [lease_seconds, lease.connection_id, lease.token])
    if not cursor.rowcount:
        raise Fenced


def end(cursor: Any, lease: OutboxLease, ends: Sequence[End], *, at: datetime) -> None:
    """Store what became of these rows. Raises ``Fenced``."""
    with transaction.atomic():
        renew(cursor, lease)
        columns = [list(column) for column in zip(*ends, strict=True)]
        cursor.execute(_END, [at, *columns])


def release(
    cursor: Any,
    lease: OutboxLease,
    *,
    problem: str = "",
    wait: float | None = None,
    is_tried: bool = True,
    waits_for_quota: bool = False,
) -> None:
    """Give the lane back; with a ``problem`` it waits so many seconds, or until the quota has room.

    Only what was tried counts as an attempt.
    """
    attempts = lease.attempts + is_tried if wait is not None else 0
    cursor.execute(_RELEASE, [attempts, problem, waits_for_quota, wait, lease.connection_id, lease.token])


def review(*, at: datetime) -> int:
    """Open the lanes that waited for a quota which has room again. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_FOR_QUOTA)
        opened = [
            connection_id
            for connection_id, tenant_id in cursor.fetchall()
            if _has_room(cursor, tenant_id, at=at)
        ]
        cursor.execute(_OPEN, [opened])
    return len(opened)


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _has_room(cursor: Any, tenant_id: int, *, at: datetime) -> bool:
    policy = load(cursor, tenant_id)
    day, month = usage.read(cursor, tenant_id=tenant_id, on=day_of(at, policy.timezone))
    return isinstance(decide(day, month, Quota.of(policy), executions=0, calls=1, least_calls=1), Grant)
