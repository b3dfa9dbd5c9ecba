"""Refused deliveries: kept sealed for a day, so that an operator can verify them again."""

from __future__ import annotations

import base64
import logging
import threading
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID  # noqa: TC003  # msgspec reads the annotations

import msgspec

from tenants.ids import new_code
from tenants.secrets import seal, unseal
from triggers.group_commit import Unavailable, committer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from tenants.errors import CodedError
    from triggers.delivery_connections import Hook
    from triggers.models import RefusedDelivery

logger = logging.getLogger(__name__)

KEPT = timedelta(hours=24)
MAX_BODIES = 100
MAX_BYTES = 10_000_000
# Waiting to be written, in this process.
MAX_WAITING_BYTES = 4_000_000
_PROOFS = ":proofs"

_INSERT = """
WITH incoming AS (
    SELECT *, row_number() OVER later AS nth, sum(size) OVER later AS bytes
    FROM json_to_recordset(%(rows)s) AS r(
        ordinal int, code uuid, tenant_id bigint, connection_id bigint, received_at timestamptz,
        error_code varchar, detail text, headers jsonb, base64 text, size int)
    WINDOW later AS (PARTITION BY connection_id ORDER BY ordinal)
), held AS (
    SELECT connection_id, count(*) AS bodies, sum(size) AS bytes
    FROM triggers_refuseddelivery
    WHERE connection_id IN (SELECT connection_id FROM incoming) AND received_at > %(since)s
    GROUP BY connection_id
)
INSERT INTO triggers_refuseddelivery
    (code, tenant_id, connection_id, received_at, error_code, detail, headers, body, size)
SELECT i.code, i.tenant_id, i.connection_id, i.received_at, i.error_code, i.detail, i.headers,
    decode(i.base64, 'base64'), i.size
FROM incoming i LEFT JOIN held h USING (connection_id)
WHERE i.nth + coalesce(h.bodies, 0) <= %(max_bodies)s AND i.bytes + coalesce(h.bytes, 0) <= %(max_bytes)s
    AND EXISTS (SELECT FROM tenants_connection c WHERE c.id = i.connection_id)
"""
_COUNT = """
INSERT INTO triggers_refusedcount (connection_id, refused_on, error_code, count)
SELECT r.connection_id, r.refused_on, r.error_code, r.count
FROM json_to_recordset(%s) AS r(connection_id bigint, refused_on date, error_code varchar, count int)
WHERE EXISTS (SELECT FROM tenants_connection c WHERE c.id = r.connection_id)
ORDER BY 1, 2, 3
ON CONFLICT (connection_id, refused_on, error_code)
    DO UPDATE SET count = triggers_refusedcount.count + excluded.count
"""


class _Refused(msgspec.Struct, kw_only=True):
    ordinal: int = 0
    code: UUID
    tenant_id: int
    connection_id: int
    received_at: datetime
    error_code: str
    detail: str
    headers: dict[str, Any]
    body: bytes = msgspec.field(name="base64")
    size: int


class Refusals:
    """What was refused and is not written yet. One thread writes it, by the group commit's connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Refused] = []
        self._bytes = 0
        self._counts: dict[tuple[int, str, str], int] = {}
        self._is_writing = False

    def add(self, key: tuple[int, str, str], refused: _Refused | None) -> None:
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + 1
            if refused is not None:
                self._waiting.append(refused)
                self._bytes += refused.size
            is_first = not self._is_writing
            self._is_writing = True
        if is_first:
            threading.Thread(target=self._write, name="refused", daemon=True).start()

    def has_room(self, size: int) -> bool:
        return self._bytes + size <= MAX_WAITING_BYTES

    def _write(self) -> None:
        """Write until nothing waits; what comes meanwhile goes together."""
        while True:
            with self._lock:
                waiting, self._waiting, self._bytes = self._waiting, [], 0
                counts, self._counts = self._counts, {}
                if not counts:
                    self._is_writing = False
                    return
            try:
                committer().ask(partial(_insert, waiting=waiting, counts=counts))
            except Unavailable:
                logger.warning("%d refused deliveries were not kept: the database is away", len(waiting))
            except Exception:
                logger.exception("Refused deliveries could not be kept")


refusals = Refusals()


def keep(
    *,
    hook: Hook,
    body: bytes,
    headers: Mapping[str, str],
    uris: Sequence[str],
    error: CodedError,
    at: datetime,
) -> None:
    """Keep a delivery we answer with 401. Returns at once: the answer does not wait for it."""
    key = (hook.connection_id, f"{at:%F}", error.code)
    if not refusals.has_room(len(body)):
        # A flood is not worth sealing.
        refusals.add(key, None)
        return
    code = new_code()
    proofs = {name: value for name, value in headers.items() if name in hook.adapter.PROOFS and value}
    # As HTTP/2 names what is no header: the addresses the sender may have signed.
    shown: dict[str, Any] = {":uris": list(uris)}
    shown |= {name: value[:4096] for name, value in headers.items() if value and name not in proofs}
    if proofs:
        sealed = seal(msgspec.json.encode(proofs), context=f"proofs:{hook.tenant_id}:{code}")
        shown[_PROOFS] = base64.b64encode(sealed).decode()
    refused = _Refused(
        code=code,
        tenant_id=hook.tenant_id,
        connection_id=hook.connection_id,
        received_at=at,
        error_code=error.code,
        detail=str(error),
        headers=shown,
        body=seal(body, context=f"refused:{hook.tenant_id}:{code}"),
        size=len(body),
    )
    refusals.add(key, refused)


def headers_of(refused: RefusedDelivery) -> tuple[dict[str, str], list[str]]:
    """The headers as they came, secrets included, and the addresses that may have been signed."""
    headers = dict(refused.headers)
    uris = headers.pop(":uris", [])
    if sealed := headers.pop(_PROOFS, ""):
        context = f"proofs:{refused.tenant_id}:{refused.code}"
        headers |= msgspec.json.decode(unseal(base64.b64decode(sealed), context=context))
    return headers, uris


def shown_headers(refused: RefusedDelivery) -> list[tuple[str, str]]:
    """The headers to show: of those that hold a secret, only that there is one."""
    headers = {name: value for name, value in refused.headers.items() if name != ":uris"}
    if headers.pop(_PROOFS, ""):
        headers["the secret"] = "kept sealed"
    return sorted(headers.items())


def _insert(cursor: Cursor, *, waiting: list[_Refused], counts: dict[tuple[int, str, str], int]) -> None:
    for ordinal, refused in enumerate(waiting):
        refused.ordinal = ordinal
    if waiting:
        cursor.execute(
            _INSERT,
            {
                "rows": msgspec.json.encode(waiting).decode(),
                "since": max(refused.received_at for refused in waiting) - KEPT,
                "max_bodies": MAX_BODIES,
                "max_bytes": MAX_BYTES,
            },
        )
    rows = [
        {"connection_id": connection_id, "refused_on": day, "error_code": code, "count": count}
        for (connection_id, day, code), count in counts.items()
    ]
    cursor.execute(_COUNT, (msgspec.json.encode(rows).decode(),))
