"""A load generator in one thread: keep-alive sockets, requests made beforehand, waits from the due time."""

from __future__ import annotations

import argparse
import base64
import json
import selectors
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Iterator


def bodies(count: int, *, location: str, salt: str) -> Iterator[bytes]:
    """ContactCreate bodies of about 600 bytes, each another contact."""
    for number in range(count):
        yield json.dumps(
            {
                "type": "ContactCreate",
                "locationId": location,
                "id": f"{salt}{number:012d}",
                "address1": "3535 1st St N",
                "city": "Plano",
                "state": "TX",
                "companyName": "Lone Star Roofing",
                "country": "US",
                "source": "website form",
                "dateAdded": "2026-03-03T20:20:09.000Z",
                "dnd": False,
                "email": f"lead{number}@example.test",
                "name": "Jane Roe",
                "firstName": "Jane",
                "lastName": "Roe",
                "phone": "+12025550143",
                "postalCode": "75024",
                "tags": ["website-lead", "priority"],
                "website": "https://example.test/",
                "attachments": [],
                "assignedTo": "nmFmQEsNgz6AVpgLVUJ0",
                "customFields": [{"id": "BcdmQEsNgz6AVpgLVUJ0", "value": "4"}],
                "timestamp": "2026-03-03T20:20:10.101Z",
                "webhookId": f"{salt}-{number:012d}",
            },
            separators=(",", ":"),
        ).encode()


def requests(count: int, *, path: str, location: str, salt: str, key: bytes) -> list[bytes]:
    """Whole signed HTTP requests."""
    private = load_pem_private_key(key, None)
    made = []
    for body in bodies(count, location=location, salt=salt):
        signature = base64.b64encode(private.sign(body)).decode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench.test\r\nContent-Type: application/json\r\n"
            f"X-GHL-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


@dataclass(slots=True)
class _Line:
    sock: socket.socket
    due: float = 0.0
    received: bytearray = field(default_factory=bytearray)


def run(made: list[bytes], *, port: int, connections: int, seconds: float, rate: float) -> dict[str, object]:
    """Send for so long: all connections busy, or ``rate`` a second (then late sends count as wait)."""
    selector = selectors.EpollSelector()
    idle: list[_Line] = []
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = _Line(sock)
        selector.register(sock, selectors.EVENT_READ, line)
        idle.append(line)
    statuses: Counter[str] = Counter()
    waits: list[float] = []
    sent, busy = 0, 0
    begun, begun_at = time.perf_counter(), time.time()
    until = begun + seconds
    while True:
        now = time.perf_counter()
        while idle and now < until and sent < len(made):
            due = begun + sent / rate if rate else now
            if due > now:
                break
            line = idle.pop()
            line.due = due
            line.sock.sendall(made[sent])
            sent += 1
            busy += 1
        if not busy and (now >= until or sent == len(made)):
            break
        timeout = max(0.0, begun + sent / rate - now) if rate and idle and now < until else 1.0
        for ready, _ in selector.select(timeout):
            line = ready.data
            chunk = line.sock.recv(65536)
            if not chunk:
                raise ConnectionError("The server closed a connection.")
            line.received += chunk
            end = line.received.find(b"\r\n\r\n")
            if end < 0:
                continue
            head = bytes(line.received[:end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            is_whole = (
                len(line.received) >= end + 4 + int(length)
                if length
                else line.received.endswith(b"0\r\n\r\n")
            )
            if not is_whole:
                continue
            statuses[head[9:12].decode()] += 1
            line.received.clear()
            waits.append(time.perf_counter() - line.due)
            idle.append(line)
            busy -= 1
    elapsed = time.perf_counter() - begun
    waits.sort()
    return {
        "begun_at": begun_at,  # on the clock that databases know
        "per_second": len(waits) / elapsed,
        "p50_ms": waits[len(waits) // 2] * 1000,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1000,
        "statuses": dict(statuses),
        "ran_out": sent == len(made) and elapsed < seconds * 0.95,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("path", "location", "salt", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--count", type=int, required=True)
    wanted = parser.parse_args()
    with open(wanted.key, "rb") as file:
        key = file.read()
    made = requests(wanted.count, path=wanted.path, location=wanted.location, salt=wanted.salt, key=key)
    told = run(
        made, port=wanted.port, connections=wanted.connections, seconds=wanted.seconds, rate=wanted.rate
    )
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
