"""The roles of staff: one table says who may change what; all of them see all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction
from django.db.models import TextChoices
from django.utils.timezone import now

from tenants import audit

if TYPE_CHECKING:
    from django.contrib.auth.models import User

APPS = ("auth", "governor", "logs", "tenants", "triggers")


class StaffRole(TextChoices):
    """What a person of ours may do in the console."""

    VIEWER = "viewer", "Viewer: sees all, changes nothing"
    OPERATOR = "operator", "Operator: replays, pauses, tends tenants and connections"
    LIMITS = "limits", "Limits: sets limits and quotas, decides upgrade requests"
    OWNER = "owner", "Owner: all of it, and people and tokens too"


# Which role, beside the owner, may add, change and delete. A model that is not here is the owner's to change.
PLACES: dict[str, StaffRole] = {
    "auth.group": StaffRole.OWNER,
    "auth.user": StaffRole.OWNER,
    "governor.hoststate": StaffRole.OPERATOR,
    "governor.override": StaffRole.LIMITS,
    "governor.parking": StaffRole.LIMITS,
    "governor.upgraderequest": StaffRole.LIMITS,
    "governor.usage": StaffRole.LIMITS,
    "tenants.apikey": StaffRole.OWNER,
    "tenants.auditevent": StaffRole.OWNER,
    "tenants.connection": StaffRole.OPERATOR,
    "tenants.domain": StaffRole.OPERATOR,
    "tenants.invitation": StaffRole.OPERATOR,
    "tenants.membership": StaffRole.OPERATOR,
    "tenants.tenant": StaffRole.OPERATOR,
    "tenants.tier": StaffRole.LIMITS,
    "triggers.agency": StaffRole.OPERATOR,
    "triggers.backfill": StaffRole.OPERATOR,
    "triggers.reconciliation": StaffRole.OPERATOR,
    "triggers.replay": StaffRole.OPERATOR,
    "triggers.deadlettergroup": StaffRole.OPERATOR,
    "triggers.event": StaffRole.OPERATOR,
    "triggers.execution": StaffRole.OPERATOR,
    "triggers.lane": StaffRole.OPERATOR,
    "triggers.outboxwrite": StaffRole.OPERATOR,
    "triggers.refuseddelivery": StaffRole.OPERATOR,
    "triggers.savedview": StaffRole.OPERATOR,
    "triggers.triggerconfig": StaffRole.OPERATOR,
    "triggers.unclaimedaccount": StaffRole.OPERATOR,
}


def holds(role: str, label: str, codename: str) -> bool:
    """Whether a role has a permission on a model (``app.model``)."""
    if role == StaffRole.OWNER or codename.startswith("view_"):
        return True
    return PLACES.get(label) == role


def apply_roles(**_: Any) -> None:
    """Bring the groups to what the table says; twice does nothing more. Runs after each migration."""
    if getattr(connection, "schema_name", "public") != "public":
        return
    known = Permission.objects.filter(content_type__app_label__in=APPS).values_list(
        "pk", "content_type__app_label", "content_type__model", "codename"
    )
    permissions = list(known)
    with transaction.atomic():
        for role in StaffRole:
            group, _made = Group.objects.get_or_create(name=role.value)
            wanted = {pk for pk, app, model, name in permissions if holds(role, f"{app}.{model}", name)}
            if wanted != set(group.permissions.values_list("pk", flat=True)):
                group.permissions.set(wanted)


def role_of_staff(person: User) -> str:
    """The person's role; "" for who has none."""
    names = set(person.groups.values_list("name", flat=True))
    return next((role.value for role in StaffRole if role.value in names), "")


def give_role(person: User, role: str, *, actor: str) -> None:
    """Make the person staff with this role and no other; "" takes the console away."""
    before = role_of_staff(person)
    is_staff = bool(role) or person.is_superuser
    if before == role and person.is_staff == is_staff:
        return
    with transaction.atomic():
        person.groups.remove(*Group.objects.filter(name__in=StaffRole.values))
        if role:
            person.groups.add(Group.objects.get(name=role))
        person.is_staff = is_staff
        person.save(update_fields=["is_staff"])
        audit.record(
            actor=actor,
            verb="changed the role of",
            target=f"person {person}",
            data={"before": before or "none", "after": role or "none"},
            at=now(),
        )
