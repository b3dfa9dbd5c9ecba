"""Where an event or an execution stands."""

from __future__ import annotations

from django.db.models import TextChoices


class EventStatus(TextChoices):
    """Where an event stands. Terminal states are never left; a replay is a new execution.

    But for quarantine: nothing of a quarantined event has run, and an operator may let it run.
    """

    QUEUED = "queued", "Queued"  # stored, waiting for a worker (parked when its lane is)
    RUNNING = "running", "Running"  # claimed by a worker
    QUARANTINED = "quarantined", "Quarantined"  # signed and well-formed, but it does not fit
    SUCCEEDED = "succeeded", "Succeeded"  # every trigger returned
    FAILED = "failed", "Failed"  # a dead letter: a trigger failed on it for good
    SKIPPED = "skipped", "Skipped"  # no trigger, an echo, stale, or skipped by the script


LIVE_EVENT_STATUSES = frozenset({EventStatus.QUEUED, EventStatus.RUNNING})


class ExecutionStatus(TextChoices):
    """Where an execution stands."""

    QUEUED = "queued", "Queued"  # claimed, its turn has not come
    RUNNING = "running", "Running"  # in the jail
    SUCCEEDED = "succeeded", "Succeeded"  # every record succeeded (maybe with errors the script caught)
    PARTIAL = "partial", "Partial"  # some records failed, the others are committed
    FAILED = "failed", "Failed"  # nothing was committed
    BISECTED = "bisected", "Bisected"  # split in two; the halves tell the outcome
    CANCELLED = "cancelled", "Cancelled"  # stopped before it ran


FINISHED = frozenset(ExecutionStatus) - {ExecutionStatus.QUEUED, ExecutionStatus.RUNNING}


class Operation(TextChoices):
    """What happened to the record."""

    INSERT = "insert", "Insert"
    UPDATE = "update", "Update"
    DELETE = "delete", "Delete"
    UNDELETE = "undelete", "Undelete"
    MERGE = "merge", "Merge"


class Mode(TextChoices):
    """What the broker does with a script's requests."""

    LIVE = "live", "Live"  # effects happen
    DRY = "dry", "Dry"  # reads happen, writes are recorded, not made
    RECORDED = "recorded", "Recorded"  # answers come from the earlier journal


class Skip(TextChoices):
    """Why an event was skipped."""

    NO_TRIGGER = "no-trigger", "No trigger wants it"
    ECHO = "echo", "An echo of our own write"
    STALE = "stale", "Older than what we hold"
    SCRIPT = "script", "The script skipped it"
    EXPIRED = "expired", "Parked for longer than it is kept"
    REJECTED = "rejected", "Rejected by an operator"


class LaneKind(TextChoices):
    """Which traffic a lane carries; a replay never stands in live traffic's way."""

    LIVE = "live", "Live"
    REPLAY = "replay", "Replay"


class Records(TextChoices):
    """Which records of an execution a replay takes."""

    ALL = "all", "All records"
    FAILED = "failed", "Failed records only"


class ReplayStatus(TextChoices):
    """Where a bulk replay stands."""

    QUEUED = "queued", "Queued"  # nothing of it has started
    RUNNING = "running", "Running"  # its executions are made, a few at a time
    DONE = "done", "Done"  # each item has its outcome
    CANCELLED = "cancelled", "Cancelled"  # what had not started never will


class ItemStatus(TextChoices):
    """Where one execution of a bulk replay stands."""

    WAITING = "waiting", "Waiting"  # its turn has not come
    RUNNING = "running", "Running"  # its new execution is made, and has not ended
    SUCCEEDED = "succeeded", "Succeeded"
    PARTIAL = "partial", "Partial"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Not started"  # it cannot be replayed, see its reason
    CANCELLED = "cancelled", "Cancelled"


class GroupStatus(TextChoices):
    """What is to become of a group of dead letters."""

    OPEN = "open", "Open"  # somebody has to look
    IGNORED = "ignored", "Ignored"  # known and borne; it goes on being counted
    RESOLVED = "resolved", "Resolved"  # mended; the next failure opens it again


# Why an event waits in no lane: its connection lost its access to the CRM.
RECONNECT = "needs-reconnecting"
RECONCILE = "reconcile"  # the origin of events of changes that the CRM never told, and that we found
