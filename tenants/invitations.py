"""Invitations: a link by e-mail makes a person a member. It works once and for seven days."""

from __future__ import annotations

import secrets as random
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tenants import audit
from tenants.choices import Role
from tenants.errors import CodedError
from tenants.models import Invitation, Membership, Tenant
from tenants.tokens import digest

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import AnonymousUser
    from django.db.models import QuerySet

LIFE = timedelta(days=7)
MOST_OPEN = 100  # of a tenant: nobody mails the world from here
REST = timedelta(minutes=1)  # between two mails of one invitation


class BadInvitation(CodedError):
    """This invitation cannot be meant."""

    code = "tenants.bad-invitation"


class AlreadyInvited(CodedError):
    """The person is a member already, or an invitation to them is open."""

    code = "tenants.already-invited"
    status = 409


class NoInvitation(CodedError):
    """The invitation was used, withdrawn, or is too old."""

    code = "tenants.no-invitation"
    status = 404


def invite(*, tenant: Tenant, email: str, role: str, actor: str, at: datetime) -> tuple[Invitation, str]:
    """Ask a person into the tenant. Returns the invitation and its token, which is not stored.

    Raises ``BadInvitation`` or ``AlreadyInvited``.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise BadInvitation("This is no e-mail address.") from None
    if len(email) > 150 or role not in Role:
        raise BadInvitation("An invitation has an address of at most 150 letters, and a role.")
    token = random.token_urlsafe(32)
    with transaction.atomic():
        _lock(tenant)
        is_member = Q(user__username=email) | Q(user__email__iexact=email)
        if tenant.memberships.filter(is_member).exists():
            raise AlreadyInvited(f"{email} is a member already.")
        standing = pending(tenant)
        if standing.filter(email=email, expires_at__gt=at).exists():
            raise AlreadyInvited(f"{email} is invited already; the mail can be sent again.")
        if standing.count() >= MOST_OPEN:
            raise BadInvitation(f"{MOST_OPEN} invitations are open; withdraw one first.")
        standing.filter(email=email).update(withdrawn_at=at)  # one that went past its time
        invitation = Invitation.objects.create(
            tenant=tenant,
            email=email,
            role=role,
            digest=digest(token),
            invited_by=actor[:150],
            created_at=at,
            expires_at=at + LIFE,
        )
        _note(invitation, "invited", actor=actor, at=at)
    return invitation, token


def renew(invitation: Invitation, *, actor: str, at: datetime) -> str:
    """A new link in place of the old one, for another seven days.

    Raises ``NoInvitation``, or ``BadInvitation`` when the last mail went out a moment ago.
    """
    token = random.token_urlsafe(32)
    with transaction.atomic():
        found = _open_row(invitation)
        if found.sent_at and at - found.sent_at < REST:
            raise BadInvitation("The mail went out less than a minute ago. Give it a moment.")
        found.digest, found.expires_at = digest(token), at + LIFE
        found.save(update_fields=["digest", "expires_at"])
        _note(found, "invited again", actor=actor, at=at)
    return token


def withdraw(invitation: Invitation, *, actor: str, at: datetime) -> None:
    """From now on the link opens nothing. Raises ``NoInvitation``."""
    with transaction.atomic():
        found = _open_row(invitation)
        found.withdrawn_at = at
        found.save(update_fields=["withdrawn_at"])
        _note(found, "withdrew the invitation of", actor=actor, at=at)


def find(tenant: Tenant, token: str, *, at: datetime) -> Invitation:
    """The open invitation behind a link. Raises ``NoInvitation``."""
    found = pending(tenant).filter(digest=digest(token), expires_at__gt=at).first()
    if found is None:
        raise NoInvitation("This invitation was used, withdrawn, or is older than seven days.")
    return found


def pending(tenant: Tenant) -> QuerySet[Invitation]:
    """Neither accepted nor withdrawn; those past their time too, which can be sent again."""
    return Invitation.objects.filter(tenant=tenant, accepted_at=None, withdrawn_at=None)


def open_for(user: User | AnonymousUser, tenant: Tenant, *, at: datetime | None = None) -> Invitation | None:
    """The open invitation to this person's address."""
    names = {name.lower() for name in (user.get_username(), getattr(user, "email", "")) if name}
    return pending(tenant).filter(email__in=names, expires_at__gt=at or timezone.now()).first()


def person(invitation: Invitation) -> User | None:
    """Whoever has the invited address already."""
    named = User.objects.filter(Q(username=invitation.email) | Q(email__iexact=invitation.email))
    return named.order_by("-is_active", "pk").first()


def accept_as(invitation: Invitation, user: User, *, at: datetime) -> Membership:
    """A person who is signed in joins. Raises ``NoInvitation``, also when it is somebody else's."""
    with transaction.atomic():
        found = _open_row(invitation)
        if found.expires_at <= at or found.email not in {user.get_username().lower(), user.email.lower()}:
            raise NoInvitation("This invitation is for somebody else, or too old.")
        membership, _ = Membership.objects.get_or_create(
            tenant_id=found.tenant_id, user=user, defaults={"role": found.role}
        )
        found.accepted_at = at
        found.save(update_fields=["accepted_at"])
        _note(found, "joined", actor=user.get_username(), at=at)
    return membership


def accept_new(invitation: Invitation, *, password: str, at: datetime) -> User:
    """A person without an account gets one, and joins. Raises ``NoInvitation``."""
    with transaction.atomic():
        _open_row(invitation)  # locked: two clicks make one person
        if person(invitation) is not None:
            raise NoInvitation("There is an account with this address already: sign in to join.")
        user = User.objects.create_user(invitation.email, invitation.email, password)
        accept_as(invitation, user, at=at)
    return user


def _open_row(invitation: Invitation) -> Invitation:
    """The row as it is now, locked. Call inside a transaction."""
    found = (
        Invitation.objects.select_for_update(of=("self",))
        .select_related("tenant")
        .filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None)
        .first()
    )
    if found is None:
        raise NoInvitation("This invitation was used or withdrawn.")
    return found


def _lock(tenant: Tenant) -> None:
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)


def _note(invitation: Invitation, verb: str, *, actor: str, at: datetime) -> None:
    audit.record(
        actor=actor,
        verb=verb,
        target=f"member {invitation.email}",
        tenant=invitation.tenant,
        data={"role": invitation.role},
        at=at,
    )
