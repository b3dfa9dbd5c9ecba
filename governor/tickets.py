"""Callouts on their way: what a script asked for, checked, until it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governor import enrichment
from governor.ops import BadRequest
from governor.trips import MOST_RETRIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from governor.callouts import Reply
    from governor.journal import Intent
    from governor.questions import Asking
    from governor.trips import Trip


@dataclass(slots=True)
class Ticket:
    """A callout between being asked for and being answered."""

    id: int
    at: str
    asked: dict[str, Any]
    work: Callable[..., Reply]  # called with seconds= in a thread
    seconds: float
    intent: Intent
    source: str = ""  # of an enrichment, whose facts are kept
    asking: Asking | None = None  # of a question to the model
    record: str = ""
    trip: Trip | None = None  # of an HTTP callout
    wait: float = 0.0  # seconds until it may be sent
    is_probe: bool = False  # it shows whether the host is back


def checked_http(args: dict[str, Any]) -> str:
    """The method of an HTTP request, in capitals, when all of it makes sense. Raises ``BadRequest``."""
    method, url = args.get("method"), args.get("url")
    headers, params = args.get("headers") or {}, args.get("params") or {}
    fits = (
        isinstance(method, str)
        and isinstance(url, str)
        and isinstance(headers, dict)
        and all(isinstance(name, str) and isinstance(value, str) for name, value in headers.items())
        and isinstance(params, dict)
        and isinstance(args.get("body"), bytes | None)
        and isinstance(args.get("timeout"), int | float | None)
        and isinstance(args.get("follow"), bool | None)
        and isinstance(args.get("retries"), int | None)
        and 0 <= (args.get("retries") or 0) <= MOST_RETRIES
    )
    if not fits or not isinstance(method, str):
        raise BadRequest(
            "A callout has method, url, headers (texts), params, json or body (bytes), timeout, follow,"
            f" and 0 to {MOST_RETRIES} retries."
        )
    return method.upper()


def checked_enrichment(args: dict[str, Any]) -> tuple[str, dict[str, str | None]]:
    """The source, and the ZIP code of each record. Raises ``BadRequest``."""
    source, records = args.get("source"), args.get("records")
    if not isinstance(source, str) or not isinstance(records, list):
        raise BadRequest("An enrichment has a source and records.")
    zips = {}
    for record in records:
        if not isinstance(record, dict) or not isinstance(record.get("id"), str):
            raise BadRequest("A record to enrich has an id and a postal_code.")
        zips[record["id"]] = enrichment.zip_of(record.get("postal_code"), record.get("country"))
    return source, zips
