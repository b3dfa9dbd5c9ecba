"""The web process as a child on the tests' database, and a client that sends exactly the bytes it is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from circuitos.env import BASE_DIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.models import Connection


class Answer(NamedTuple):
    status: int
    document: Any
    headers: Mapping[str, str]


class Web:
    """granian as in production: one process, many threads. It lets go of its databases before it ends."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.port = _free_port()
        command = [sys.executable, "-W", "ignore", "-m", "granian", "--interface", "wsgi", "--no-ws"]
        command += ["--port", str(self.port), "--workers", "1", "--blocking-threads", "32"]
        command += ["--log-level", "error", "circuitos.wsgi:application"]
        self._process = subprocess.Popen(command, cwd=BASE_DIR, env=environ)
        self._wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def send(
        self,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "POST",
    ) -> Answer:
        """One request on a connection of its own; ``headers`` go out as they are."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            sent = {"Content-Length": str(len(body)), **(headers or {})}
            for name, value in sent.items():
                if value is not None:
                    client.putheader(name, value)
            client.endheaders(body)
            response = client.getresponse()
            content = response.read()
            return Answer(response.status, json.loads(content) if content else None, response.headers)
        finally:
            client.close()

    def deliver(self, connection: Connection, body: bytes, headers: Mapping[str, str]) -> Answer:
        return self.send(path_of(connection), body, headers)

    def address_of(self, connection: Connection) -> str:
        """What HubSpot signs."""
        return f"http://127.0.0.1:{self.port}{path_of(connection)}"

    def _wait(self) -> None:
        for _ in range(600):
            try:
                if self.send("/healthz", method="GET").status == 200:
                    return
            except OSError:
                if self._process.poll() is not None:
                    break
                # The one wait for which there is nothing to listen to.
                try:
                    self._process.wait(timeout=0.05)
                except subprocess.TimeoutExpired:
                    continue
        raise RuntimeError("The web process did not start.")


def path_of(connection: Connection) -> str:
    return f"/hooks/{connection.key}/"


def environ_for(database: Mapping[str, Any], **others: str) -> dict[str, str]:
    """The environment of a child on this database."""
    user, password, name, host = (quote(str(database[part])) for part in ("USER", "PASSWORD", "NAME", "HOST"))
    address = f"postgres://{user}:{password}@/{name}?host={host}"
    if database["PORT"]:
        address += f"&port={database['PORT']}"
    return {**os.environ, "DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "circuitos.settings", **others}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
