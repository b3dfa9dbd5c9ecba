"""What the runner of batches hands to the broker, and what it gets back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from governor.judgment.findings import PLATFORM, Thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from tenants.records.store import Change

LIVE, DRY, RECORDED = "live", "dry", "recorded"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One execution to run: one trigger over one batch."""

    tenant_id: int
    schema: str
    tenant: Mapping[str, Any]  # slug, name, tier, timezone, settings: what the script may know
    execution: UUID
    root: UUID  # the first execution of the same work: its retries and halves share a journal
    spec: Any  # of the trigger: name, module, class_name, method
    release: str = ""
    mode: str = LIVE
    object: str
    operation: str
    timing: str = "after"
    records: list[dict[str, Any]]
    olds: list[dict[str, Any] | None]
    old_known: list[bool]
    limits: Mapping[str, int] = field(default_factory=dict)
    depth: int = 0
    seed: int = 0
    now: datetime
    error_rate: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Thresholds = PLATFORM  # of what is judged before a model reads it
    is_stopped: bool = False  # the kill switch: nothing leaves
    # Set to run ``on_limit`` in place of the handler: limit, used, max, detail, at, record.
    ended_by: Mapping[str, Any] | None = None
    # In recorded mode: the earlier answers by (fingerprint, occurrence).
    recorded: Mapping[tuple[str, int], Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class RunError:
    """Why an execution failed. ``limit``, ``used`` and ``max`` are set for an exceeded limit only."""

    code: str
    type: str = ""
    detail: str = ""
    traceback: str = ""
    at: str = ""
    record: str = ""  # the id of the record the script was at
    limit: str = ""
    used: float = 0
    max: float = 0
    is_retryable: bool = False
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class RunResult:
    """What became of an execution. With an ``error``, ``changes`` holds only what ``on_limit`` asked for."""

    error: RunError | None = None
    outcomes: dict[str, tuple[str, str, Any]] = field(
        default_factory=dict
    )  # record id: status, reason, detail
    changes: list[Change] = field(default_factory=list)  # one a record; tasks are changes of the object Task
    fields: dict[str, dict[str, Any]] = field(
        default_factory=dict
    )  # what a before trigger changed, by record id
    entries: list[dict[str, Any]] = field(default_factory=list)  # log lines
    spans: list[dict[str, Any]] = field(default_factory=list)
    effects: list[dict[str, Any]] = field(default_factory=list)
    judgments: list[dict[str, Any]] = field(default_factory=list)  # level, rule, verdict, place
    usage: dict[str, list[float]] = field(default_factory=dict)  # limit: used, max
    wall_ms: float = 0
    cpu_ms: float = 0
    memory_mb: float = 0
    has_recovered: bool = False  # a host that was down answered again
    with_errors: bool = False  # it succeeded, and logged at error level
    ai_tokens_in: int = 0
    ai_tokens_out: int = 0
    ai_cost_micros: int = 0  # millionths of a dollar; models of unknown price count nothing
