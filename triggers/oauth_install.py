"""What an install brings: a connection with its tokens, whose events run; or an agency."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING

from django.db import transaction

from tenants import audit, credentials
from tenants.connections import connect, reconnected
from tenants.credentials import Credentials
from tenants.errors import CodedError
from tenants.models import Connection
from tenants.secrets import seal
from triggers import app_claims, delivery_connections, reconnecting, tasks
from triggers.models import Agency, UnclaimedAccount

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Tenant
    from triggers.oauth_providers import Granted

logger = logging.getLogger(__name__)


class LinkedElsewhere(CodedError):
    """Another tenant has the account."""

    code = "triggers.linked-elsewhere"
    status = 409


def accept(
    *, tenant: Tenant, crm: str, granted: Granted, name: str = "", actor: str, at: datetime
) -> Connection:
    """Make the account the tenant's, or connect it again; what waited for it goes on. Audited.

    Raises ``LinkedElsewhere``; then nothing of what was granted is kept.
    """
    with transaction.atomic():
        # Two installs of one account at once: the second finds the first's connection.
        of_account = Connection.objects.select_for_update().filter(crm=crm, account_id=granted.account_id)
        if of_account.filter(is_proven=True).exclude(tenant=tenant).exists():
            raise LinkedElsewhere("This account is connected to somebody else here. Ask your service team.")
        connection = of_account.filter(tenant=tenant, is_workflow=False).order_by("-is_active", "pk").first()
        if connection is None:
            connection = connect(tenant=tenant, crm=crm, account_id=granted.account_id, name=name)
        connection.is_proven = connection.is_active = True
        connection.installed_at = at
        connection.company_id = granted.company_id or connection.company_id
        connection.save(update_fields=["is_proven", "is_active", "installed_at", "company_id"])
        credentials.store(
            connection,
            Credentials(granted.token, granted.refresh_token, granted.expires_at, granted.scopes),
        )
        reconnected(connection)
        audit.record(
            actor=actor,
            verb="installed the app for",
            target=f"connection {connection.code}",
            tenant=tenant,
            data={"crm": crm, "account_id": granted.account_id, "scopes": list(granted.scopes)},
            at=at,
        )
        reconnecting.resume(connection)
    # Their rows come by another database connection: it has to see this one's.
    transaction.on_commit(lambda: _claim(connection, at=at), robust=True)
    # Its fields are wanted as soon as there is something to ask with.
    transaction.on_commit(partial(tasks.read_fields.delay, connection_id=connection.pk), robust=True)
    return connection


def accept_agency(*, crm: str, granted: Granted, tenant: Tenant | None, actor: str, at: datetime) -> Agency:
    """Keep an agency's token, until an operator says which of its locations are whose. Audited."""
    with transaction.atomic():
        agency, _ = Agency.objects.update_or_create(
            crm=crm,
            company_id=granted.company_id,
            defaults={
                "sealed_credentials": sealed(crm, granted),
                "installed_at": at,
                "installed_by": actor[:150],
                "tenant": tenant,
            },
        )
        audit.record(
            actor=actor,
            verb="installed the app for",
            target=f"agency {granted.company_id}",
            tenant=tenant,
            data={"crm": crm, "scopes": list(granted.scopes)},
            at=at,
        )
        # The news of the install that came before its answer.
        told = UnclaimedAccount.objects.filter(
            crm=crm, account_id=f"{app_claims.COMPANY}{granted.company_id}"
        )
        told.delete()
    return agency


def sealed(crm: str, granted: Granted) -> bytes:
    """An agency's tokens as they are stored."""
    said = {
        "token": granted.token,
        "refresh_token": granted.refresh_token,
        "expires_at": granted.expires_at.isoformat() if granted.expires_at else None,
        "scopes": list(granted.scopes),
    }
    return seal(json.dumps(said).encode(), context=f"agency:0:{crm}:{granted.company_id}")


def _claim(connection: Connection, *, at: datetime) -> None:
    """What the app delivered before this answer came."""
    delivery_connections.forget()
    account = UnclaimedAccount.objects.filter(crm=connection.crm, account_id=connection.account_id).first()
    if account is None:
        return
    try:
        app_claims.claim(account, connection, at=at)
    except CodedError as error:
        logger.warning("What came for %s runs with the next round: %s", account, error)
