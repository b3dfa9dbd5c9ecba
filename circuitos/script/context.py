"""The context: everything a handler is told about its batch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitos.script.aliases import camel_case
from circuitos.script.batch import Batch, quietly
from circuitos.script.budget import limits
from circuitos.script.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuitos.script.budget import Limits


class Tenant(NamedTuple):
    """The tenant whose records these are."""

    slug: str = ""
    name: str = ""
    tier: str = ""
    timezone: str = "UTC"
    settings: Mapping[str, Any] = {}


@camel_case
class Context:
    """One batch: records of one tenant, object and operation, in the order their events were acknowledged.

    Attributes: ``trigger`` (its name, ``"ContactTrigger.score_new_leads"``), ``object``, ``operation``
    (``insert``, ``update``, ``delete``, ``undelete``, ``merge``), ``timing`` (``before`` or ``after``),
    ``mode`` (``live``, ``dry``, ``recorded``, ``test``), ``execution_id``, ``depth`` (of the cascade, 0 for a
    CRM's own event), ``now`` (aware UTC; the same when the execution is replayed), ``error_rate`` (of this
    trigger in the last 5 minutes, 0 to 1), ``tenant``, ``settings`` (the trigger's own, validated),
    ``models`` (the records as ``schema`` objects).
    """

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.trigger = str(start.get("trigger", ""))
        self.object = str(start.get("object", ""))
        self.operation = str(start.get("operation", "insert"))
        self.timing = str(start.get("timing", "after"))
        self.mode = str(start.get("mode", "live"))
        self.execution_id = str(start.get("execution_id", ""))
        self.depth = int(start.get("depth", 0))
        self.seed = int(start.get("seed", 0))
        self.now = _moment(start.get("now"))
        self.error_rate = float(start.get("error_rate", 0.0))
        tenant = start.get("tenant") or {}
        self.tenant = Tenant(**{name: tenant[name] for name in Tenant._fields if name in tenant})
        self.settings: Any = dict(start.get("settings") or {})
        self.models: list[Any] = []
        self.new_records: list[Record] = Batch(_records(start, self.object))

    @property
    def old_records(self) -> list[Record | None]:
        """Beside each of ``new_records`` its old image, ``None`` where it is not known."""
        return [record.old for record in quietly(self.new_records)]

    @property
    def new_map(self) -> dict[str, Record]:
        """The batch by record id."""
        return {record.id: record for record in quietly(self.new_records)}

    @property
    def old_map(self) -> dict[str, Record]:
        """The known old images by record id."""
        return {record.id: record.old for record in quietly(self.new_records) if record.old is not None}

    @property
    def new_record(self) -> Record | None:
        """The first record; the only one when ``batch_size=1``. ``None`` when the batch is empty."""
        return self.new_records[0] if self.new_records else None

    @property
    def old_record(self) -> Record | None:
        """The first record's old image."""
        return self.new_records[0].old if self.new_records else None

    @property
    def size(self) -> int:
        """How many records the batch has."""
        return len(self.new_records)

    @property
    def is_insert(self) -> bool:
        return self.operation == "insert"

    @property
    def is_update(self) -> bool:
        return self.operation == "update"

    @property
    def is_delete(self) -> bool:
        return self.operation == "delete"

    @property
    def is_undelete(self) -> bool:
        return self.operation == "undelete"

    @property
    def is_merge(self) -> bool:
        return self.operation == "merge"

    @property
    def is_before(self) -> bool:
        return self.timing == "before"

    @property
    def is_after(self) -> bool:
        return self.timing == "after"

    @property
    def limits(self) -> Limits:
        """What this execution has used: ``context.limits.api_calls.left``."""
        return limits

    def changed(self, record: Mapping[str, Any], name: str) -> bool:
        """Whether ``record``'s field ``name`` has another value than before; ``a.b`` looks into a mapping.

        A record we meet for the first time has no old image: its field counts as changed when it has a value.
        """
        new = _field(record, name)
        held = record if isinstance(record, Record) else self.new_map.get(str(record.get("id", "")))
        old = held.old if held is not None else None
        return new is not None if old is None else bool(new != _field(old, name))

    def field_changed(self, name: str) -> bool:
        """Whether ``name`` changed on any record of the batch."""
        return any(self.changed(record, name) for record in quietly(self.new_records))

    def __repr__(self) -> str:
        return f"<context of {self.trigger}: {self.size} × {self.object} {self.operation}>"


def _records(start: Mapping[str, Any], object_name: str) -> list[Record]:
    rows = start.get("records") or []
    olds = start.get("olds") or [None] * len(rows)
    known = start.get("old_known") or [True] * len(rows)
    made = []
    for row, image, is_known in zip(rows, olds, known, strict=True):
        old = image if is_known else None
        made.append(
            Record(row, object=object_name, old=None if old is None else Record(old, object=object_name))
        )
    return made


def _field(record: Mapping[str, Any], name: str) -> Any:
    value: Any = record
    for part in [name] if name in record else name.split("."):
        value = value.get(part) if hasattr(value, "get") else None
    return value


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not value:
        return datetime.now(UTC)
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
