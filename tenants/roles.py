"""Roles of members: changed and taken back. A tenant always keeps an owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from tenants import audit
from tenants.choices import Role
from tenants.errors import CodedError
from tenants.models import Membership, Tenant

if TYPE_CHECKING:
    from datetime import datetime


class LastOwner(CodedError):
    """The tenant would be left without an owner."""

    code = "tenants.last-owner"
    status = 409


class NoMember(CodedError):
    """There is no such member in this tenant."""

    code = "tenants.no-member"
    status = 404


def change(*, tenant: Tenant, member_id: int, role: str, actor: str, at: datetime) -> Membership:
    """Give a member another role. Raises ``NoMember`` or ``LastOwner``."""
    if role not in Role:
        raise NoMember("There is no such role.")
    with transaction.atomic():
        member = _locked(tenant, member_id)
        if member.role == role:
            return member
        before, member.role = member.role, role
        _keep_an_owner(tenant, member, was=before)
        member.save(update_fields=["role"])
        _note(member, "changed the role of", actor=actor, at=at, before=before, after=role)
    return member


def remove(*, tenant: Tenant, member_id: int, actor: str, at: datetime) -> Membership:
    """Take a member out; the account stays. Raises ``NoMember`` or ``LastOwner``."""
    with transaction.atomic():
        member = _locked(tenant, member_id)
        _keep_an_owner(tenant, member, was=member.role)
        _note(member, "removed", actor=actor, at=at, role=member.role)
        Membership.objects.filter(pk=member.pk).delete()
    return member


def _locked(tenant: Tenant, member_id: int) -> Membership:
    # All who change roles of a tenant take turns: two owners who demote each other at once would leave none.
    Tenant.objects.select_for_update(no_key=True).only("pk").get(pk=tenant.pk)
    member = Membership.objects.filter(tenant=tenant, pk=member_id).select_related("user", "tenant").first()
    if member is None:
        raise NoMember("There is no such member; perhaps somebody removed them just now.")
    return member


def _keep_an_owner(tenant: Tenant, member: Membership, *, was: str) -> None:
    others = Membership.objects.filter(tenant=tenant, role=Role.OWNER, user__is_active=True)
    if was == Role.OWNER and not others.exclude(pk=member.pk).exists():
        raise LastOwner(f"{member.user} is the last owner. Make somebody else an owner first.")


def _note(member: Membership, verb: str, *, actor: str, at: datetime, **data: str) -> None:
    audit.record(
        actor=actor, verb=verb, target=f"member {member.user}", tenant=member.tenant, data=data, at=at
    )
