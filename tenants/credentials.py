"""What we call a CRM's API with: a token, and with OAuth what it is renewed by. Sealed at the connection."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from tenants.models import Connection

# Renewed so long before it ends: a request under way must not find it gone.
AHEAD = timedelta(minutes=2)


@dataclass(frozen=True)
class Credentials:
    """A token; one without an end is a private one, which nobody renews."""

    token: str
    refresh_token: str | None = None  # may work once only
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()

    def is_stale(self, at: datetime) -> bool:
        """Whether it is to be renewed before the next request."""
        return self.expires_at is not None and self.expires_at - AHEAD <= at

    def __repr__(self) -> str:
        return f"Credentials(expires_at={self.expires_at}, scopes={self.scopes})"  # no log shows the token


def store(connection: Connection, credentials: Credentials | None) -> None:
    """Keep them, in the caller's transaction; None forgets them."""
    connection.sealed_credentials = None
    if credentials is not None:
        said = {
            "token": credentials.token,
            "refresh_token": credentials.refresh_token,
            "expires_at": credentials.expires_at.isoformat() if credentials.expires_at else None,
            "scopes": list(credentials.scopes),
        }
        connection.sealed_credentials = seal(json.dumps(said).encode(), context=_context(connection))
    connection.save(update_fields=["sealed_credentials"])


def load(connection: Connection) -> Credentials | None:
    """Those that are kept; None when there are none."""
    if connection.sealed_credentials is None:
        return None
    said = json.loads(unseal(connection.sealed_credentials, context=_context(connection)))
    end = said.get("expires_at")
    return Credentials(
        token=said["token"],
        refresh_token=said.get("refresh_token"),
        expires_at=datetime.fromisoformat(end) if end else None,
        scopes=tuple(said.get("scopes") or ()),
    )


def _context(connection: Connection) -> str:
    return f"credentials:{connection.tenant_id}:{connection.code}"
