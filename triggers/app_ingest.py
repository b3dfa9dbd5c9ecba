"""A marketplace app's one address for all its accounts: each event goes to the tenant of its account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from circuitos.env import env
from tenants.choices import CRM
from tenants.errors import CodedError
from triggers import (
    app_refused,
    app_unclaimed,
    app_uninstall,
    delivery_admission,
    delivery_connections,
    strict_json,
)
from triggers import ingest as single
from triggers.crm import ADAPTERS, BadSignature
from triggers.delivery_connections import UnknownKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from triggers.crm import Found
    from triggers.delivery_connections import Hook
    from triggers.ingest import Receipt


@dataclass(frozen=True, slots=True)
class App:
    """What proves an app's deliveries."""

    crm: str
    adapter: Any  # an Adapter; a module is no type
    secrets: tuple[str, ...] = ()
    public_keys: tuple[str, ...] = ()
    app_id: str = ""  # other apps of the same CRM are signed with the same key


def app_of(crm: str) -> App:
    """The app of a CRM, as it is set up here. Raises ``UnknownKey``."""
    if crm == CRM.GOHIGHLEVEL:
        return App(
            crm,
            ADAPTERS[crm],
            public_keys=env().gohighlevel_public_keys,
            app_id=env().gohighlevel_app_id,
        )
    if crm == CRM.HUBSPOT and env().hubspot_client_secret:
        return App(crm, ADAPTERS[crm], secrets=(env().hubspot_client_secret,))
    raise UnknownKey("There is no app of such a CRM here.")


def receive(
    *, crm: str, body: bytes, headers: Mapping[str, str], uris: Sequence[str], at: datetime
) -> Receipt:
    """Store the events of a delivery, those of unknown accounts apart: on disk when this returns.

    Raises ``UnknownKey``, ``BadSignature`` or ``WrongAccount``, ``Malformed`` or ``Unavailable``. When one
    account may send no more just now the others' events are stored, and ``RateExceeded`` or ``LotFull`` is
    raised: the delivery comes again, and only what was left out is new then.
    """
    app = app_of(crm)
    events = _read(app, body=body, headers=headers, uris=uris, at=at)
    known: dict[int, tuple[Hook, list[int]]] = {}
    unknown: list[int] = []
    for position, event in enumerate(events):
        hook = delivery_connections.find_account(crm, event.account, at=at) if event.account else None
        if hook is None:
            unknown.append(position)
        elif hook.is_active:
            known.setdefault(hook.connection_id, (hook, []))[1].append(position)
        # Of a connection that its owner switched off nothing is kept.
    for event in events:
        if event.kind == app_uninstall.KIND:
            app_uninstall.notice(crm, event, account=app_unclaimed.account_of(event), at=at)

    codes: dict[int, str] = {}
    accepted = duplicates = 0
    refusal: CodedError | None = None
    for hook, positions in known.values():
        try:
            delivery_admission.admit(hook, len(positions))
        except CodedError as error:
            refusal = error
            continue
        theirs = [(events[position], events[position].problem or "") for position in positions]
        receipt = single.store(hook=hook, events=theirs, at=at)
        codes |= dict(zip(positions, receipt.event_ids, strict=True))
        accepted, duplicates = accepted + receipt.accepted, duplicates + receipt.duplicates
    kept = app_unclaimed.keep(crm, [events[position] for position in unknown], at=at)
    codes |= {position: str(code) for position, (code, _) in zip(unknown, kept, strict=True)}
    if refusal is not None:
        raise refusal

    new = sum(is_new for _, is_new in kept)
    accepted, duplicates = accepted + new, duplicates + len(kept) - new
    return single.Receipt(
        status="duplicate" if duplicates and not accepted else "accepted",
        accepted=accepted,
        duplicates=duplicates,
        event_ids=[codes[position] for position in sorted(codes)],
    )


def _read(
    app: App, *, body: bytes, headers: Mapping[str, str], uris: Sequence[str], at: datetime
) -> list[Found]:
    try:
        app.adapter.verify(
            body=body,
            headers=headers,
            method="POST",
            uris=uris,
            secrets=app.secrets,
            public_keys=app.public_keys,
            at=at,
        )
        document = strict_json.parse(body)
        _check_app(app, document)
    except (BadSignature, single.WrongAccount) as error:
        app_refused.note(app.crm, error, uris=uris, at=at)
        raise
    events: list[Found] = app.adapter.find(document, body, headers=headers, at=at)
    return events


def _check_app(app: App, document: Any) -> None:
    """HighLevel signs for all apps with one key: what names another app is not meant for us."""
    if app.app_id and type(document) is dict:
        named = document.get("appId")
        if type(named) is str and named and named != app.app_id:
            raise single.WrongAccount("The delivery is for another app than the one set up here.")
