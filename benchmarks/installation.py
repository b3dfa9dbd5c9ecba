"""A whole installation to be measured: durable servers, web, worker, beat, and tenants with their keys."""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg2
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from circuitos.local import programs
from circuitos.local.process import Process
from circuitos.local.testing import start_servers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
HOST = "bench.test"
# What the database promises here is what it promises in production; it notes when each row was committed.
DURABLE = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "track_commit_timestamp": "on",
}
_STORED = """
SELECT external_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM {}.records_record
WHERE object = 'Contact' AND data ? 'lpr_score'
"""
_LEFT = "SELECT EXISTS (SELECT FROM triggers_liveevent WHERE status IN ('queued', 'running'))"
_STATUSES = (
    "SELECT status || coalesce(' ' || nullif(reason, ''), ''), count(*) FROM triggers_event GROUP BY 1"
)


@dataclass(frozen=True)
class Tenant:
    """One tenant, and what its CRMs sign with."""

    slug: str
    location_id: str
    gohighlevel: str  # path of its hook
    private_key: str
    portal_id: int
    hubspot: str
    secret: str


class Installation:
    """Servers and processes as in production, started and stopped by hand."""

    def __init__(self, *, tenants: int, settings: Mapping[str, str] | None = None, **environ: str) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.servers = start_servers(settings={**DURABLE, **(settings or {})})
        self.port = free_port()
        self.environ = {
            **os.environ,
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CIRCUITOS_HOME": self.folder.name,
            "DJANGO_SETTINGS_MODULE": "circuitos.settings",
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "FIELD_ENCRYPTION_KEYS": "a:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "PUBLIC_URL": f"http://{HOST}",
            "ALLOWED_HOSTS": "*",
            "PORT": str(self.port),
            "PYTHONPATH": str(ROOT),
            **environ,
        }
        self.processes: dict[str, Process] = {}
        self.python("manage.py", "migrate_schemas", "--shared", "-v0")
        told = json.loads(self.python("-m", "benchmarks.installation", str(tenants)).splitlines()[-1])
        self.tenants = [Tenant(**tenant) for tenant in told]
        self._database = psycopg2.connect(self.servers.database_url)
        self._database.autocommit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything and forget it."""
        for process in self.processes.values():
            process.end()
        self._database.close()
        self.servers.stop()
        self.folder.cleanup()

    def python(self, *arguments: str) -> str:
        """One short process of ours; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def start(self, *, children: int = 2) -> None:
        """Start web, worker and beat; return when a first lead of each tenant is scored."""
        every = (
            programs.web(self.environ, host="127.0.0.1", port=self.port),
            programs.worker(self.environ, concurrency=children),
            programs.beat(self.environ),
        )
        for program in every:
            process = Process(program, log=Path(self.folder.name, f"{program.name}.log"))
            process.start_alone()
            self.processes[program.name] = process
        self.wait_for_web()

    def wait_for_web(self) -> None:
        """Return when web answers."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2)
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit(f"Web did not come up.\n{self.logs()}")

    def wait_until_done(self, *, seconds: float = 120, pause: float = 0.1) -> float:
        """Return the moment when no event waits or runs any more."""
        until = time.monotonic() + seconds
        while self.ask(_LEFT)[0][0]:
            if time.monotonic() > until:
                raise SystemExit(f"Not done in {seconds} s: {self.statuses()}\n{self.logs()}")
            time.sleep(pause)
        return time.time()

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows a statement gives."""
        with self._database.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    def stored_at(self, tenants: Iterable[Tenant]) -> dict[str, float]:
        """When the row of each scored contact was last committed, in seconds since the epoch."""
        return dict(row for tenant in tenants for row in self.ask(_STORED.format(schema_of(tenant))))

    def statuses(self) -> dict[str, int]:
        """How many events stand where."""
        return dict(self.ask(_STATUSES))  # type: ignore[arg-type]  # two columns

    def logs(self) -> str:
        """The last lines of every process."""
        return "\n".join(
            f"--- {name}\n{process.log.read_text()[-2000:]}"
            for name, process in self.processes.items()
            if process.log is not None
        )

    def cpu_seconds(self) -> dict[str, float]:
        """What each process and its children have used so far, the servers' as well."""
        every = [*self.processes.items(), *((each.program.name, each) for each in self.servers.processes)]
        return {name: _cpu_seconds(process.pid) for name, process in every}


