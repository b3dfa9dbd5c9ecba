"""Servers for a test run: an embedded PostgreSQL and Valkey in a temporary folder, gone when it ends.

``python -m circuitos.local.testing [--production] command …`` runs one command against such servers.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circuitos.local import home as homes
from circuitos.local.postgres import Postgres
from circuitos.local.process import Process
from circuitos.local.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 60.0
# Tests lose nothing when the machine stops in the middle of one.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "150"}


@dataclass(frozen=True)
class Servers:
    """Where they are."""

    database_url: str
    redis_url: str
    home: Path


@contextlib.contextmanager
def start_servers(*, settings: dict[str, str] | None = None) -> Iterator[Servers]:
    """Start both servers; they are stopped and their folder removed on the way out, and with this process."""
    with tempfile.TemporaryDirectory(prefix="circuitos-test-", ignore_cleanup_errors=True) as folder:
        home = homes.prepare(Path(folder))
        postgres = Postgres(
            home,
            password=secrets.token_urlsafe(12),
            settings={**FAST, **(settings or {})},
            may_create_databases=True,
        )
        postgres.prepare(tell=lambda sentence: None)
        valkey = Valkey(home)
        running = []
        try:
            for server in (postgres, valkey):
                process = Process(server.program(), log=home / "logs" / f"{server.program().name}.log")
                process.start_alone()
                running.append((process, server))
            for process, server in running:
                _wait(process, server)
            yield Servers(database_url=postgres.url, redis_url=valkey.url, home=home)
        finally:
            for process, _ in reversed(running):
                process.end()


def _wait(process: Process, server: Postgres | Valkey) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if not process.is_running() or time.monotonic() > deadline:
            said = process.log.read_text() if process.log and process.log.exists() else ""
            raise homes.LocalError(f"{process.program.name} did not start:\n{said[-1500:]}")
        time.sleep(0.02)


def main(arguments: list[str]) -> int:
    """Run a command against servers of its own; returns its exit code."""
    environ = dict(os.environ)
    if arguments[:1] == ["--production"]:
        arguments = arguments[1:]
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        environ |= {
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FIELD_ENCRYPTION_KEYS": f"a:{key}",
            "PUBLIC_URL": "https://circuit.test",
            "ALLOWED_HOSTS": "circuit.test",
        }
    with start_servers() as servers:
        environ |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        return subprocess.run(arguments, env=environ, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
