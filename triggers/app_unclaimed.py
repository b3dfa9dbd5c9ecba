"""Events of accounts that no tenant has linked: kept sealed, and replayed for whoever they turn out to be."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003  # msgspec reads the annotations

import msgspec

from tenants.choices import CRM
from tenants.ids import new_code
from tenants.secrets import seal, unseal
from triggers import delivery_connections, delivery_verify, strict_json
from triggers import ingest as single
from triggers.group_commit import committer
from triggers.models import UnclaimedAccount, UnclaimedEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from tenants.models import Connection
    from triggers.crm import Found

KEPT = timedelta(days=30)
MOST_EVENTS, MOST_BYTES = 1_000, 4_000_000  # of one account
MOST_STORED = 512_000_000  # bytes of all: beyond it events are only counted
AT_A_TIME = 200  # events replayed together

_ACCOUNTS = """
INSERT INTO triggers_unclaimedaccount AS known (code, crm, account_id, first_at, last_at)
SELECT r.code, %(crm)s, r.account_id, %(at)s, %(at)s
FROM json_to_recordset(%(accounts)s) AS r(code uuid, account_id varchar) ORDER BY r.account_id
ON CONFLICT (crm, account_id) DO UPDATE SET last_at = greatest(known.last_at, excluded.last_at)
RETURNING id, account_id
"""
_INSERT = """
WITH incoming AS (
    SELECT *, row_number() OVER later AS nth, sum(size) OVER later AS bytes
    FROM json_to_recordset(%(rows)s) AS r(
        ordinal int, account_id bigint, code uuid, key varchar, kind varchar, received_at timestamptz,
        base64 text, size int)
    WINDOW later AS (PARTITION BY account_id ORDER BY ordinal)
), held AS (
    SELECT account_id, count(*) AS events, sum(size) AS bytes FROM triggers_unclaimedevent
    WHERE account_id IN (SELECT account_id FROM incoming) GROUP BY account_id
)
INSERT INTO triggers_unclaimedevent (account_id, code, key, kind, received_at, body, size)
SELECT i.account_id, i.code, i.key, i.kind, i.received_at, decode(i.base64, 'base64'), i.size
FROM incoming i LEFT JOIN held h USING (account_id)
WHERE i.nth + coalesce(h.events, 0) <= %(most_events)s AND i.bytes + coalesce(h.bytes, 0) <= %(most_bytes)s
    AND pg_total_relation_size('triggers_unclaimedevent') <= %(most_stored)s
ORDER BY i.ordinal ON CONFLICT (account_id, key) DO NOTHING
"""
_FIRSTS = """
SELECT e.account_id, e.key, e.code FROM json_to_recordset(%s) AS r(account_id bigint, key varchar)
JOIN triggers_unclaimedevent e ON e.account_id = r.account_id AND e.key = r.key
"""
_DROPPED = """
UPDATE triggers_unclaimedaccount a SET dropped = a.dropped + r.dropped
FROM json_to_recordset(%s) AS r(id bigint, dropped int) WHERE a.id = r.id
"""


class _Kept(msgspec.Struct, kw_only=True):
    ordinal: int
    account_id: int = 0
    code: UUID
    key: str
    kind: str
    received_at: datetime
    body: bytes = msgspec.field(name="base64")
    size: int


def account_of(event: Found) -> str:
    """The account that an event names; a whole agency's as ``company:<id>``; "" when it names none."""
    if event.account:
        return event.account[:120]
    if event.object == "App":
        document = strict_json.parse(event.raw)
        company = document.get("companyId") if type(document) is dict else None
        if type(company) is str and company:
            return f"company:{company}"[:120]
    return ""


