"""Problems: quarantined events that one change of a CRM set aside, seen as one thing to mend."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from triggers.models import PastEvent

MOST_FIELDS = 20  # of one event
LONGEST = 200


@dataclasses.dataclass
class Problem:
    """One kind of misfit of one field, of one connection: its newest event stands for all."""

    fingerprint: str
    tenant_id: int
    tenant: str
    connection_id: int | None
    connection: str
    connection_code: UUID | None
    crm: str
    object: str
    code: str
    field: str  # "" = it is not about a field
    misfit: str
    sample: UUID
    last_at: datetime
    events: list[UUID] = dataclasses.field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.events)


def misfits(event: PastEvent) -> list[dict[str, str]]:
    """What does not fit: a field and a reason each."""
    found = (event.error or {}).get("fields")
    if not isinstance(found, list):
        return []
    return [
        {name: str(each.get(name, ""))[:LONGEST] for name in ("field", "reason")}
        for each in found[:MOST_FIELDS]
        if isinstance(each, dict)
    ]


def of_event(event: PastEvent) -> Iterator[tuple[str, str, str]]:
    """Fingerprint, field and kind of misfit of each problem the event is part of."""
    pairs = {(_outer(each["field"]), each["reason"]) for each in misfits(event)}
    for name, misfit in sorted(pairs) or [("", "")]:
        yield fingerprint(event, name, misfit), name, misfit


def fingerprint(event: PastEvent, name: str, misfit: str) -> str:
    """The same for the same tenant, connection, object, field and kind of misfit."""
    said = [event.tenant_id, event.connection_id, event.crm, event.object, event.reason, name, misfit]
    return hashlib.sha256("\x1f".join(map(str, said)).encode()).hexdigest()[:24]


def group(events: Iterable[PastEvent]) -> list[Problem]:
    """The problems of these events, the newest first; ``events`` come with the newest first."""
    found: dict[str, Problem] = {}
    for event in events:
        for mark, name, misfit in of_event(event):
            problem = found.get(mark)
            if problem is None:
                problem = found[mark] = Problem(
                    fingerprint=mark,
                    tenant_id=event.tenant_id,
                    tenant=event.tenant.slug,
                    connection_id=event.connection_id,
                    connection=_name(event.connection),
                    connection_code=event.connection.code if event.connection else None,
                    crm=event.crm,
                    object=event.object,
                    code=event.reason,
                    field=name,
                    misfit=misfit,
                    sample=event.code,
                    last_at=event.received_at,
                )
            problem.events.append(event.code)
    return list(found.values())


def _name(connection: Any) -> str:
    return str(connection) if connection is not None else ""


def _outer(name: str) -> str:
    """``tags.3`` is about ``tags``; a custom field is its own."""
    parts = [part for part in name.split(".") if not part.isdigit()]
    return ".".join(parts[:2] if parts[:1] in (["custom_fields"], ["extra"]) else parts[:1])
