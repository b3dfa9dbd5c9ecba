"""Whether the audit log still holds: looked at a stretch at a time, and told without looking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from tenants import audit
from tenants.models import AuditCheck, AuditEvent

if TYPE_CHECKING:
    from datetime import datetime

MOST_ROWS = 50_000  # of one look
_FIRST = "0" * 64


@dataclass(frozen=True, slots=True)
class Chain:
    """What the last look found. ``broken_id``: the first row that does not fit the one before it."""

    rows: int = 0
    checked_at: datetime | None = None
    whole_at: datetime | None = None
    broken_id: int | None = None
    broken_at: datetime | None = None

    @property
    def holds(self) -> bool:
        return self.broken_id is None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.checked_at is None:
            return "The chain was not looked at yet."
        if self.broken_id is not None:
            return (
                f"The chain breaks at row {self.broken_id}, found {_told(self.checked_at)}: a row was changed"
                " or taken out past the guards. Compare with a backup, and find out who could."
            )
        end = f"to its end {_told(self.whole_at)}" if self.whole_at else f"{_told(self.checked_at)}"
        return f"The chain holds: {self.rows:,} rows looked at, {end}."


def state() -> Chain:
    """What the last look found: one small row."""
    return _chain(AuditCheck.objects.filter(pk=1).first())


def look(*, at: datetime, most: int = MOST_ROWS) -> Chain:
    """Look at the next rows; after the end, or a break, from the first again."""
    with transaction.atomic():
        known = AuditCheck.objects.select_for_update().filter(pk=1).first() or AuditCheck(pk=1)
        cut = _cut_since(known)
        if cut is not None:
            known.broken_id, known.broken_at = cut, known.broken_at or at
        else:
            if known.broken_id is not None or known.whole_at == known.checked_at:
                known.rows, known.last_id, known.digest = 0, None, ""
            known.broken_id = known.broken_at = None
            _go_on(known, most, at=at)
        known.checked_at = at
        known.save()
    return _chain(known)


def _go_on(known: AuditCheck, most: int, *, at: datetime) -> None:
    previous, seen = known.digest or _FIRST, 0
    rows = AuditEvent.objects.filter(pk__gt=known.last_id or 0).order_by("pk")[:most]
    for event in rows.iterator():
        if event.previous != previous or event.digest != audit.digest(event):
            known.broken_id, known.broken_at = event.pk, at
            return
        previous, seen = event.digest, seen + 1
        known.last_id, known.digest = event.pk, event.digest
    known.rows += seen
    if seen < most:
        known.whole_at, known.end_id, known.end_digest = at, known.last_id, known.digest


def _cut_since(known: AuditCheck) -> int | None:
    """A row that held and is not there any more as it was: the log's end was cut off, or rewritten."""
    for pk, digest in ((known.last_id, known.digest), (known.end_id, known.end_digest)):
        if pk is not None and not AuditEvent.objects.filter(pk=pk, digest=digest).exists():
            return pk
    return None


def _chain(known: AuditCheck | None) -> Chain:
    if known is None:
        return Chain()
    return Chain(known.rows, known.checked_at, known.whole_at, known.broken_id, known.broken_at)


def _told(moment: datetime | None) -> str:
    return f"{moment:%-d %b %H:%M} UTC" if moment else ""