def keep(crm: str, events: Sequence[Found], *, at: datetime) -> list[tuple[UUID, bool]]:
    """Keep events of unknown accounts: each one's id and whether it is new. Raises ``Unavailable``."""
    if not events:
        return []
    rows: list[tuple[str, _Kept]] = []
    for ordinal, event in enumerate(events):
        code = new_code()
        row = _Kept(
            ordinal=ordinal,
            code=code,
            key=event.dedup_key,
            kind=event.kind,
            received_at=at,
            body=seal(event.raw, context=f"unclaimed:0:{code}"),
            size=len(event.raw),
        )
        rows.append((account_of(event), row))
    result: list[tuple[UUID, bool]] = committer().ask(partial(_store, crm=crm, rows=rows, at=at))
    return result


def replay(account: UnclaimedAccount, connection: Connection, *, at: datetime) -> int:
    """Store the account's events for its connection, in the order they came. Returns how many were new.

    Raises ``Unavailable``; what was stored by then is known the next time. The account's row goes when no
    event of it is left.
    """
    hook = delivery_connections.hook_of(connection, at=at)
    stored = 0
    while rows := list(account.events.order_by("id")[:AT_A_TIME]):
        for row in rows:
            stored += single.store(hook=hook, events=_read(hook, row), at=row.received_at).accepted
        UnclaimedEvent.objects.filter(pk__in=[row.pk for row in rows]).delete()
    account.delete()
    return stored


def preview(account: UnclaimedAccount) -> str:
    """The newest body, masked and cut; "" when none is kept, or its key is gone."""
    newest = account.events.order_by("-id").first()
    if newest is None:
        return ""
    return delivery_verify.shown(newest.body, context=f"unclaimed:0:{newest.code}")


def sweep(cursor: Any, *, at: datetime) -> int:
    """Delete what was kept for long enough."""
    cursor.execute("DELETE FROM public.triggers_unclaimedevent WHERE received_at < %s", [at - KEPT])
    deleted: int = cursor.rowcount
    cursor.execute(
        "DELETE FROM public.triggers_unclaimedaccount a WHERE a.last_at < %s"
        " AND NOT EXISTS (SELECT FROM public.triggers_unclaimedevent e WHERE e.account_id = a.id)",
        [at - KEPT],
    )
    return deleted + int(cursor.rowcount)


def _read(hook: delivery_connections.Hook, row: UnclaimedEvent) -> list[tuple[Found, str]]:
    raw = unseal(row.body, context=f"unclaimed:0:{row.code}")
    # HubSpot's events are elements of an array.
    body = b"[" + raw + b"]" if hook.crm == CRM.HUBSPOT else raw
    found = hook.adapter.find(strict_json.parse(body), body, headers={}, at=row.received_at)
    return [(event, event.problem or "") for event in found]


def _store(
    cursor: Cursor, *, crm: str, rows: Sequence[tuple[str, _Kept]], at: datetime
) -> list[tuple[UUID, bool]]:
    wanted = [{"code": str(new_code()), "account_id": name} for name in sorted({name for name, _ in rows})]
    cursor.execute(_ACCOUNTS, {"crm": crm, "at": at, "accounts": _json(wanted)})
    accounts = {name: pk for pk, name in cursor.fetchall()}
    first: dict[tuple[int, str], _Kept] = {}
    for name, row in rows:
        row.account_id = accounts[name]
        first.setdefault((row.account_id, row.key), row)
    limits = {"most_events": MOST_EVENTS, "most_bytes": MOST_BYTES, "most_stored": MOST_STORED}
    cursor.execute(_INSERT, {"rows": _json(list(first.values())), **limits})
    keys = [{"account_id": account, "key": key} for account, key in first]
    cursor.execute(_FIRSTS, (_json(keys),))
    known = {(account, key): code for account, key, code in cursor.fetchall()}
    dropped: dict[int, int] = {}
    for place in first:
        if place not in known:
            dropped[place[0]] = dropped.get(place[0], 0) + 1
    if dropped:
        cursor.execute(_DROPPED, (_json([{"id": pk, "dropped": count} for pk, count in dropped.items()]),))
    result = []
    for _, row in rows:
        code = known.get((row.account_id, row.key), row.code)
        result.append((code, code == row.code))
    return result


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
