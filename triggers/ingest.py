"""Ingest: a delivery is proven, read strictly, taken apart into events and stored, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tenants.errors import CodedError
from tenants.ids import new_code
from tenants.secrets import seal, unseal
from triggers import delivery_admission, delivery_connections, delivery_refused
from triggers.crm.adapter import ACCOUNT_MISSING, NOT_AN_EVENT, RECORD_MISSING, BadSignature
from triggers.crm.proof import PEER
from triggers.delivery_store import Row
from triggers.group_commit import committer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from triggers.crm import Found
    from triggers.delivery_connections import Hook
    from triggers.models import RefusedDelivery

MAX_BODY = 1024 * 1024

_DETAILS = {
    ACCOUNT_MISSING: "The event does not name the CRM account it belongs to.",
    NOT_AN_EVENT: "The body is valid JSON, but no event of this CRM.",
    RECORD_MISSING: "The event does not name the record it is about.",
}


class WrongAccount(CodedError):
    """The event belongs to another CRM account than the connection's."""

    code = "triggers.wrong-account"
    status = 401


class Receipt(msgspec.Struct):
    """What became of a delivery; ``event_ids`` stand in the order of the body, known ones included."""

    status: str
    accepted: int
    duplicates: int
    event_ids: list[str]


def receive(
    *,
    hook: Hook,
    body: bytes,
    headers: Mapping[str, str],
    method: str,
    uris: Sequence[str],
    at: datetime,
    origin: str = "live",
) -> Receipt:
    """Store the events of a delivery: they are on disk when this returns.

    Raises ``BadSignature`` or ``WrongAccount`` (the delivery is kept as refused), ``Malformed``,
    ``RateExceeded``, ``LotFull`` or ``Unavailable``; then no event of it is stored.
    """
    try:
        events = read(hook=hook, body=body, headers=headers, method=method, uris=uris, at=at)
    except (BadSignature, WrongAccount) as error:
        delivery_refused.keep(hook=hook, body=body, headers=headers, uris=uris, error=error, at=at)
        raise
    delivery_admission.admit(hook, len(events))
    return store(hook=hook, events=events, at=at, origin=origin)


def read(
    *,
    hook: Hook,
    body: bytes,
    headers: Mapping[str, str],
    method: str,
    uris: Sequence[str],
    at: datetime,
) -> list[tuple[Found, str]]:
    """The events of a delivery, each with its problem ("" when it has none). Raises as ``receive`` does."""
    verify(hook, body=body, headers=headers, method=method, uris=uris, at=at)
    document = hook.adapter.parse(body)
    events: list[Found] = hook.adapter.find(document, body, headers=headers, at=at)
    return [(event, bind(hook, event)) for event in events]


def verify(
    hook: Hook, *, body: bytes, headers: Mapping[str, str], method: str, uris: Sequence[str], at: datetime
) -> None:
    """Level 2, and of level 3 the signed sending time: as the connection demands. Raises ``BadSignature``."""
    if hook.senders and not hook.lists(headers.get(PEER, "")):
        raise BadSignature("The sender's address is not on the connection's list.")
    hook.adapter.verify(
        body=body,
        headers=headers,
        method=method,
        uris=uris,
        secrets=hook.secrets,
        public_keys=hook.public_keys,
        at=at,
    )


def store(*, hook: Hook, events: Sequence[tuple[Found, str]], at: datetime, origin: str = "live") -> Receipt:
    """Store events that were read from one delivery. Raises ``Unavailable``."""
    stored = committer().store(rows_of(hook, events, at=at, origin=origin))

    accepted = sum(is_new for _, is_new in stored)
    return Receipt(
        status="accepted" if accepted else "duplicate",
        accepted=accepted,
        duplicates=len(stored) - accepted,
        event_ids=[str(code) for code, _ in stored],
    )


def rows_of(
    hook: Hook, events: Sequence[tuple[Found, str]], *, at: datetime, origin: str = "live"
) -> list[Row]:
    """The rows to store for events that came together."""
    delivery = new_code()
    return [
        _row(hook, event, problem, delivery=delivery, position=position, at=at, origin=origin)
        for position, (event, problem) in enumerate(events)
    ]


def verify_again(refused: RefusedDelivery) -> Receipt:
    """Try a refused delivery with the connection as it is now, at the time it came; taken, it is stored.

    Raises ``BadSignature`` or ``WrongAccount`` when it still does not hold, and as ``receive`` does.
    """
    hook = delivery_connections.hook_of(refused.connection, at=refused.received_at)
    headers, uris = delivery_refused.headers_of(refused)
    body = unseal(refused.body, context=f"refused:{refused.tenant_id}:{refused.code}")
    at = refused.received_at
    receipt = store(
        hook=hook,
        events=read(hook=hook, body=body, headers=headers, method="POST", uris=uris, at=at),
        at=at,
    )
    refused.delete()
    return receipt


def bind(hook: Hook, event: Found) -> str:
    """Level 4: why the event is to be quarantined, "" when it is not. Raises ``WrongAccount``."""
    if hook.adapter.NAMES_ACCOUNT:
        if event.account is None:
            return event.problem or ACCOUNT_MISSING
        # The signature proves the CRM sent it, not for whom.
        if hook.account_id and event.account != hook.account_id:
            raise WrongAccount("The event belongs to another account than this connection's.")
    return event.problem or ""


def _row(
    hook: Hook, event: Found, problem: str, *, delivery: UUID, position: int, at: datetime, origin: str
) -> Row:
    code = new_code()
    return Row(
        connection_id=hook.connection_id,
        key=event.dedup_key,
        expires_at=at + event.dedup_window,
        code=code,
        tenant_id=hook.tenant_id,
        crm=hook.crm,
        object=event.object,
        operation=event.operation,
        record_id=event.record_id,
        kind=event.kind,
        occurred_at=event.occurred_at,
        received_at=at,
        delivery=delivery,
        position=position,
        body=seal(event.raw, context=f"event:{hook.tenant_id}:{code}"),
        reason=problem,
        detail=_DETAILS.get(problem, ""),
        origin=origin,
    )
