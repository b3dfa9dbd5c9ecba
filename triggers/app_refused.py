"""The last delivery to an app's address that did not verify, noted for whoever sets the app up."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from triggers.group_commit import Unavailable, committer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from tenants.errors import CodedError

logger = logging.getLogger(__name__)

AT_MOST_EVERY_S = 1.0  # of one CRM: anybody can send what does not verify
_UPSERT = """
INSERT INTO triggers_apprefusal AS known (crm, refused_at, detail, uris, count) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (crm) DO UPDATE SET refused_at = excluded.refused_at, detail = excluded.detail,
    uris = excluded.uris, count = known.count + excluded.count
"""

_lock = threading.Lock()
_noted: dict[str, float] = {}
_counts: dict[str, int] = {}


def note(crm: str, error: CodedError, *, uris: Sequence[str], at: datetime) -> None:
    """Note it in the background; the answer does not wait."""
    now = time.monotonic()
    with _lock:
        _counts[crm] = _counts.get(crm, 0) + 1
        if now - _noted.get(crm, -AT_MOST_EVERY_S) < AT_MOST_EVERY_S:
            return
        _noted[crm] = now
        count = _counts.pop(crm)
    said = (crm, at, str(error), msgspec.json.encode(list(uris)).decode(), count)
    threading.Thread(target=_write, args=(said,), name="refused", daemon=True).start()


def _write(said: tuple[str, datetime, str, str, int]) -> None:
    try:
        committer().ask(partial(_execute, said=said))
    except Unavailable:
        logger.warning("A refused delivery of the app was not noted: the database is away")
    except Exception:
        logger.exception("A refused delivery of the app could not be noted")


def _execute(cursor: Cursor, *, said: tuple[str, datetime, str, str, int]) -> None:
    cursor.execute(_UPSERT, said)
