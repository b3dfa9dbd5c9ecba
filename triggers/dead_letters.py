"""Dead letters: failed executions, sorted by fault into groups that people assign, ignore and resolve."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from tenants import audit
from tenants.errors import CodedError
from tenants.ids import new_code
from triggers.choices import GroupStatus
from triggers.fingerprints import fault
from triggers.models import DeadLetterGroup

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

    from triggers.fingerprints import Fault

AT_A_TIME = 500  # executions of one transaction
MOST_ROUNDS = 20  # of one beat
LONGEST_NOTE = 500

# A failure is in here from its settle to the sweep that sorts it, whichever commits late. Rows that another
# sweep holds are passed over, so two sweeps never count one failure.
_UNSORTED = """
SELECT id, code, tenant_id, trigger, error_code, error_type, error_detail, greatest(failed, 1),
       coalesce(finished_at, created_at), created_at
FROM public.triggers_execution
WHERE status IN ('failed', 'partial') AND mode = 'live' AND dead_letter_id IS NULL
ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""
_PLACES = """
SELECT execution, error ->> 'at' FROM public.logs_trace
WHERE execution = ANY(%s::uuid[]) AND started_at >= %s AND error IS NOT NULL ORDER BY started_at
"""
_PUT = """
INSERT INTO public.triggers_deadlettergroup AS had
    (code, fingerprint, trigger, error_code, error_type, message, place, first_seen, last_seen, count,
     records, sample, status, is_regression, note)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'open', false, '')
ON CONFLICT (fingerprint) DO UPDATE SET
    first_seen = least(had.first_seen, excluded.first_seen),
    last_seen = greatest(had.last_seen, excluded.last_seen),
    count = had.count + excluded.count, records = had.records + excluded.records,
    sample = CASE WHEN excluded.last_seen >= had.last_seen THEN excluded.sample ELSE had.sample END,
    status = CASE WHEN had.status = 'resolved' AND excluded.last_seen > had.resolved_at THEN 'open'
                  ELSE had.status END,
    is_regression = had.is_regression OR (had.status = 'resolved' AND excluded.last_seen > had.resolved_at)
RETURNING id
"""
_PUT_TENANT = """
INSERT INTO public.triggers_deadlettertenant AS had (group_id, tenant_id, count, last_seen)
VALUES (%s, %s, %s, %s)
ON CONFLICT (group_id, tenant_id) DO UPDATE SET
    count = had.count + excluded.count, last_seen = greatest(had.last_seen, excluded.last_seen)
"""
_SORTED = "UPDATE public.triggers_execution SET dead_letter_id = %s WHERE id = ANY(%s)"


class BadDecision(CodedError):
    """The group cannot be changed so."""

    code = "triggers.bad-decision"
    status = 409


@dataclass
class _Found:
    """What a sweep found of one fault."""

    fault: Fault
    ids: list[int] = field(default_factory=list)
    records: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    sample: Any = None
    tenants: dict[int, tuple[int, datetime]] = field(default_factory=dict)

    def add(self, pk: int, code: Any, tenant_id: int, records: int, ended_at: datetime) -> None:
        self.ids.append(pk)
        self.records += records
        self.first_at = min(self.first_at or ended_at, ended_at)
        if self.last_at is None or ended_at >= self.last_at:
            self.last_at, self.sample = ended_at, code
        count, last_at = self.tenants.get(tenant_id, (0, ended_at))
        self.tenants[tenant_id] = (count + 1, max(last_at, ended_at))


