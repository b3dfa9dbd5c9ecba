"""What every CRM adapter takes and gives."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# How long a change is remembered when the CRM gives it an id, and when only its bytes tell it apart:
# workflow actions send the same body again on purpose.
ID_WINDOW = timedelta(days=7)
BODY_WINDOW = timedelta(minutes=15)
# A sending time further off than this is stale, or a clock gone wrong.
FRESH = timedelta(minutes=5)

MAX_RECORD_ID = 200
MAX_KEY = 200
MAX_KIND = 80

JSON = {"application/json": ""}

# Why a signed and well-formed event is quarantined.
ACCOUNT_MISSING = "triggers.account-missing"
NOT_AN_EVENT = "triggers.not-an-event"
RECORD_MISSING = "triggers.record-missing"


class BadSignature(CodedError):
    """The body was not signed as this connection demands, or not just now."""

    code = "triggers.bad-signature"
    status = 401


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a delivery: what happened to which record, and its exact bytes."""

    object: str
    operation: str
    record_id: str
    kind: str
    occurred_at: datetime | None
    dedup_key: str
    dedup_window: timedelta
    raw: bytes
    account: str | None = None  # the CRM's account it names; None when it names none
    problem: str | None = None  # a code: it is quarantined


class Normalised(msgspec.Struct, frozen=True):
    """The fields of an event in our names; a partial one leaves every other field as it is."""

    fields: dict[str, Any]
    is_partial: bool
    # What the changed fields were, by CRMs that say so; it counts only where our mirror knows no better.
    old: dict[str, Any] | None = None


class Adapter(Protocol):
    """A module of this package. Pure: no database, no clock, no tenant."""

    # Names, lower-cased, of the headers that ``verify`` and ``find`` read; ``:query`` is the address's query.
    HEADERS: tuple[str, ...]
    # Those of them that hold the secret itself: of a refused delivery they are kept sealed.
    PROOFS: frozenset[str]
    # The media types it takes, each with the body that answers a stored delivery; "" is our JSON.
    MEDIA_TYPES: dict[str, str]
    # Whether each event must name the account it belongs to.
    NAMES_ACCOUNT: bool
    # Whether the signature covers the address it was sent to.
    SIGNS_ADDRESS: bool

    def verify(
        self,
        *,
        body: bytes,
        headers: Mapping[str, str],
        method: str,
        uris: Sequence[str],
        secrets: Sequence[str],
        public_keys: Sequence[str],
        at: datetime,
    ) -> None:
        """Return when the raw ``body`` is proven. Raises ``BadSignature``.

        ``uris`` are the spellings of the public address the sender may have signed.
        """

    def parse(self, body: bytes) -> Any:
        """The document of ``body``, read strictly. Raises ``strict_json.Malformed``."""

    def find(self, document: Any, body: bytes, *, headers: Mapping[str, str], at: datetime) -> list[Found]:
        """The events in a delivery, at least one: what is no event comes back with a ``problem``."""

    def normalise(self, raw: bytes, *, kind: str, tenant_settings: Mapping[str, Any]) -> Normalised:
        """The event's fields in our names. Raises ``schemas.Misfit``."""


def digest(data: bytes) -> str:
    """A key for a body without an id of its own."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def key_of(text: str) -> str:
    """``text`` as a dedup key; one that is too long, or unprintable, stands for itself by its hash."""
    if len(text) <= MAX_KEY and text.isprintable():
        return text
    return digest(text.encode(errors="backslashreplace"))


def moment(value: Any, *, at: datetime) -> datetime | None:
    """The CRM's time: ISO text or milliseconds. None when it is neither.

    A time far ahead of ours is cut to ``at``, or it would hold off every later change of its record.
    """
    found: datetime | None = None
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                found = found.replace(tzinfo=UTC)
            found = found.astimezone(UTC)
        elif type(value) is int or type(value) is float:
            found = datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if found is not None and found > at + timedelta(days=1):
        return at
    return found


def unrecognised(raw: bytes, *, problem: str, kind: str = "", account: str | None = None) -> Found:
    """An event that will be quarantined for ``problem``."""
    return Found(
        object="",
        operation="update",
        record_id="",
        kind=kind[:MAX_KIND],
        occurred_at=None,
        dedup_key=digest(raw),
        dedup_window=BODY_WINDOW,
        raw=raw,
        account=account,
        problem=problem,
    )
