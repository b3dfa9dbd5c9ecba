"""What every CRM's reader takes and gives: records as the CRM holds them now, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tenants.errors import CodedError
from triggers.crm.adapter import Normalised
from triggers.schemas import Misfit, check

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tenants.models import Connection

PAGE = 100  # records: what all the providers' searches give at once


class ReadRefused(CodedError):
    """The CRM does not let us read this, or answers what is no answer."""

    code = "triggers.read-refused"
    status = 502


class Answer(Protocol):
    """What a CRM answered."""

    @property
    def status(self) -> int: ...
    @property
    def document(self) -> Any: ...


class Asks(Protocol):
    """The client of a CRM's API."""

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        is_counted: bool = True,
    ) -> Answer: ...


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One record: only the fields that the CRM told, unchecked, in our names."""

    record_id: str
    fields: dict[str, Any]
    changed_at: datetime | None
    made_at: datetime | None
    raw: dict[str, Any]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some records, and where the next page begins; None after the last."""

    records: list[Seen]
    cursor: dict[str, Any] | None
    total: int | None = None


class Reader(Protocol):
    """A module of this package. It keeps nothing: a page that was read twice says the same."""

    OBJECTS: tuple[str, ...]

    def page(
        self,
        client: Asks,
        connection: Connection,
        *,
        object: str,
        cursor: dict[str, Any] | None,
        since: datetime | None,
        at: datetime,
    ) -> Page:
        """Newest first; with ``since``, all that changed from then on, in any order.

        Raises ``ReadRefused``, and what the client raises.
        """


def ask(client: Asks, method: str, path: str, *, what: str, **more: Any) -> dict[str, Any]:
    """The document of a good answer. Backfill and reconciliation count towards no quota."""
    answer = client.request(method, path, is_counted=False, **more)
    if answer.status not in {200, 207}:
        said = answer.document.get("message") if isinstance(answer.document, dict) else None
        why = f": {str(said)[:120]}" if said else ""
        right = " The token may lack the right to read them." if answer.status == 403 else ""
        raise ReadRefused(f"{what} cannot be read, the CRM answered {answer.status}{why}.{right}")
    if not isinstance(answer.document, dict):
        raise ReadRefused(f"{what} cannot be read, the CRM's answer is no JSON object.")
    return answer.document


def rows(document: Mapping[str, Any], key: str, *, what: str) -> list[dict[str, Any]]:
    """The records of an answer."""
    found = document.get(key)
    if not isinstance(found, list):
        raise ReadRefused(f"{what} cannot be read, the CRM's answer has no list of {key}.")
    return [row for row in found if isinstance(row, dict)]


def fit(name: str, seen: Seen) -> dict[str, Any] | None:
    """The record's fields, each of the type it should have; None when one is not."""
    try:
        return check(name, seen.fields)
    except Misfit:
        return None


def body_of(fields: Mapping[str, Any], seen: Seen) -> bytes:
    """The body of an event that we make of a record: what it says, and what the CRM said."""
    return msgspec.json.encode({"fields": fields, "record": seen.raw})


def of_body(body: bytes) -> Normalised:
    """Back from ``body_of``. Fields that the search does not tell stay as they are."""
    return Normalised(msgspec.json.decode(body)["fields"], is_partial=False)
