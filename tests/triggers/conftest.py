"""A web process for the tests that speak HTTP to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.triggers.web import Web, environ_for
from triggers import group_commit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _group_commit_ends() -> Iterator[None]:
    """A webhook sent within this process starts a thread whose connection would hold the database."""
    yield
    group_commit.stop()


@pytest.fixture(scope="session")
def web(django_db_setup: None) -> Iterator[Web]:
    """One for all tests: it remembers of a tenant nothing that a flushed database would contradict."""
    process = Web(environ_for(connection.settings_dict))
    yield process
    process.stop()
