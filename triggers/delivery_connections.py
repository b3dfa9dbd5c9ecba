"""The connection behind a webhook's key, kept for a few seconds: a delivery costs no query."""

from __future__ import annotations

import logging
import re
import time
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import msgspec

from circuitos.env import env
from governor.allowances import ALLOWANCES
from tenants.choices import CRM
from tenants.connections import signing_secrets
from tenants.errors import CodedError
from tenants.models import Connection
from triggers.crm import ADAPTERS, account_of, adapter_of
from triggers.group_commit import committer

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import cursor as Cursor  # noqa: N812


logger = logging.getLogger(__name__)
Network = IPv4Network | IPv6Network

KEPT_S = 5.0
REFRESHED_AFTER_S = 4.0
MAX_KEPT = 20_000
MAX_ACCOUNT = 120  # characters

DEFAULT_RATE = ALLOWANCES["ingest_rate"].default  # events a second
DEFAULT_LOT = ALLOWANCES["waiting_events"].default

_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COLUMNS = """
    SELECT c.id, c.code, c.tenant_id, c.crm, c.account_id, c.sealed_secrets, c.public_keys, t.settings,
           c.is_workflow, c.allowed_senders,
           governor_value('ingest_rate', t.id, t.tier_id, NULL),
           governor_value('waiting_events', t.id, t.tier_id, NULL), c.is_active
    FROM tenants_connection c JOIN tenants_tenant t ON t.id = c.tenant_id
"""
_BY_KEY = f"{_COLUMNS} WHERE c.key = %s AND c.is_active"
_BY_ACCOUNT = f"""{_COLUMNS} WHERE c.crm = %s AND c.account_id = %s AND c.is_proven
        AND NOT c.is_workflow
    ORDER BY c.is_active DESC, c.id LIMIT 1"""


class UnknownKey(CodedError):
    """No connection has this key, or it was switched off."""

    code = "triggers.unknown-key"
    status = 404


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """What a delivery must know of its connection."""

    connection_id: int
    tenant_id: int
    crm: str
    adapter: Any  # an Adapter; a module is no type
    account_id: str
    secrets: tuple[str, ...]
    public_keys: tuple[str, ...]
    rate: int
    lot: int
    is_active: bool = True
    senders: tuple[Network, ...] = ()  # who may send; empty: anybody who can prove it

    def lists(self, address: str) -> bool:
        """Whether ``address`` is one of the listed senders'."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in network for network in self.senders)


class _Kept(msgspec.Struct):
    hook: Hook | None
    refresh_at: float
    until: float


_known: dict[str, _Kept] = {}
# Guessed keys in a place of their own, so that guessing drives no real one out.
_unknown: dict[str, _Kept] = {}


def find(key: str, *, at: datetime) -> Hook:
    """The connection with this key. Raises ``UnknownKey``, or ``Unavailable`` when it cannot be read."""
    hook = _find(key, _BY_KEY, (key,), at=at) if _KEY.fullmatch(key) else None
    if hook is None:
        raise UnknownKey("No connection has this address.")
    return hook


def find_account(crm: str, account: str, *, at: datetime) -> Hook | None:
    """Which connection gets an app's events of this account, a switched off one too. Raises ``Unavailable``.

    Only of those known to be the tenant's: anybody can write down another's account id.
    """
    if len(account) > MAX_ACCOUNT:
        return None
    # No key has a colon.
    return _find(f"{crm}:{account}", _BY_ACCOUNT, (crm, account), at=at)


def _find(name: str, query: str, values: tuple[str, ...], *, at: datetime) -> Hook | None:
    now = time.monotonic()
    kept = _known.get(name) or _unknown.get(name)
    if kept is None or now >= kept.until:
        kept = _load(name, query, values, now, at)
    elif now >= kept.refresh_at:
        # One thread reads it anew; meanwhile the others go on with what is known.
        kept.refresh_at = kept.until
        kept = _load(name, query, values, now, at)
    return kept.hook


def forget() -> None:
    """Read every connection anew."""
    _known.clear()
    _unknown.clear()


def _load(name: str, query: str, values: tuple[str, ...], now: float, at: datetime) -> _Kept:
    row = committer().ask(lambda cursor: _select(cursor, query, values))
    kept = _Kept(_hook(row, at) if row else None, now + REFRESHED_AFTER_S, now + KEPT_S)
    place, other = (_unknown, _known) if kept.hook is None else (_known, _unknown)
    if len(place) >= MAX_KEPT:
        place.clear()
    other.pop(name, None)
    place[name] = kept
    return kept


def _select(cursor: Cursor, query: str, values: tuple[str, ...]) -> tuple[Any, ...] | None:
    cursor.execute(query, values)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _hook(row: tuple[Any, ...], at: datetime) -> Hook | None:
    pk, code, tenant_id, crm, account_id, sealed, public_keys, settings, *more = row
    is_workflow, senders, rate, lot, is_active = more
    connection = Connection(
        id=pk,
        code=code,
        tenant_id=tenant_id,
        crm=crm,
        account_id=account_id,
        sealed_secrets=sealed,
        public_keys=public_keys,
        is_active=is_active,
        is_workflow=is_workflow,
        allowed_senders=senders,
    )
    return _made(connection, settings, at, rate=rate, lot=lot) if crm in ADAPTERS else None


def hook_of(connection: Connection, *, at: datetime) -> Hook:
    """The hook of a connection at hand, read anew."""
    return _made(connection, connection.tenant.settings, at)


def _made(
    connection: Connection, settings: Any, at: datetime, *, rate: int | None = None, lot: int | None = None
) -> Hook:
    """``rate`` and ``lot`` are what an operator set for the tenant or its tier."""
    try:
        secrets = tuple(signing_secrets(connection, at=at))
    except CodedError:
        # Its deliveries are refused, and kept until the key ring is mended.
        logger.exception("The secrets of connection %s cannot be opened", connection.code)
        secrets = ()
    public_keys = tuple(connection.public_keys)
    if not secrets and connection.crm == CRM.HUBSPOT and env().hubspot_client_secret:
        secrets = (env().hubspot_client_secret,)
    if not public_keys and connection.crm == CRM.GOHIGHLEVEL:
        public_keys = env().gohighlevel_public_keys
    return Hook(
        connection_id=connection.pk,
        tenant_id=connection.tenant_id,
        crm=connection.crm,
        adapter=adapter_of(connection.crm, is_workflow=connection.is_workflow),
        account_id=account_of(connection.crm, connection.account_id),
        secrets=secrets,
        public_keys=public_keys,
        rate=_setting(settings, "ingest_rate", DEFAULT_RATE) if rate is None else rate,
        lot=_setting(settings, "ingest_lot", DEFAULT_LOT) if lot is None else lot,
        is_active=connection.is_active,
        senders=_networks(tuple(connection.allowed_senders)),
    )


@lru_cache(maxsize=1024)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """A list that cannot be read lets nobody in."""
    try:
        return tuple(ip_network(text, strict=False) for text in texts)
    except ValueError:
        return (ip_network("255.255.255.255/32"),)


def _setting(settings: Any, name: str, default: int) -> int:
    value = settings.get(name) if isinstance(settings, dict) else None
    return value if type(value) is int and value >= 0 else default
