"""A tenant's API keys as its owners make and revoke them, each with a row in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from tenants import audit
from tenants.errors import CodedError
from tenants.models import ApiKey
from tenants.tokens import issue
from tenants.tokens import revoke as revoke_token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Tenant

MOST_KEYS = 50  # in use at the same time
SHOWN = 100


class TooManyKeys(CodedError):
    """The tenant has as many keys as one may have."""

    code = "tenants.too-many-keys"
    status = 409


class NoKey(CodedError):
    """The tenant has no such key."""

    code = "tenants.no-key"
    status = 404


def of_tenant(tenant: Tenant) -> Sequence[ApiKey]:
    """The tenant's keys, those in use first and then the newest."""
    used_first = F("revoked_at").desc(nulls_first=True)
    return list(ApiKey.objects.filter(tenant=tenant).order_by(used_first, "-pk")[:SHOWN])


def create(*, tenant: Tenant, name: str, actor: str, at: datetime) -> tuple[ApiKey, str]:
    """A key of the tenant and its token, which is shown this once. Raises ``TooManyKeys``."""
    with transaction.atomic():
        used = ApiKey.objects.filter(tenant=tenant, revoked_at=None).values_list("pk")
        if len(used[:MOST_KEYS]) >= MOST_KEYS:
            raise TooManyKeys(f"There are {MOST_KEYS} keys in use; revoke one first.")
        key, token = issue(tenant=tenant, user=None, name=name)
        _note(key, "created", actor=actor, at=at)
    return key, token


def revoke(*, tenant: Tenant, code: UUID, actor: str, at: datetime) -> ApiKey:
    """From now on the key opens nothing. Raises ``NoKey``, for another tenant's too."""
    with transaction.atomic():
        key = ApiKey.objects.select_for_update(of=("self",)).filter(tenant=tenant, code=code).first()
        if key is None:
            raise NoKey("There is no such key.")
        if key.revoked_at is None:
            revoke_token(key, at=at)
            _note(key, "revoked", actor=actor, at=at)
    return key


def _note(key: ApiKey, verb: str, *, actor: str, at: datetime) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        target=f"API key {key.prefix}…",
        tenant=key.tenant,
        data={"name": key.name},
        at=at,
    )
