"""Reading a CRM's field definitions: kept by connection, and custom fields named so that people read them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.db import transaction

from tenants import audit
from tenants.errors import CodedError
from tenants.models import Connection, Tenant
from triggers.crm import definitions, score_fields
from triggers.crm.client import Client
from triggers.models import CrmFields
from triggers.schemas.naming import field_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from triggers.crm.definitions import Definition
    from triggers.crm.reader import Asks
    from triggers.crm.score_fields import Made

# Names travel with the tenant's settings to each execution: as many as a CRM account can sensibly have.
MOST_NAMES = 500
TASK = "triggers.tasks.read_fields"


def read(
    connection: Connection, *, client: Asks, actor: str, at: datetime, is_counted: bool = True
) -> list[Definition]:
    """Ask the CRM, keep what it says, and name the custom fields in the tenant's settings.

    A problem is kept as well, beside what was known. Raises ``NoDefinitions`` and what the client raises.
    """
    try:
        found = definitions.ask(client, connection, is_counted=is_counted)
    except CodedError as error:
        CrmFields.objects.update_or_create(connection=connection, defaults={"problem": str(error)[:300]})
        raise
    keep(connection, found, actor=actor, at=at)
    return found


def read_soon(connection: Connection) -> None:
    """Have the fields read when the caller's transaction is through: there is a token to ask with now.

    Without the message broker nothing is lost: the page Signals has a button for it.
    """
    if not definitions.can_tell(connection.crm):
        return
    pk = connection.pk

    def ask() -> None:
        current_app.send_task(TASK, kwargs={"connection_id": pk}, retry=False)

    transaction.on_commit(ask, robust=True)


def read_first(connection_id: int, *, at: datetime) -> None:
    """Read the fields of a connection that just got its token. A problem is kept, not raised."""
    connection = Connection.objects.select_related("tenant").filter(pk=connection_id, is_active=True).first()
    if connection is None or not definitions.can_tell(connection.crm):
        return
    with suppress(CodedError):
        read(connection, client=Client(connection), actor="circuitos", at=at, is_counted=False)


def keep(connection: Connection, found: Iterable[Definition], *, actor: str, at: datetime) -> None:
    """Store the definitions and their names. Audited when they changed."""
    documents = [each.document() for each in found]
    with transaction.atomic():
        # The tenant first, as whoever else changes its settings: one after the other.
        tenant = Tenant.objects.select_for_update(of=("self",)).get(pk=connection.tenant_id)
        before = CrmFields.objects.filter(connection=connection).values_list("definitions", flat=True).first()
        CrmFields.objects.update_or_create(
            connection=connection,
            defaults={"definitions": documents, "read_at": at, "problem": ""},
        )
        named = _name(tenant, definitions.of_document(documents))
        if before != documents or named:
            audit.record(
                actor=actor,
                verb="read the fields of",
                target=f"connection {connection.code}",
                tenant=tenant,
                data={"fields": len(documents), "named": named},
                at=at,
            )


def of_tenant(tenant: Tenant) -> list[CrmFields]:
    """What is known of the fields of its connections: one query."""
    rows = CrmFields.objects.select_related("connection").filter(connection__tenant=tenant)
    return list(rows.order_by("connection_id"))


def contact_fields(rows: Iterable[CrmFields], settings: Mapping[str, Any]) -> list[Definition]:
    """The fields of contacts, of all connections, as the tenant's records have them; by label."""
    names = field_map(settings)
    found: dict[str, Definition] = {}
    for row in rows:
        for told in definitions.of_document(row.definitions):
            if told.object == "Contact":
                each = replace(told, key=names.get(told.id, told.key)) if told.is_custom else told
                found.setdefault(each.place, each)
    return sorted(found.values(), key=lambda each: (each.label.casefold(), each.place))


def create_score_fields(connection: Connection, *, client: Asks, actor: str, at: datetime) -> list[Made]:
    """Make the fields that scores are written to and the CRM lacks; safe to press again. Audited.

    Raises ``NoDefinitions`` and what the client raises before anything was made.
    """
    before = read(connection, client=client, actor=actor, at=at)
    lacking = score_fields.missing(before)
    made = score_fields.create(client, connection, there=set(score_fields.SCORE_FIELDS) - set(lacking))
    created = [each.name for each in made if each.state == "created"]
    if created:
        audit.record(
            actor=actor,
            verb="created fields at",
            target=f"connection {connection.code}",
            tenant=connection.tenant,
            data={"fields": created},
            at=at,
        )
        # With their ids, by which some CRMs want them written. That can wait if it must.
        with suppress(CodedError):
            read(connection, client=client, actor=actor, at=at)
    return made


def _name(tenant: Tenant, found: Iterable[Definition]) -> int:
    """Add readable names to the tenant's ``field_map``. A name that somebody gave stays. Returns how many."""
    settings: dict[str, Any] = dict(tenant.settings) if isinstance(tenant.settings, dict) else {}
    kept = settings.get("field_map")
    names: dict[str, str] = dict(kept) if isinstance(kept, dict) else {}
    taken = set(names.values())
    new: dict[str, str] = {}
    for each in found:
        if (
            not each.is_custom
            or each.id == each.key
            or each.id in names
            or len(names) + len(new) >= MOST_NAMES
        ):
            continue
        key, number = each.key, 2
        while key in taken:
            key, number = f"{each.key}_{number}", number + 1
        taken.add(key)
        new[each.id] = key
    if new:
        tenant.settings = {**settings, "field_map": {**names, **new}}
        tenant.save(update_fields=["settings"])
    return len(new)
