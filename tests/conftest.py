"""The suite's world: the tenants acme and globex with real schemas, and people who see different things."""

from __future__ import annotations

import os
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from django.db.models.signals import post_migrate
from psycopg2.errors import DeadlockDetected

from tests import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from django.test import Client
    from redis import Redis
    from rest_framework.test import APIClient

    from tenants.models import Connection, Tenant

# acme must never see a row of globex, nor the other way round.
WORLD = {"acme": (9001, "free"), "globex": (9002, "paid")}
# Django's flush empties the tables of managed models only.
UNMANAGED = ("triggers_event_past", "logs_trace")


def pytest_configure(config: pytest.Config) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Static files are found where they lie; none are collected for a test run.
    settings.WHITENOISE_AUTOREFRESH = True
    settings.WHITENOISE_USE_FINDERS = True
    post_migrate.connect(build_world, sender=apps.get_app_config("records"))
    patient = flush_patiently(DatabaseOperations.execute_sql_flush)
    DatabaseOperations.execute_sql_flush = patient  # type: ignore[method-assign]


def flush_patiently(flush: Callable[..., None]) -> Callable[..., None]:
    """A flush that is tried again when it met a writer.

    The web process notes a refused delivery after it has answered. That may be while the test, which has its
    answer, ends and truncates the same tables in another order: PostgreSQL then lets one of them go.
    """

    @wraps(flush)
    def patient(self: DatabaseOperations, sql_list: list[str]) -> None:
        for _ in range(3):
            try:
                return flush(self, sql_list)
            except OperationalError as error:
                if not isinstance(error.__cause__, DeadlockDetected):
                    raise
        return flush(self, sql_list)

    return patient


def build_world(**_: Any) -> None:
    """Bring tiers, acme and globex to their first state.

    Runs after the test database was migrated and after each flush (tests with ``transaction=True``
    truncate the public tables): schemas stay, rows are put back.
    """
    from tenants.models import Domain, Tenant
    from tenants.provision import create_schema, schema_name

    if connection.schema_name != settings.PUBLIC_SCHEMA_NAME:
        return
    import_module("tenants.migrations.0002_tiers_and_audit").create_tiers(apps, None)
    import_module("tenants.migrations.0004_tier_quotas").offer_paid(apps, None)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 't\\_%'")
        schemas = {name for (name,) in cursor.fetchall()}
        cursor.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s)", [list(UNMANAGED)])
        stale = [name for (name,) in cursor.fetchall()]
        for slug, (pk, tier) in WORLD.items():
            schema = schema_name(slug)
            if schema in schemas:
                stale.append(f"{schema}.records_record")
            else:
                create_schema(schema)
            Tenant.objects.update_or_create(
                pk=pk, defaults={"slug": slug, "name": slug.title(), "tier_id": tier, "schema_name": schema}
            )
            Domain.objects.get_or_create(domain=f"{slug}.localhost", defaults={"tenant_id": pk})
            schemas.discard(schema)
        if stale:
            cursor.execute(f"TRUNCATE {', '.join(stale)}")
        for schema in schemas:
            cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """No test leaves a tenant in scope, nor the connection in a tenant's schema."""
    from tenants import scope

    assert scope._scope.get() is None
    yield
    assert scope._scope.get() is None
    assert connection.schema_name == settings.PUBLIC_SCHEMA_NAME


