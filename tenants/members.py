"""Members: the people of a tenant."""

from __future__ import annotations

import secrets as random
from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.db import transaction

from tenants.choices import Role
from tenants.errors import CodedError
from tenants.models import Membership, Tenant

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class AlreadyMember(CodedError):
    """This person is in the tenant already."""

    code = "tenants.already-member"
    status = 409


def invite(*, tenant: Tenant, email: str, role: str = Role.MEMBER) -> tuple[Membership, str | None]:
    """Add a person by e-mail address. A new one gets a password, returned this once; others keep theirs."""
    email = email.strip().lower()
    password: str | None = None
    with transaction.atomic():
        user = User.objects.filter(username=email).first()
        if user is None:
            password = random.token_urlsafe(12)
            user = User.objects.create_user(email, email, password)
        membership, is_new = Membership.objects.get_or_create(
            tenant=tenant, user=user, defaults={"role": role}
        )
        if not is_new:
            raise AlreadyMember(f"{email} is a member of {tenant.slug} already.")
    return membership, password


OPERATOR = "operator"  # the role of a superuser, who is nobody's member


def role_of(user: User | AnonymousUser, tenant: Tenant) -> str:
    """What the person is to the tenant: ``owner``, ``member`` or ``operator``; "" for a stranger."""
    if not user.is_authenticated or not user.is_active:
        return ""
    role = Membership.objects.filter(tenant=tenant, user=user).values_list("role", flat=True).first()
    return role or (OPERATOR if user.is_superuser else "")


def may_enter(user: User | AnonymousUser, tenant: Tenant) -> bool:
    """Whether a signed-in person may see the tenant's portal: its members and the operators."""
    return bool(role_of(user, tenant))


def is_owner(user: User | AnonymousUser, tenant: Tenant) -> bool:
    """Whether the person may decide for the tenant. An operator decides in the console instead."""
    return role_of(user, tenant) == Role.OWNER
