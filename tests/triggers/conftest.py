"""A web process for the tests that speak HTTP to it, and failed executions to replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.factories import APP_ID, APP_SECRET, ED25519_PUBLIC
from tests.triggers.engine import Runs, drain, poisoned_by, put, spec, supervisor
from tests.triggers.web import Web, environ_for
from triggers import group_commit, registry
from triggers.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.models import Tenant


@pytest.fixture(scope="module", autouse=True)
def _group_commit_ends() -> Iterator[None]:
    """A webhook sent within this process starts a thread whose connection would hold the database."""
    yield
    group_commit.stop()


@pytest.fixture(scope="session")
def web(django_db_setup: None) -> Iterator[Web]:
    """One for all tests: it remembers of a tenant nothing that a flushed database would contradict."""
    process = Web(
        environ_for(
            connection.settings_dict,
            GOHIGHLEVEL_PUBLIC_KEYS=ED25519_PUBLIC,
            GOHIGHLEVEL_APP_ID=APP_ID,
            HUBSPOT_CLIENT_SECRET=APP_SECRET,
        )
    )
    yield process
    process.stop()


@pytest.fixture
def replayable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry knows the trigger of ``failures``."""
    known = Registry([spec(batch_size=1)], content="0123456789abcdef")
    monkeypatch.setattr(registry._Held, "registry", known)


@pytest.fixture
def failures(replayable: None, acme: Tenant, globex: Tenant) -> None:
    """Executions: two failed of acme, one of globex, and one that succeeded."""
    names = {"a0": acme, "a1": acme, "g0": globex}
    for name, tenant in names.items():
        put(tenant, name)
    put(acme, "fine")
    drain(supervisor(Runs(poisoned_by(*names)), spec(batch_size=1)))
