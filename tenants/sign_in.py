"""Who may sign in at a tenant's portal, and with which proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.internal.userkit import filter_users_by_email

from tenants import invitations
from tenants.members import may_enter

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

    from tenants.models import Tenant


def belongs(user: User, tenant: Tenant, *, at: datetime | None = None) -> bool:
    """Whether the person has business here: a member, an operator, or somebody who is invited."""
    return may_enter(user, tenant) or invitations.open_for(user, tenant, at=at) is not None


def may_sign_in(user: User, tenant: Tenant) -> bool:
    """Whether the portal's own sign-in takes the person.

    Not staff: their session opens the console too, so they sign in there, with its second factor.
    """
    return user.is_active and not user.is_staff and belongs(user, tenant)


def person_by_address(email: str, tenant: Tenant) -> User | None:
    """Whoever has this address and may sign in."""
    found = filter_users_by_email(email, is_active=True, prefer_verified=True, for_login=True)
    return next((user for user in found if may_sign_in(user, tenant)), None)