@pytest.fixture(autouse=True)
def _only_transactional_tests_store_deliveries(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group commit has a connection of its own: what it stores would outlive a rolled back test."""
    mark = request.node.get_closest_marker("django_db")
    commits = {"transactional_db", "live_server"} & set(request.fixturenames)
    if mark and not mark.kwargs.get("transaction") and not commits:
        from triggers.group_commit import GroupCommit, Unavailable

        def refuse(self: GroupCommit, rows: Any) -> None:
            raise Unavailable

        monkeypatch.setattr(GroupCommit, "store", refuse)


@pytest.fixture
def acme(db: None) -> Tenant:
    """A tenant on the free tier."""
    return _tenant("acme")


@pytest.fixture
def globex(db: None) -> Tenant:
    """Another tenant, on the paid tier."""
    return _tenant("globex")


@pytest.fixture
def operator(db: None) -> User:
    """A superuser: sees all tenants."""
    from django.contrib.auth.models import User

    return User.objects.create_superuser("operator", "operator@circuitos.test", "operator-password")


@pytest.fixture
def console(client: Client, operator: User) -> Client:
    """A client of a signed-in operator."""
    client.force_login(operator)
    return client


@pytest.fixture
def viewer(db: None, client: Client) -> Client:
    """A client of staff who may look at what governs, and no more."""
    from django.contrib.auth.models import Permission, User

    person = User.objects.create_user("viewer", password="viewer-password", is_staff=True)
    person.user_permissions.set(
        Permission.objects.filter(content_type__app_label="governor", codename__startswith="view_")
    )
    client.force_login(person)
    return client


@pytest.fixture
def owner(acme: Tenant) -> User:
    """The owner of acme."""
    return _person("owner", acme, role="owner")


@pytest.fixture
def member(acme: Tenant) -> User:
    """A plain member of acme."""
    return _person("member", acme, role="member")


@pytest.fixture
def stranger(globex: Tenant) -> User:
    """The owner of globex, who has no business in acme."""
    return _person("stranger", globex, role="owner")


@pytest.fixture
def operator_token(operator: User) -> str:
    from tenants.tokens import issue

    return issue(tenant=None, user=operator, name="operator")[1]


@pytest.fixture
def acme_token(acme: Tenant) -> str:
    from tenants.tokens import issue

    return issue(tenant=acme, user=None, name="acme")[1]


@pytest.fixture
def globex_token(globex: Tenant) -> str:
    from tenants.tokens import issue

    return issue(tenant=globex, user=None, name="globex")[1]


@pytest.fixture
def api() -> Callable[[str], APIClient]:
    """``api(token)``: a client of the REST API."""
    from rest_framework.test import APIClient

    def client(token: str = "") -> APIClient:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
        return APIClient(**headers)

    return client


@pytest.fixture
def acme_ghl(acme: Tenant) -> Connection:
    return factories.make_connection(acme, "gohighlevel")


@pytest.fixture
def acme_hubspot(acme: Tenant) -> Connection:
    return factories.make_connection(acme, "hubspot")


@pytest.fixture
def acme_standard(acme: Tenant) -> Connection:
    return factories.make_connection(acme, "standard")


@pytest.fixture
def globex_ghl(globex: Tenant) -> Connection:
    return factories.make_connection(globex, "gohighlevel")


@pytest.fixture
def globex_hubspot(globex: Tenant) -> Connection:
    return factories.make_connection(globex, "hubspot")


@pytest.fixture
def globex_standard(globex: Tenant) -> Connection:
    return factories.make_connection(globex, "standard")


@pytest.fixture
def valkey() -> Iterator[Redis]:
    """This worker's Valkey database, empty before and after."""
    import redis

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def child_environ(transactional_db: None, valkey: Redis) -> dict[str, str]:
    """The environment of a child process on this test's database. Commits are real, so transactional."""
    database = connection.settings_dict
    host = str(database["HOST"])
    user, password = quote(str(database["USER"])), quote(str(database["PASSWORD"]))
    address = f"postgres://{user}:{password}@/{quote(str(database['NAME']))}?host={quote(host)}"
    if database["PORT"]:
        address += f"&port={database['PORT']}"
    return {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "circuitos.settings"}


def _tenant(slug: str) -> Tenant:
    from tenants.models import Tenant

    return Tenant.objects.select_related("tier").get(slug=slug)


def _person(username: str, tenant: Tenant, *, role: str) -> User:
    from django.contrib.auth.models import User

    from tenants.models import Membership

    user = User.objects.create_user(username, f"{username}@{tenant.slug}.test", f"{username}-password")
    Membership.objects.create(tenant=tenant, user=user, role=role)
    return user
