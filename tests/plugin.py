"""Gives the suite its PostgreSQL and Valkey before Django's settings are read.

``DATABASE_URL`` and ``REDIS_URL`` are used when set; otherwise the embedded servers start, once for all
xdist workers, which inherit the addresses. Load it with ``-p tests.plugin`` (it stands in ``addopts``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

_servers: list[Any] = []


def _start() -> None:
    # Its keys are the well-known ones, which production refuses.
    os.environ.setdefault("ENVIRONMENT", "test")
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        from circuitos.local.testing import start_servers

        servers = start_servers()
        _servers.append(servers)
        os.environ["DATABASE_URL"] = servers.database_url
        os.environ["REDIS_URL"] = servers.redis_url
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        # Each worker has a database of its own (pytest-django) and a Valkey number of its own.
        mark = "?db=" if "?db=" in os.environ["REDIS_URL"] else "/"
        base, _, number = os.environ["REDIS_URL"].rpartition(mark)
        mine = (int(number or 0) + 1 + int(worker.removeprefix("gw"))) % 16
        os.environ["REDIS_URL"] = f"{base}{mark}{mine}"


_start()


def pytest_unconfigure(config: pytest.Config) -> None:
    for servers in _servers:
        servers.stop()
    _servers.clear()
