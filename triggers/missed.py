"""What a CRM changed and never told us: found by asking what changed, and made into events that run.

A change is missed when no event of its record came at or after it, and what the CRM says differs from what we
hold. So our own writes that come back, and changes of what we do not keep, are none. Young changes wait for
the next round: their delivery may be on its way.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import connection as database
from django.db import transaction
from django.db.models import F

from tenants.errors import CodedError
from tenants.records.store import compare
from tenants.scope import every_tenant
from triggers import bells, delivery_connections, delivery_store, ingest
from triggers.backfill import FAULT, LEASE, incoming, pause
from triggers.choices import RECONCILE
from triggers.crm import adapter, reader
from triggers.crm.client import Client, CrmUnavailable, Unauthorised
from triggers.crm.readers import READERS
from triggers.models import ArrivedDay, Reconciliation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tenants.models import Connection
    from tenants.records.store import Applied
    from triggers.crm.reader import Asks, Seen

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)
# HighLevel sends again ten minutes after a 429.
GRACE = timedelta(minutes=15)
# What the last round may not have seen: a search tells a change some seconds late.
OVERLAP = timedelta(minutes=10)
SLACK = timedelta(seconds=5)  # between the record's time of change and the event's
GAP = timedelta(seconds=90)  # the beat did not come by for so long: something was down
LONGEST = timedelta(days=30)  # back, after however long an outage
KIND = "found by reconciliation"
_UNTOLD = frozenset({"updated_at", "extra", "id"})  # say nothing by themselves

_TAKE = """
UPDATE public.triggers_reconciliation SET leased_until = %(until)s WHERE connection_id = (
    SELECT r.connection_id FROM public.triggers_reconciliation r
    JOIN public.tenants_connection c ON c.id = r.connection_id
    WHERE r.next_at <= %(at)s AND (r.leased_until IS NULL OR r.leased_until <= %(at)s)
      AND c.is_active AND c.reconnect_since IS NULL AND c.sealed_credentials IS NOT NULL
    ORDER BY r.next_at, r.connection_id LIMIT 1 FOR UPDATE OF r SKIP LOCKED)
RETURNING connection_id
"""
# Of records that changed: the newest that any delivery told, however it ended.
_TOLD = """
SELECT record_id, max(greatest(coalesce(occurred_at, received_at), received_at)) FROM public.triggers_event
WHERE tenant_id = %s AND record_id = ANY(%s) AND object = %s AND connection_id = %s AND origin = 'live'
  AND received_at >= %s
GROUP BY record_id
"""
_COUNT = """
INSERT INTO public.triggers_arrivedday AS held (connection_id, "on", delivered, found) VALUES (%s, %s, %s, %s)
ON CONFLICT (connection_id, "on") DO UPDATE
SET delivered = held.delivered + excluded.delivered, found = held.found + excluded.found
"""


def watch(connection: Connection, *, at: datetime) -> None:
    """From now on, look for what the connection's CRM does not tell."""
    with every_tenant():
        Reconciliation.objects.get_or_create(
            connection=connection,
            defaults={
                "tenant_id": connection.tenant_id,
                "read_until": at,
                "next_at": at + EVERY,
                "looked_at": at,
            },
        )


def mind(*, at: datetime, is_start: bool = False) -> int:
    """The beat comes by. After a start, or a gap in which something was down, all are looked at at once."""
    with every_tenant():
        rows = Reconciliation.objects.all()
        due = rows if is_start else rows.filter(looked_at__lt=at - GAP)
        woken: int = due.filter(next_at__gt=at).update(next_at=at)
        rows.filter(looked_at__lt=at - GAP / 3).update(looked_at=at)
    return woken


def step(*, at: datetime, client_of: Callable[[Connection], Asks] = Client) -> bool:
    """Read one page of what changed at whoever is due. False: nobody is."""
    with every_tenant():
        row = _take(at)
        if row is None:
            return False
        try:
            _look(row, client_of(row.connection), at=at)
        except CrmUnavailable as error:
            _put_off(row, str(error), pause(error.retry_after, row.attempts), at=at)
        except Unauthorised:
            name = row.connection.get_crm_display()
            _put_off(row, f"{name} no longer takes the access token.", EVERY, at=at)
        except CodedError as error:
            _put_off(row, str(error), EVERY, at=at)
        except Exception:
            logger.exception("Connection %s cannot be reconciled", row.connection_id)
            _put_off(row, FAULT, EVERY, at=at)
    return True


def _take(at: datetime) -> Reconciliation | None:
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(_TAKE, {"at": at, "until": at + LEASE})
        row = cursor.fetchone()
    if row is None:
        return None
    found: Reconciliation = Reconciliation.objects.select_related("connection__tenant").get(pk=row[0])
    return found


