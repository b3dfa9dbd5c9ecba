"""Backfill: what a CRM held before it was connected comes into the mirror, a page at a time.

A page and where the next one begins are stored together, so whoever dies on the way costs a page that is read
again, and nothing is counted twice. No trigger runs, nothing is sent or written, no quota is used.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection as database
from django.db import transaction
from django.db.models import F

from tenants import audit
from tenants.errors import CodedError
from tenants.records.merge import Incoming
from tenants.records.store import apply_incoming
from tenants.scope import every_tenant
from triggers import backfill_score
from triggers.crm import reader
from triggers.crm.client import Client, CrmUnavailable, Unauthorised
from triggers.crm.readers import READERS
from triggers.models import Backfill, BackfillState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tenants.models import Connection
    from triggers.crm.reader import Asks, Page, Seen

logger = logging.getLogger(__name__)

SCORE = "Score"  # the last part: nothing is read, what is there is scored
LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 10
LONGEST_WAIT = timedelta(minutes=15)
FAULT = "Something went wrong on our side; it is in the log."

_TAKE = """
UPDATE public.triggers_backfill taken
SET state = 'running', leased_until = %(until)s, started_at = coalesce(started_at, %(at)s)
WHERE id = (
    SELECT b.id FROM public.triggers_backfill b
    JOIN public.tenants_connection c ON c.id = b.connection_id
    WHERE b.state IN ('queued', 'running') AND b.next_at <= %(at)s
      AND (b.leased_until IS NULL OR b.leased_until <= %(at)s)
      AND c.is_active AND c.reconnect_since IS NULL AND c.sealed_credentials IS NOT NULL
      AND NOT EXISTS (
        SELECT FROM public.triggers_backfill earlier
        WHERE earlier.connection_id = b.connection_id AND earlier.position < b.position
          AND earlier.state IN ('queued', 'running'))
    ORDER BY b.next_at, b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED)
RETURNING id
"""


class CannotImport(CodedError):
    """There is nothing to import, or it is being imported."""

    code = "triggers.cannot-import"
    status = 409


def queue(connection: Connection, *, at: datetime) -> None:
    """Import the connection's objects one after the other, then score; what was queued before stays."""
    parts = [*READERS[connection.crm].OBJECTS, SCORE]
    with every_tenant():
        Backfill.objects.bulk_create(
            [
                Backfill(
                    connection=connection,
                    tenant_id=connection.tenant_id,
                    object=name,
                    position=position,
                    next_at=at,
                )
                for position, name in enumerate(parts)
            ],
            ignore_conflicts=True,
        )


def start_again(connection: Connection, *, actor: str, at: datetime) -> bool:
    """Go on where an import failed, or import all anew; True for the latter. Raises ``CannotImport``."""
    with every_tenant(), transaction.atomic():
        parts = list(Backfill.objects.select_for_update().filter(connection=connection).order_by("position"))
        if not parts:
            raise CannotImport("Nothing can be imported: give the connection access to its CRM first.")
        if any(part.state in {BackfillState.QUEUED, BackfillState.RUNNING} for part in parts):
            raise CannotImport("An import is under way already.")
        failed = [part for part in parts if part.state == BackfillState.FAILED]
        for part in failed or parts:
            part.state, part.problem, part.attempts = BackfillState.QUEUED, "", 0
            part.next_at, part.leased_until, part.finished_at = at, None, None
            if not failed:
                part.cursor, part.total, part.started_at = None, None, None
                part.read = part.stored = part.unfit = 0
            part.save()
        if failed:
            # What comes now is to be scored as well.
            Backfill.objects.filter(connection=connection, object=SCORE).update(
                state=BackfillState.QUEUED, next_at=at, finished_at=None
            )
        audit.record(
            actor=actor,
            verb="continued the import of" if failed else "imported again",
            target=f"connection {connection.code}",
            tenant=connection.tenant,
            data={"objects": [part.object for part in failed or parts]},
            at=at,
        )
    return not failed