class Sender:
    """Makes whole signed HTTP requests of a tenant's CRMs."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self._key: Any = load_pem_private_key(tenant.private_key.encode(), password=None)

    def gohighlevel(self, body: Mapping[str, Any]) -> bytes:
        """One GoHighLevel webhook."""
        raw = _dump({**body, "locationId": self.tenant.location_id})
        signature = base64.b64encode(self._key.sign(raw)).decode()
        return _request(self.tenant.gohighlevel, raw, {"X-GHL-Signature": signature})

    def hubspot(self, events: Sequence[Mapping[str, Any]]) -> bytes:
        """One HubSpot delivery of up to 100 events, good for five minutes."""
        raw = _dump([{**event, "portalId": self.tenant.portal_id} for event in events])
        sent = str(int(time.time() * 1000))
        message = f"POSThttp://{HOST}{self.tenant.hubspot}".encode() + raw + sent.encode()
        digest = hmac.digest(self.tenant.secret.encode(), message, "sha256")
        return _request(
            self.tenant.hubspot,
            raw,
            {
                "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
                "X-HubSpot-Request-Timestamp": sent,
            },
        )


def lead(contact: str, number: int = 0) -> dict[str, Any]:
    """A ContactCreate with the fields that scoring reads, about 900 bytes."""
    return {
        "type": "ContactCreate",
        "webhookId": f"wh-{contact}",
        "id": contact,
        "address1": "3535 1st St N",
        "city": "Plano",
        "state": "TX",
        "companyName": "Lone Star Roofing",
        "country": "US",
        "source": "website form",
        "dateAdded": "2026-03-03T20:20:09.000Z",
        "dnd": False,
        "email": f"{contact}@example.test",
        "name": "Jane Roe",
        "firstName": "Jane",
        "lastName": "Roe",
        "phone": f"+1202555{number % 10_000:04d}",
        "postalCode": "75024",
        "tags": ["website-lead", "priority"],
        "assignedTo": "nmFmQEsNgz6AVpgLVUJ0",
        "customFields": [
            {"id": "visits", "value": number % 10},
            {"id": "opens", "value": number % 8},
            {"id": "clicks", "value": number % 5},
            {"id": "appointment", "value": "booked" if number % 7 == 0 else ""},
            {"id": "minutes", "value": number % 12},
            {"id": "industry", "value": "education" if number % 2 else "retail"},
        ],
        "timestamp": "2026-03-03T20:20:10.101Z",
    }


def schema_of(tenant: Tenant) -> str:
    """The schema of a tenant's records."""
    return f"t_{tenant.slug}"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _dump(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _request(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        f"{lines}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _cpu_seconds(pid: int) -> float:
    ticks, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue
        # Children that ended (runners) stand in their parent's account.
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _make_tenants(count: int) -> list[dict[str, Any]]:
    """Run in a process of its own, with Django."""
    import django

    django.setup()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from tenants.connections import connect
    from tenants.provision import create_tenant

    told = []
    names = ("visits", "opens", "clicks", "appointment", "minutes", "industry")
    readable = ("site_visits", "email_opens", "email_clicks", "appointment", "minutes_on_site", "industry")
    for number in range(count):
        slug = f"bench{number}"
        settings = {
            "latitude": 33.0774,
            "longitude": -96.8056,
            "lpr": {"ideal_industries": ["education"]},
            "field_map": dict(zip(names, readable, strict=True)),
            "ingest_rate": 1_000_000,
        }
        tenant = create_tenant(slug=slug, name=slug.title(), tier="paid", settings=settings)
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        location, portal, secret = f"location-{slug}", 7_000_000 + number, secrets.token_hex(16)
        ghl = connect(
            tenant=tenant,
            crm="gohighlevel",
            account_id=location,
            public_keys=[base64.b64encode(public).decode()],
        )
        hubspot = connect(tenant=tenant, crm="hubspot", account_id=str(portal), secrets=[secret])
        told.append(
            {
                "slug": slug,
                "location_id": location,
                "gohighlevel": f"/hooks/{ghl.key}/",
                "private_key": pem.decode(),
                "portal_id": portal,
                "hubspot": f"/hooks/{hubspot.key}/",
                "secret": secret,
            }
        )
    return told


if __name__ == "__main__":
    print(json.dumps(_make_tenants(int(sys.argv[1]))))