def _look(row: Reconciliation, client: Asks, *, at: datetime) -> None:
    connection = row.connection
    source = READERS[connection.crm]
    window = row.round or _begin(row, source.OBJECTS, at=at)
    name, *others = window["objects"]
    since, until = (datetime.fromisoformat(window[key]) for key in ("since", "until"))
    page = source.page(client, connection, object=name, cursor=window["cursor"], since=since, at=at)
    changed = [each for each in page.records if each.changed_at is None or each.changed_at <= until]
    with transaction.atomic(), database.cursor() as cursor:
        now = Reconciliation.objects.select_for_update().get(pk=row.pk)
        if now.leased_until != row.leased_until or now.round != row.round:
            return  # our lease had ended, and another read this page
        counts = find(cursor, connection, name, changed, read_until=row.read_until, at=at)
        if any(counts):
            cursor.execute(_COUNT, [connection.pk, at.date(), *counts])
        if page.cursor is not None:
            now.round = {**window, "cursor": page.cursor}
        elif others:
            now.round = {**window, "objects": others, "cursor": None}
        else:
            now.round, now.read_until, now.finished_at = None, until, at
        now.next_at = at if now.round else at + EVERY
        now.leased_until, now.problem, now.attempts = None, "", 0
        now.save()


def _begin(row: Reconciliation, objects: Sequence[str], *, at: datetime) -> dict[str, Any]:
    since = max(row.read_until - OVERLAP, at - LONGEST)
    until = max(at - GRACE, row.read_until)
    return {"objects": list(objects), "cursor": None, "since": since.isoformat(), "until": until.isoformat()}


def find(
    cursor: Any,
    connection: Connection,
    name: str,
    records: Sequence[Seen],
    *,
    read_until: datetime,
    at: datetime,
) -> tuple[int, int]:
    """Make events of the changes that were missed. Returns how many were told, and how many found now."""
    changes = incoming(connection, name, records)
    if not changes:
        return 0, 0
    schema = connection.tenant.schema_name
    would = {each.key: each for each in compare(cursor, schema=schema, object=name, changes=changes, at=at)}
    told = _told(cursor, connection, name, records)
    delivered, missing = 0, []
    for change in changes:
        seen = records[change.key]
        # Without a time of change nothing proves that it came later than what we know.
        if seen.changed_at is None:
            continue
        if told.get(seen.record_id, seen.changed_at - SLACK * 2) >= seen.changed_at - SLACK:
            # The overlap was counted by the round before.
            delivered += seen.changed_at > read_until
        elif _tells_news(would[change.key], change.fields):
            missing.append(
                _event(connection, name, seen, change.fields, is_new=not would[change.key].old_known)
            )
    return delivered, _store(cursor, connection, missing, at=at)


def _told(cursor: Any, connection: Connection, name: str, records: Sequence[Seen]) -> dict[str, datetime]:
    times = [each.changed_at for each in records if each.changed_at]
    if not times:
        return {}
    ids = [each.record_id for each in records]
    cursor.execute(_TOLD, [connection.tenant_id, ids, name, connection.pk, min(times) - SLACK])
    return dict(cursor.fetchall())


def _tells_news(would: Applied, fields: Mapping[str, Any]) -> bool:
    """Whether the mirror would change by it, in what is worth telling."""
    if not would.old_known:
        return True
    if would.is_stale or would.is_echo or would.before is None:
        return False
    return any(
        _plain(would.before.get(name)) != _plain(would.after.get(name))
        for name in fields
        if name not in _UNTOLD
    )


def _plain(value: Any) -> Any:
    """A search may tell names in other letters than a delivery, and no list for an empty one."""
    return value.casefold() if isinstance(value, str) else value or None


def _event(
    connection: Connection, name: str, seen: Seen, fields: Mapping[str, Any], *, is_new: bool
) -> tuple[adapter.Found, str]:
    found = adapter.Found(
        object=name,
        operation="insert" if is_new else "update",
        record_id=seen.record_id,
        kind=KIND,
        occurred_at=seen.changed_at,
        # Once for each change, however often it is seen.
        dedup_key=adapter.key_of(f"{RECONCILE}:{name}:{seen.record_id}:{seen.changed_at}"),
        dedup_window=adapter.ID_WINDOW,
        raw=reader.body_of(fields, seen),
        account=connection.account_id or None,
    )
    return found, ""


def _store(
    cursor: Any, connection: Connection, missing: Sequence[tuple[adapter.Found, str]], *, at: datetime
) -> int:
    if not missing:
        return 0
    hook = delivery_connections.hook_of(connection, at=at)
    stored = delivery_store.insert_within(cursor, ingest.rows_of(hook, missing, at=at, origin=RECONCILE))
    lanes = {lane for lane in stored.values() if lane is not None}
    transaction.on_commit(partial(bells.ring, lanes))
    return len(stored)


def _put_off(row: Reconciliation, problem: str, wait: timedelta, *, at: datetime) -> None:
    Reconciliation.objects.filter(pk=row.pk, leased_until=row.leased_until).update(
        problem=problem[:300], next_at=at + wait, leased_until=None, attempts=F("attempts") + 1
    )


def forget_old(*, at: datetime) -> None:
    """Days that no page shows any more."""
    ArrivedDay.objects.filter(on__lt=(at - timedelta(days=60)).date()).delete()
