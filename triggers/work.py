"""Work: an execution with its members, as the worker that leased the lane holds it in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from governor.allowances import UNLIMITED
from governor.quotas import Hold
from tenants.ids import new_code
from triggers.choices import ExecutionStatus, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID


class Verdict(NamedTuple):
    """What became of one record under one trigger."""

    status: str  # ok, failed, skipped, quarantined
    code: str = ""
    detail: str = ""
    data: Any = None


@dataclass
class Member:
    """One event of a batch, with the record as the script sees it."""

    event_id: int
    code: UUID
    record_id: str
    connection_id: int | None
    received_at: datetime
    crm: str = ""
    origin: str = "live"
    depth: int = 0
    record: dict[str, Any] = field(default_factory=dict)
    old: dict[str, Any] | None = None
    old_known: bool = False
    # Names of the triggers that still have to run, and what became of it under the others.
    pending: list[str] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    # Set when its body does not fit any more (a mapping changed after the claim): it is not run.
    problem: Verdict | None = None
    judgments: list[dict[str, Any]] = field(default_factory=list)  # findings that let it pass, for the trace


@dataclass
class Work:
    """One execution to run: a trigger over its members."""

    code: UUID
    root: UUID
    trigger: str
    operation: str
    release: str
    members: list[Member]
    seed: int
    now: datetime
    created_at: datetime
    mode: str = Mode.LIVE
    id: int = 0
    parent_id: int | None = None
    replay_of_id: int | None = None
    started_at: datetime | None = None
    attempts: int = 0
    losses: int = 0
    judged_ms: float = 0.0  # what judging the batch took, when it was claimed; in memory only
    note: str = ""  # what the platform has to say of it in its trace; in memory only
    # What it holds of its tenant's quota; None = nothing.
    held_on: date | None = None
    held_executions: int = 0
    held_calls: int = 0
    held_tokens: int = 0
    lost_calls: int = 0  # that a worker which died, or lost its lease, made for it: counted by nobody yet
    is_counted: bool = False  # among its tenant's executions already, by an earlier attempt
    ai_tokens_left: int = UNLIMITED  # of its tenant's day, when it started

    @property
    def hold(self) -> Hold:
        return Hold(self.held_executions, self.held_calls, self.held_tokens) if self.held_on else Hold()

    @property
    def size(self) -> int:
        return len(self.members)

    @property
    def depth(self) -> int:
        return max((member.depth for member in self.members), default=0)


MOST_COUNTED = 32_000  # what a small column holds: an execution may be held for weeks

_COLUMNS = (
    "tenant_id, lane_id, trigger, object, operation, release, mode, status, with_errors, error_code,"
    " error_detail, limit_name, attempts, losses, code, root, parent_id, replay_of_id, event_ids,"
    " event_codes, record_ids, terms, size, ok, failed, skipped, depth, seed, now, created_at, started_at,"
    " held_on, held_executions, held_calls, held_tokens, usage"
)
_ROW = (
    "(%s, %s, %s, %s, %s, %s, %s, %s, false, '', '', '', %s, %s, %s::uuid, %s::uuid, %s, %s, %s::bigint[],"
    " %s::uuid[], %s::varchar[], %s::varchar[], %s, 0, 0, 0, %s, %s, %s, %s, %s, %s, %s, %s, %s, '{}')"
)


def create(
    *,
    trigger: str,
    operation: str,
    release: str,
    members: list[Member],
    at: datetime,
    parent: Work | None = None,
) -> Work:
    """A new execution, not stored yet; as a part of ``parent`` it keeps its root, moment and seed."""
    code = new_code()
    if parent is None:
        seed = int.from_bytes(code.bytes[8:]) >> 1
        return Work(code, code, trigger, operation, release, members, seed, at, at)
    return Work(
        code,
        parent.root,
        trigger,
        operation,
        release,
        members,
        parent.seed,
        parent.now,
        at,
        mode=parent.mode,
        parent_id=parent.id,
        replay_of_id=parent.replay_of_id,
        losses=parent.losses,
    )


def store(
    cursor: Any,
    works: Sequence[Work],
    *,
    tenant_id: int,
    lane_id: int,
    obj: str,
    terms: Sequence[Sequence[str]],
) -> None:
    """Insert the executions in order and note their ids; one that has started is stored as running."""
    values: list[Any] = []
    for work, hashes in zip(works, terms, strict=True):
        status = ExecutionStatus.RUNNING if work.started_at else ExecutionStatus.QUEUED
        values += [
            *(tenant_id, lane_id, work.trigger, obj, work.operation, work.release, work.mode, status.value),
            *(work.attempts, work.losses, str(work.code), str(work.root), work.parent_id, work.replay_of_id),
            [member.event_id for member in work.members],
            [str(member.code) for member in work.members],
            [member.record_id for member in work.members],
            *(list(hashes), work.size, work.depth, work.seed, work.now, work.created_at, work.started_at),
            *(work.held_on, work.held_executions, work.held_calls, work.held_tokens),
        ]
    rows = ", ".join([_ROW] * len(works))
    cursor.execute(f"INSERT INTO triggers_execution ({_COLUMNS}) VALUES {rows} RETURNING id", values)  # noqa: S608
    for work, (pk,) in zip(works, cursor.fetchall(), strict=True):
        work.id = pk


def start(cursor: Any, work: Work, *, at: datetime) -> None:
    """Mark the execution as running; the attempt counts from now, also when the worker dies."""
    work.attempts = min(work.attempts + 1, MOST_COUNTED)
    work.started_at = at
    cursor.execute(
        "UPDATE triggers_execution SET status = 'running', attempts = %s, losses = %s, started_at = %s,"
        " held_on = %s, held_executions = %s, held_calls = %s, held_tokens = %s,"
        " next_attempt_at = NULL WHERE id = %s",
        [
            *(work.attempts, work.losses, at),
            *(work.held_on, work.held_executions, work.held_calls, work.held_tokens, work.id),
        ],
    )


def as_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
