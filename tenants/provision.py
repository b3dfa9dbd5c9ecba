"""Making and removing tenants: the row, the host name and the schema, all or nothing."""

from __future__ import annotations

import re
import zoneinfo
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import IntegrityError
from django_tenants.utils import schema_context
from psycopg2 import sql

from circuitos.env import env
from tenants.errors import CodedError
from tenants.models import Domain, Tenant, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.backends.utils import CursorWrapper

_SLUG = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
# First labels of host names that mean something else, or would mislead.
RESERVED = frozenset(
    {"admin", "api", "app", "connect", "hooks", "localhost", "mail", "public", "static", "status", "t", "www"}
)
# The history of these migrations in a tenant schema is a copy: there they do nothing.
_COPY_HISTORY = """
INSERT INTO {schema}.django_migrations (app, name, applied)
SELECT app, name, applied FROM public.django_migrations WHERE app <> ALL (%s) ORDER BY id
"""
_TENANT_TABLES = """
SELECT relname FROM pg_class
JOIN pg_attribute ON attrelid = pg_class.oid AND attname = %s AND NOT attisdropped
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  AND relname <> 'tenants_auditevent'
"""


class BadTenant(CodedError):
    """The description of a new tenant does not hold."""

    code = "tenants.invalid"


class TenantExists(CodedError):
    """The slug or host name is taken."""

    code = "tenants.exists"
    status = 409


def create_tenant(
    *,
    slug: str,
    name: str,
    tier: Tier | str,
    timezone: str = "UTC",
    settings: Mapping[str, Any] | None = None,
    host: str | None = None,
) -> Tenant:
    """Create a tenant with its schema and portal host; on any error nothing is left behind.

    Raises ``BadTenant`` or ``TenantExists``.
    """
    check_slug(slug)
    check_timezone(timezone)
    if isinstance(tier, str):
        tier = _tier(tier)
    host = (host or f"{slug}.{env().base_domain}").lower()
    try:
        # One transaction for rows and schema, so that a crash halfway leaves neither.
        with transaction.atomic():
            tenant: Tenant = Tenant.objects.create(
                schema_name=schema_name(slug),
                slug=slug,
                name=name or slug,
                tier=tier,
                timezone=timezone,
                settings=dict(settings or {}),
            )
            Domain.objects.create(domain=host, tenant=tenant, is_primary=True)
            create_schema(tenant.schema_name)
    except (IntegrityError, ValidationError) as error:
        raise TenantExists(f"A tenant {slug!r} or the host {host!r} exists already.") from error
    return tenant


def check_slug(slug: str) -> None:
    """Raise ``BadTenant`` unless the slug can be the first label of a host name."""
    if not _SLUG.fullmatch(slug) or slug in RESERVED:
        raise BadTenant(f"{slug!r} cannot be a slug: a-z, 0-9 and -, a letter first, no reserved word.")


def check_timezone(timezone: str) -> None:
    """Raise ``BadTenant`` unless there is such a timezone."""
    if timezone not in zoneinfo.available_timezones():
        raise BadTenant(f"There is no timezone {timezone!r}.")


def schema_name(slug: str) -> str:
    """A slug holds no underscore, so two slugs never share a schema."""
    return f"t_{slug.replace('-', '_')}"


def create_schema(schema: str) -> None:
    """Create a tenant schema and migrate it. Call inside a transaction."""
    name = sql.Identifier(schema)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(name))
    with schema_context(schema):
        executor = MigrationExecutor(connection)
        labels = {app.rpartition(".")[2] for app in django_settings.TENANT_APPS}
        executor.migrate([node for node in executor.loader.graph.leaf_nodes() if node[0] in labels])
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_COPY_HISTORY).format(schema=name), [sorted(labels)])


def delete_tenant(tenant: Tenant) -> None:
    """Erase a tenant: its schema and every row of it in the public schema, but for the audit log."""
    assert tenant.schema_name != django_settings.PUBLIC_SCHEMA_NAME
    with transaction.atomic(), connection.cursor() as cursor:
        # By column, not by foreign key: events and traces keep plain ids, and an ORM cascade would
        # load every row. Constraints are deferred, so the order does not matter.
        _sweep(cursor, "connection_id", list(tenant.connections.values_list("pk", flat=True)))
        _sweep(cursor, "tenant_id", [tenant.pk])
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(tenant.schema_name)))
        tenant.delete()


def _sweep(cursor: CursorWrapper, column: str, ids: list[int]) -> None:
    cursor.execute(_TENANT_TABLES, [column])
    for (table,) in cursor.fetchall():
        statement = sql.SQL("DELETE FROM public.{} WHERE {} = ANY(%s)")
        cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(column)), [ids])


def _tier(slug: str) -> Tier:
    try:
        return Tier.objects.get(pk=slug)
    except Tier.DoesNotExist:
        known = ", ".join(Tier.objects.order_by("slug").values_list("slug", flat=True))
        raise BadTenant(f"There is no tier {slug!r}; there are: {known}.") from None
