"""Whose an unknown account is: said by an operator, or by an install; then its events run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef

from tenants import audit
from tenants.connections import connect
from tenants.errors import CodedError
from tenants.models import Connection, Tenant
from triggers import app_unclaimed, delivery_connections
from triggers.models import UnclaimedAccount

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

COMPANY = "company:"
AT_A_TIME = 20  # accounts of one round


class CannotAssign(CodedError):
    """The account cannot be the tenant's."""

    code = "triggers.cannot-assign"
    status = 409


def assign(account: UnclaimedAccount, tenant: Tenant, *, actor: str, at: datetime) -> tuple[Connection, int]:
    """Make the account the tenant's, by a connection it has of it or a new one, and replay what came.

    Returns the connection and how many events were new. Raises ``CannotAssign`` or ``Unavailable``.
    """
    if not account.account_id or account.account_id.startswith(COMPANY):
        raise CannotAssign("These events name no account of a single tenant.")
    with transaction.atomic():
        other = _owners(account).exclude(tenant=tenant).first()
        if other is not None:
            raise CannotAssign(f"The account is linked to {other.tenant.name} already.")
        connection = (
            Connection.objects.filter(
                tenant=tenant, crm=account.crm, account_id=account.account_id, is_workflow=False
            )
            .order_by("-is_active", "pk")
            .first()
        )
        if connection is None:
            connection = connect(
                tenant=tenant, crm=account.crm, account_id=account.account_id, is_proven=True
            )
        connection.is_proven = connection.is_active = True
        connection.save(update_fields=["is_proven", "is_active"])
        audit.record(
            actor=actor,
            verb="assigned the account of",
            target=f"connection {connection.code}",
            tenant=tenant,
            data={"crm": account.crm, "account_id": account.account_id},
            at=at,
        )
    return connection, claim(account, connection, at=at)


def claim(account: UnclaimedAccount, connection: Connection, *, at: datetime) -> int:
    """Run what came for the account of a connection before it was known. Returns how many were new."""
    delivery_connections.forget()
    return app_unclaimed.replay(account, connection, at=at)


def review(*, at: datetime) -> int:
    """A round of the beat: what came while an account was being linked, or before. Returns how many ran."""
    mine = Connection.objects.filter(
        crm=OuterRef("crm"),
        account_id=OuterRef("account_id"),
        is_proven=True,
        is_workflow=False,
        is_active=True,
    )
    ran = 0
    for account in UnclaimedAccount.objects.filter(Exists(mine)).order_by("pk")[:AT_A_TIME]:
        connection = _owners(account).filter(is_active=True).first()
        if connection is None:
            continue
        try:
            ran += claim(account, connection, at=at)
        except CodedError:
            logger.exception("What came for %s cannot be run yet", account)
    return ran


def _owners(account: UnclaimedAccount) -> QuerySet[Connection]:
    found: QuerySet[Connection] = (
        Connection.objects.select_related("tenant")
        .filter(crm=account.crm, account_id=account.account_id, is_proven=True, is_workflow=False)
        .order_by("pk")
    )
    return found
