"""What a test looks at after a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from circuitos.script.testing.memory import laid_over


class Outcome(NamedTuple):
    """What became of a record: ``ok``, ``failed``, ``skipped`` or ``quarantined``, and why."""

    status: str
    reason: str = ""
    detail: Any = None


class Change(NamedTuple):
    """A change the script asked for: ``insert``, ``update``, ``upsert`` or ``delete`` of one record."""

    object: str
    operation: str
    id: str
    fields: dict[str, Any]


def merged(changes: list[Change]) -> list[Change]:
    """One change a record, as they are committed: later fields over earlier ones."""
    by_record: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = (change.object, change.id)
        before = by_record.get(key)
        if before is not None and change.operation == "delete" and before.operation == "insert":
            del by_record[key]  # it never was
        elif before is None or change.operation == "delete":
            by_record[key] = change
        elif before.operation == "delete":
            by_record[key] = change._replace(operation="upsert")
        else:
            by_record[key] = before._replace(fields=laid_over(before.fields, change.fields))
    return list(by_record.values())


class Callout(NamedTuple):
    """A request the script sent, and the status it was answered with (``None``: no answer)."""

    method: str
    url: str
    headers: dict[str, str]
    json: Any
    body: bytes | None
    status: int | None


class Question(NamedTuple):
    """What the script asked the model."""

    prompt: str
    data: Any
    schema: dict[str, Any] | None
    model: str | None


class LogLine(NamedTuple):
    """A line of the trace. ``line`` is where in the script it was written."""

    level: str
    message: str
    data: Any
    line: str


class Error(NamedTuple):
    """What ended an execution. ``at`` is ``file:line`` of the script, ``record`` the id of the record
    it was at; ``data`` names an exceeded limit.
    """

    code: str
    type: str
    detail: str
    traceback: str
    at: str
    data: dict[str, Any]
    record: str = ""


@dataclass
class Result:
    """One execution's effects. After an ``error`` there are no changes and no tasks: nothing is committed."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    callouts: list[Callout] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    usage: dict[str, list[float]] = field(default_factory=dict)  # limit: used, max
    error: Error | None = None
    tasks: list[dict[str, Any]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    enrichments: list[tuple[str, list[str]]] = field(default_factory=list)  # source, record ids
    alerts: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)  # what a before trigger set, by record id
    is_called: bool = False

    @property
    def ok(self) -> bool:
        """Whether the handler returned, or had nothing to do."""
        return self.error is None

    def check(self) -> Result:
        """This result; raises ``AssertionError`` with the script's traceback when the run failed."""
        if self.error is not None:
            raise AssertionError(f"{self.error.code}: {self.error.detail}\n{self.error.traceback}")
        return self

    def changed(self, object: str) -> dict[str, dict[str, Any]]:
        """The changed fields of an object's records, by id."""
        return {change.id: change.fields for change in self.changes if change.object == object}
