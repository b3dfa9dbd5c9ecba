"""Members: from stored events back to the records that scripts see."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tenants.errors import CodedError
from tenants.secrets import seal, unseal
from triggers import judging
from triggers.choices import RECONCILE, Operation
from triggers.crm import ADAPTERS, reader
from triggers.schemas import complete, mending
from triggers.work import Member, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

    from triggers.lanes import Lease

logger = logging.getLogger(__name__)

UNREADABLE = "triggers.unreadable"
_OVERTAKEN = "*overtaken"  # no CRM has such a field
_COLUMNS = (
    "id, code, connection_id, crm, kind, body, record_id, operation, received_at, occurred_at, before,"
    " old_known, pending, error, depth, origin"
)


@dataclass(frozen=True)
class Row:
    """A stored event, as a claim or a resumption reads it."""

    id: int
    code: UUID
    connection_id: int | None
    crm: str
    kind: str
    body: memoryview
    record_id: str
    operation: str
    received_at: datetime
    occurred_at: datetime | None
    before: memoryview | None
    old_known: bool
    pending: list[str] | None
    error: str | None  # JSON
    depth: int
    origin: str


class Unfit(Exception):
    """The event's body does not fit the object's schema. ``verdict`` says where."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.code)
        self.verdict = verdict


def read(cursor: Any, ids: Iterable[int], *, is_past: bool = False) -> list[Row]:
    """The events in the order acknowledged; of past ones also those that are still live."""
    table = "triggers_event" if is_past else "triggers_liveevent"
    cursor.execute(f"SELECT {_COLUMNS} FROM {table} WHERE id = ANY(%s) ORDER BY id", [list(ids)])  # noqa: S608
    return [Row(*row) for row in cursor.fetchall()]


def normalise(row: Row, lease: Lease) -> Any:
    """The fields that the event's body names. Raises ``Unfit``."""
    try:
        body = unseal(row.body, context=f"event:{lease.tenant_id}:{row.code}")
        if row.origin == RECONCILE:
            return reader.of_body(body)
        with mending.using(lease.mappings.get(str(row.connection_id), ())):
            return ADAPTERS[row.crm].normalise(body, kind=row.kind, tenant_settings=lease.settings)
    except CodedError as error:
        raise Unfit(Verdict("quarantined", error.code, str(error), error.extra.get("fields"))) from error
    except Exception as error:
        # A fault of ours, but it must not hold the lane: the event is kept and can be replayed when mended.
        logger.exception("Event %s could not be normalised", row.code)
        detail = f"{type(error).__name__} while reading the body."
        raise Unfit(Verdict("quarantined", UNREADABLE, detail)) from error


def member(row: Row, lease: Lease) -> Member:
    """The member as it was claimed: the image before it, overlaid with those of its fields that won."""
    found = Member(
        event_id=row.id,
        code=row.code,
        record_id=row.record_id,
        connection_id=row.connection_id,
        received_at=row.received_at,
        crm=row.crm,
        origin=row.origin,
        depth=row.depth,
        old_known=row.old_known,
        pending=list(row.pending or ()),
        verdicts=_verdicts(row),
    )
    try:
        normalised = normalise(row, lease)
        before = unseal_before(row, lease)
    except Unfit as unfit:
        found.problem = unfit.verdict
        return found
    # It was let pass when it was claimed; only what was stripped then is stripped again.
    (opinion,), _ = judging.judge([(row.record_id, normalised.fields, True)], obj=lease.object)
    found.judgments = opinion.found
    lost = set(before.pop(_OVERTAKEN, ())) if before else set()
    after = dict(before or {})
    for name, value in _flat(opinion.fields):
        if name not in lost:
            _put(after, name, value)
    dress(found, lease.object, row.operation, before=before, after=after)
    return found


def dress(
    found: Member, obj: str, operation: str, *, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> None:
    """Give the member its images, complete with every documented field of the object."""
    found.record = {**complete(obj, after), "id": found.record_id}
    if before is not None and operation != Operation.INSERT:
        found.old = {**complete(obj, before), "id": found.record_id}


def seal_before(
    before: Mapping[str, Any] | None,
    *,
    fields: Mapping[str, Any],
    after: Mapping[str, Any],
    tenant_id: int,
    code: UUID,
) -> bytes:
    """The image before an event, sealed, with the names of its fields that newer ones had overtaken."""
    if before is not None:
        lost = [name for name, value in _flat(fields) if _get(after, name) != value]
        if lost:
            before = {**before, _OVERTAKEN: lost}
    return seal(msgspec.msgpack.encode(before), context=f"before:{tenant_id}:{code}")


def unseal_before(row: Row, lease: Lease) -> dict[str, Any] | None:
    """What ``seal_before`` sealed; None when the record was unknown. Raises ``Unfit``."""
    if row.before is None:
        return None
    try:
        plain = unseal(row.before, context=f"before:{lease.tenant_id}:{row.code}")
    except CodedError as error:
        raise Unfit(Verdict("quarantined", error.code, str(error))) from error
    before: dict[str, Any] | None = msgspec.msgpack.decode(plain)
    return before


def _verdicts(row: Row) -> dict[str, Verdict]:
    if not row.error:
        return {}
    outcomes = msgspec.json.decode(row.error).get("outcomes", {})
    return {trigger: Verdict(*verdict) for trigger, verdict in outcomes.items()}


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Field names and values; custom fields one by one, as the mirror merges them."""
    for name, value in fields.items():
        if name == "custom_fields" and isinstance(value, dict):
            yield from ((f"custom_fields.{inner}", nested) for inner, nested in value.items())
        elif name != "id":
            yield name, value


def _get(image: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.partition(".")
    return _map(image.get(outer)).get(inner) if inner else image.get(name)


def _put(image: dict[str, Any], name: str, value: Any) -> None:
    outer, _, inner = name.partition(".")
    if inner:
        image[outer] = {**_map(image.get(outer)), inner: value}
    else:
        image[name] = value


def _map(value: Any) -> Mapping[str, Any]:
    """A record's custom fields; of an object without a schema they may have been anything."""
    return value if isinstance(value, dict) else {}
