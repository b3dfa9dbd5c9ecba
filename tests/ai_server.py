"""A loopback double of a model's provider: it speaks Chat Completions as well, or badly, as a test says."""

from __future__ import annotations

import dataclasses
import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

KEY = "sk-test-0123456789abcdefghij"
MODEL = "gpt-4o-mini"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def mark(self) -> str:
        """The delimiter of this question's data."""
        return self.system.partition("«data ")[2].partition("»")[0]

    @property
    def canary(self) -> str:
        return self.system.rpartition(": ")[2].rstrip(".")


@dataclass
class Connection:
    """What an answer gets to write with."""

    request: Asked
    send: Callable[[bytes], None]
    closing: threading.Event


Mode = "Callable[[Connection], None]"


@dataclass
class ModelServer:
    """``modes`` are used one after the other; the last one again and again."""

    modes: list[Any] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, *modes: Any) -> None:
        self.modes = list(modes)

    def mode(self) -> Any:
        return self.modes.pop(0) if len(self.modes) > 1 else self.modes[0]


@contextmanager
def serving() -> Iterator[ModelServer]:
    """A server for the while."""
    import openai.resources.chat.completions  # a worker's first question waits for it; no test does

    assert openai.VERSION
    server = ModelServer(modes=[says("A line.")])

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                while request := _read(self.rfile):
                    server.requests.append(request)
                    if not server.mode()(Connection(request, self.connection.sendall, server.closing)):
                        return
            except OSError:
                return  # the other side gave up, as it should

    class Threads(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Threads(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
        yield server
        server.closing.set()
        listening.shutdown()
        thread.join()


def use(monkeypatch: pytest.MonkeyPatch, **values: Any) -> None:
    """Let the governor see another environment."""
    from circuitos.env import env

    changed = dataclasses.replace(env(), **values)
    for module in ("ai", "callouts", "door", "questions"):
        monkeypatch.setattr(f"governor.{module}.env", lambda: changed)


def _read(stream: Any) -> Asked | None:
    line = stream.readline().decode()
    if not line:
        return None
    headers = {}
    while pair := stream.readline().decode().strip():
        name, _, value = pair.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Asked(line.split()[1], headers, json.loads(body))


def document(content: Any = "A line.", **more: Any) -> dict[str, Any]:
    """A chat completion; ``choice``, ``message`` and all else replaces or adds fields."""
    message = {"role": "assistant", "content": content, "refusal": None, **more.pop("message", {})}
    choice = {"index": 0, "finish_reason": "stop", "message": message, **more.pop("choice", {})}
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
        "usage": usage,
        **more,
    }


def response(body: bytes, *, status: int = 200, kind: str = "application/json", **headers: Any) -> bytes:
    head = {"Content-Type": kind, "Content-Length": len(body), **headers}
    lines = [
        f"HTTP/1.1 {status} Said",
        *(f"{name.replace('_', '-')}: {value}" for name, value in head.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def says(content: Any = "A line.", **more: Any) -> Any:
    """Answer well, with this content."""
    return raw(json.dumps(document(content, **more)).encode())


def writes(make: Callable[[Asked], Any]) -> Any:
    """Answer with a content made of the request."""

    def mode(connection: Connection) -> bool:
        connection.send(response(json.dumps(document(make(connection.request))).encode()))
        return True

    return mode


def raw(body: bytes, **head: Any) -> Any:
    """Answer with this body, whatever it is."""

    def mode(connection: Connection) -> bool:
        connection.send(response(body, **head))
        return True

    return mode


def fails(status: int, **headers: Any) -> Any:
    """Answer an error, which quotes the key as a careless provider does."""

    def mode(connection: Connection) -> bool:
        said = {"error": {"message": f"Wrong key {connection.request.headers['authorization']}", "code": KEY}}
        connection.send(response(json.dumps(said).encode(), status=status, **headers))
        return True

    return mode


def hangs(connection: Connection) -> None:
    """Say nothing until the test is over."""
    connection.closing.wait(30)


def drips(connection: Connection) -> None:
    """A byte now and then, so that no single read is late."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while not connection.closing.wait(0.05):
        connection.send(b" ")


def drips_headers(connection: Connection) -> None:
    """The same, before the body has begun."""
    connection.send(b"HTTP/1.1 200 OK\r\n")
    while not connection.closing.wait(0.05):
        connection.send(b"X-A: b\r\n")


def breaks(connection: Connection) -> None:
    """Hang up in the middle."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")


def hangs_up(_connection: Connection) -> None:
    """Hang up without a word."""


def floods(connection: Connection) -> None:
    """Never end."""
    connection.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    while not connection.closing.is_set():
        connection.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