def step(*, at: datetime, client_of: Callable[[Connection], Asks] = Client) -> bool:
    """Import one page of whoever has waited longest. False: nothing is due."""
    with every_tenant():
        part = _take(at)
        if part is None:
            return False
        try:
            if part.object == SCORE:
                report = backfill_score.screen(part.connection, at=at)
                _end(part, BackfillState.FINISHED, at=at, report=report)
            else:
                _import(part, client_of(part.connection), at=at)
        except CrmUnavailable as error:
            _wait(part, error, at=at)
        except Unauthorised:
            _end(
                part,
                BackfillState.FAILED,
                problem=f"{part.connection.get_crm_display()} no longer takes the access token.",
                at=at,
            )
        except CodedError as error:
            _end(part, BackfillState.FAILED, problem=str(error), at=at)
        except Exception:
            logger.exception("The import %s failed", part.code)
            _end(part, BackfillState.FAILED, problem=FAULT, at=at)
    return True


def _take(at: datetime) -> Backfill | None:
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_TAKE, {"at": at, "until": at + LEASE})
        row = cursor.fetchone()
    if row is None:
        return None
    found: Backfill = Backfill.objects.select_related("connection__tenant").get(pk=row[0])
    return found


def _import(part: Backfill, client: Asks, *, at: datetime) -> None:
    connection = part.connection
    page = READERS[connection.crm].page(
        client, connection, object=part.object, cursor=part.cursor, since=None, at=at
    )
    with transaction.atomic(), database.cursor() as cursor:
        now = Backfill.objects.select_for_update().get(pk=part.pk)
        if (
            now.state != BackfillState.RUNNING
            or now.cursor != part.cursor
            or now.leased_until != part.leased_until
        ):
            return  # our lease had ended, and another read this page
        stored, unfit = store(cursor, connection, part.object, page.records, at=at)
        _note(now, page, stored=stored, unfit=unfit, at=at)


def store(
    cursor: Any, connection: Connection, name: str, records: Sequence[Seen], *, at: datetime
) -> tuple[int, int]:
    """Put what the CRM says into the mirror, never over what is newer. How many were news, how many unfit."""
    changes = incoming(connection, name, records)
    applied = apply_incoming(
        cursor, schema=connection.tenant.schema_name, object=name, changes=changes, at=at
    )
    return sum(each.before != each.after for each in applied), len(records) - len(changes)


def incoming(connection: Connection, name: str, records: Sequence[Seen]) -> list[Incoming]:
    """Records as changes for the mirror, keyed by their place; those that do not fit are left out."""
    return [
        Incoming(
            key=key,
            record_id=seen.record_id,
            operation="update",
            fields=fields,
            occurred_at=seen.changed_at,
            is_partial=False,
            source=connection.crm,
        )
        for key, seen in enumerate(records)
        if (fields := reader.fit(name, seen)) is not None
    ]


def _note(part: Backfill, page: Page, *, stored: int, unfit: int, at: datetime) -> None:
    part.read += len(page.records)
    part.stored += stored
    part.unfit += unfit
    part.total = page.total if page.total is not None else part.total
    part.cursor, part.problem, part.attempts = page.cursor, "", 0
    part.next_at, part.leased_until = at, None
    if page.cursor is None:
        part.state, part.finished_at = BackfillState.FINISHED, at
    part.save()


def _wait(part: Backfill, error: CrmUnavailable, *, at: datetime) -> None:
    """The CRM is away or wants rest: later, unless it has been so for too long."""
    if part.attempts + 1 >= MOST_ATTEMPTS:
        _end(part, BackfillState.FAILED, problem=f"Given up after {MOST_ATTEMPTS} tries: {error}", at=at)
        return
    _mine(part).update(
        attempts=F("attempts") + 1,
        problem=f"Waits for the CRM: {error}"[:300],
        next_at=at + pause(error.retry_after, part.attempts),
        leased_until=None,
    )


def pause(retry_after: float | None, attempts: int) -> timedelta:
    """As long as the CRM says, else doubling from five seconds."""
    seconds = retry_after if retry_after else 5.0 * 2**attempts
    return min(timedelta(seconds=seconds), LONGEST_WAIT)


def _end(part: Backfill, state: str, *, at: datetime, problem: str = "", report: Any = None) -> None:
    changed: dict[str, Any] = {"state": state, "problem": problem[:300], "leased_until": None}
    if state == BackfillState.FINISHED:
        changed["finished_at"] = at
    if report is not None:
        changed["report"] = report
    _mine(part).update(**changed)


def _mine(part: Backfill) -> Any:
    """The row, while it is still leased to us."""
    return Backfill.objects.filter(pk=part.pk, leased_until=part.leased_until)
