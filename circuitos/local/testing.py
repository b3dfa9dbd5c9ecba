"""Servers for a test run: an embedded PostgreSQL and Valkey in a temporary folder, gone when it ends.

``python -m circuitos.local.testing [--production] command …`` runs one command against such servers.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from circuitos.local import home as homes
from circuitos.local.postgres import Postgres
from circuitos.local.process import Process
from circuitos.local.valkey import Valkey

START_SECONDS = 60.0
# Tests lose nothing when the machine stops in the middle of one.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "150"}


class Servers:
    """Where they are. They end with ``stop``, with the ``with`` block, or with this process."""

    def __init__(
        self, folder: tempfile.TemporaryDirectory[str], settings: dict[str, str], template: Servers | None
    ) -> None:
        self._folder = folder
        self._template = template
        self.home = homes.prepare(Path(folder.name))
        self.postgres: Postgres = Postgres(
            self.home,
            password=template.postgres.password if template else secrets.token_urlsafe(12),
            settings={**FAST, **settings},
            may_create_databases=True,
        )
        self.valkey = Valkey(self.home)
        self.database_url = self.postgres.url
        self.redis_url = self.valkey.url
        self.processes: list[Process] = []

    def start(self) -> None:
        """Start both and wait until they answer. Raises ``LocalError``."""
        if self._template:
            shutil.copytree(self._template.postgres.data, self.postgres.data)
        self.postgres.prepare(tell=lambda sentence: None)
        servers: tuple[Postgres | Valkey, ...] = (self.postgres, self.valkey)
        for server in servers:
            program = server.program()
            process = Process(program, log=self.home / "logs" / f"{program.name}.log")
            process.start_alone()
            self.processes.append(process)
        for process, server in zip(self.processes, servers, strict=True):
            _wait(process, server)

    def halt(self) -> None:
        """Stop both; what they hold stays, for others to start from."""
        while self.processes:
            self.processes.pop().end()

    def stop(self) -> None:
        """Stop both and remove their folder."""
        self.halt()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def start_servers(*, settings: dict[str, str] | None = None, template: Servers | None = None) -> Servers:
    """Start both servers in a temporary folder; ``settings`` go to PostgreSQL.

    With a template, which must be halted, PostgreSQL starts with a copy of what that one holds.
    """
    folder = tempfile.TemporaryDirectory(prefix="circuitos-test-", ignore_cleanup_errors=True)
    servers = Servers(folder, settings or {}, template)
    try:
        servers.start()
    except BaseException:
        servers.stop()
        raise
    return servers


def _wait(process: Process, server: Postgres | Valkey) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.is_ready():
        if not process.is_running() or time.monotonic() > deadline:
            said = process.log.read_text() if process.log and process.log.exists() else ""
            raise homes.LocalError(f"{process.program.name} did not start:\n{said[-1500:]}")
        time.sleep(0.02)


def main(arguments: list[str]) -> int:
    """Run a command against servers of its own; returns its exit code."""
    environ = {"ENVIRONMENT": "test", **os.environ}
    if arguments[:1] == ["--production"]:
        arguments = arguments[1:]
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        environ |= {
            "DEBUG": "0",
            "ENVIRONMENT": "production",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FIELD_ENCRYPTION_KEYS": f"a:{key}",
            "PUBLIC_URL": "https://circuit.test",
            "ALLOWED_HOSTS": "circuit.test",
            "TRUSTED_PROXIES": "10.0.0.0/8",
        }
    with start_servers() as servers:
        environ |= {"DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
        return subprocess.run(arguments, env=environ, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