def sweep(*, most: int = AT_A_TIME) -> int:
    """Sort the oldest unsorted failures into their groups, in one transaction. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_UNSORTED, [most])
        rows = cursor.fetchall()
        if not rows:
            return 0
        since = min(row[-1] for row in rows) - timedelta(hours=1)
        cursor.execute(_PLACES, [[str(row[1]) for row in rows], since])
        places = {str(code): place or "" for code, place in cursor.fetchall()}
        groups: dict[str, _Found] = {}
        for pk, code, tenant_id, trigger, error_code, error_type, detail, records, ended_at, _ in rows:
            known = fault(
                trigger=trigger,
                code=error_code,
                kind=error_type,
                detail=detail,
                place=places.get(str(code), ""),
            )
            group = groups.setdefault(known.fingerprint, _Found(known))
            group.add(pk, code, tenant_id, records, ended_at)
        # In one order, or two sweeps might wait for one another.
        for fingerprint in sorted(groups):
            _put(cursor, groups[fingerprint])
        return len(rows)


def sweep_all() -> int:
    """Sort what there is, up to what one beat has time for."""
    done = 0
    for _ in range(MOST_ROUNDS):
        sorted_now = sweep()
        done += sorted_now
        if sorted_now < AT_A_TIME:
            break
    return done


def assign(group: DeadLetterGroup, *, to: User | None, actor: str, at: datetime) -> None:
    """Say who sees to it; None: nobody does."""
    if to is not None and not (to.is_staff and to.is_active):
        raise BadDecision("Dead letters are assigned to operators.")
    name = to.get_username() if to else None
    _change(group, "dead-letters.assign", actor=actor, at=at, to=name, assignee=to)


def ignore(group: DeadLetterGroup, *, note: str, actor: str, at: datetime) -> None:
    """Bear it: it stays ignored and goes on being counted."""
    _decide(group, GroupStatus.IGNORED, "dead-letters.ignore", note=note, actor=actor, at=at)


def resolve(group: DeadLetterGroup, *, note: str, actor: str, at: datetime) -> None:
    """It is mended. A failure that ends later opens it again, as a regression."""
    _decide(
        group, GroupStatus.RESOLVED, "dead-letters.resolve", note=note, actor=actor, at=at, resolved_at=at
    )


def reopen(group: DeadLetterGroup, *, note: str, actor: str, at: datetime) -> None:
    """It needs a look again."""
    _decide(group, GroupStatus.OPEN, "dead-letters.reopen", note=note, actor=actor, at=at, resolved_at=None)


def _decide(
    group: DeadLetterGroup,
    status: GroupStatus,
    verb: str,
    *,
    note: str,
    actor: str,
    at: datetime,
    **fields: Any,
) -> None:
    note = " ".join(note.replace("\x00", "").split())
    if len(note) > LONGEST_NOTE:
        raise BadDecision(f"The note may have {LONGEST_NOTE} characters.")
    _change(group, verb, actor=actor, at=at, note=note, status=status, is_regression=False, **fields)


def _change(
    group: DeadLetterGroup,
    verb: str,
    *,
    actor: str,
    at: datetime,
    note: str = "",
    to: str | None = None,
    **fields: Any,
) -> None:
    with transaction.atomic():
        # A sweep may count on meanwhile: only what is decided is written.
        held = DeadLetterGroup.objects.select_for_update().get(pk=group.pk)
        if fields.get("status") == held.status and not (note and note != held.note):
            raise BadDecision(f"The group is {held.get_status_display().lower()} already.")
        if note:
            fields["note"] = note
        data: dict[str, Any] = {
            "trigger": held.trigger,
            "error": held.error_type or held.error_code,
            "was": held.status,
        }
        data |= {"to": to} if "assignee" in fields else {"note": note}
        for name, value in fields.items():
            setattr(held, name, value)
        held.save(update_fields=list(fields))
        audit.record(actor=actor, verb=verb, target=f"dead letters {held.code}", data=data, at=at)


def _put(cursor: Any, found: _Found) -> None:
    of = found.fault
    cursor.execute(
        _PUT,
        [
            *(str(new_code()), of.fingerprint, of.trigger, of.code, of.type, of.message, of.place),
            *(found.first_at, found.last_at, len(found.ids), found.records, str(found.sample)),
        ],
    )
    (group_id,) = cursor.fetchone()
    for tenant_id, (count, last_at) in sorted(found.tenants.items()):
        cursor.execute(_PUT_TENANT, [group_id, tenant_id, count, last_at])
    cursor.execute(_SORTED, [group_id, found.ids])
