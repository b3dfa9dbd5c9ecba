"""Webhooks in: durable ones a second, against what people hand-write and a view that stores nothing."""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from circuitos.local.testing import start_servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
LOCATION = "bench-location"
# What the database promises here is what it promises in production.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
SETUP = """
import os, django
django.setup()
from tenants.connections import connect
from tenants.models import Tier
from tenants.provision import create_tenant
tenant = create_tenant(slug="bench", name="Bench", tier=Tier.objects.order_by("pk").first())
tenant.settings = {"ingest_rate": 1_000_000}
tenant.save(update_fields=["settings"])
keys = [os.environ["WEBHOOK_PUBLIC_KEY"]]
print(connect(tenant=tenant, crm="gohighlevel", account_id="%s", public_keys=keys).key)
"""
SETUP_BASELINE = """
import django
django.setup()
from django.db import connection
from benchmarks.baseline_project.models import WebhookEvent
with connection.schema_editor() as editor:
    editor.create_model(WebhookEvent)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()

    server_core, load_core = _cores()
    os.sched_setaffinity(0, {load_core})  # inherited by the database, Valkey and the load generator
    with tempfile.TemporaryDirectory() as folder, start_servers(settings=DURABLE) as servers:
        key = Ed25519PrivateKey.generate()
        key_file = Path(folder, "key.pem")
        key_file.write_bytes(_pem(key))
        environ = _environ(servers.database_url, servers.redis_url, key)
        ours, baseline = _set_up(environ)
        bench = Bench(key_file, server_core=server_core, seconds=wanted.seconds)
        rounds = []
        for _ in range(wanted.rounds):
            rounds.append(
                {
                    "circuitos": bench.measure("circuitos.wsgi:application", ours, environ, paced=True),
                    "hand-written": bench.measure(
                        "benchmarks.baseline_project.wsgi:application", "/storing/", baseline
                    ),
                    "bare": bench.measure("benchmarks.baseline_project.wsgi:application", "/bare/", baseline),
                }
            )
            if not wanted.json:
                _tell_round(rounds[-1])
    summary = _summary(rounds)
    if wanted.json:
        json.dump({"rounds": rounds, **summary}, sys.stdout, indent=1)
        return
    lines = {
        "durable webhooks, of the hand-written": f"{summary['against_baseline']:.1f} x, at least 4, aim 7",
        "the same by CPU time a request": f"{summary['cpu_against_baseline']:.1f} x",
        "durable webhooks, of a bare DRF view": f"{summary['against_bare']:.0%}, at least 50, aim 80",
        "the same by CPU time": f"{summary['cpu_against_bare']:.0%}",
        "answer p99 at half of that load": f"{summary['half_load_p99_ms']:.1f} ms, under 25, aim 10",
    }
    print()
    for measure, figure in lines.items():
        print(f"{measure:40} {figure}")


class Bench:
    """One server at a time on one core, the load from another."""

    def __init__(self, key_file: Path, *, server_core: int, seconds: float) -> None:
        self._key_file = key_file
        self._server_core = server_core
        self._seconds = seconds

    def measure(
        self, target: str, path: str, environ: Mapping[str, str], *, paced: bool = False
    ) -> dict[str, Any]:
        """Full load; with ``paced`` also half of that."""
        with self._server(target, environ) as (port, pid):
            self._load(port, path, seconds=1.5)  # warm
            spent = _cpu_seconds(pid)
            told = self._load(port, path, seconds=self._seconds)
            # Beside the rate, for a machine that does other things: what one request costs the server.
            told["cpu_us"] = (_cpu_seconds(pid) - spent) * 1e6 / sum(told["statuses"].values())
            if paced:
                told["half"] = self._load(port, path, seconds=self._seconds, rate=told["per_second"] / 2)
        return told

    @contextlib.contextmanager
    def _server(self, target: str, environ: Mapping[str, str]) -> Iterator[tuple[int, int]]:
        port = 8600 + secrets.randbelow(400)
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", target, "--no-ws", "--port", str(port),
            "--workers", "1", "--blocking-threads", "32", "--runtime-threads", "1", "--log-level", "error",
        ]  # fmt: skip
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**environ},
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._server_core}),  # noqa: PLW1509
        )
        try:
            _wait_for(port)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _load(self, port: int, path: str, *, seconds: float, rate: float = 0.0) -> dict[str, Any]:
        count = int(seconds * (rate or 6_000)) + 100
        command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--path", path]
        command += ["--location", LOCATION, "--salt", secrets.token_hex(4), "--key", str(self._key_file)]
        command += ["--seconds", str(seconds), "--rate", str(rate), "--count", str(count)]
        told: dict[str, Any] = json.loads(
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
        )
        assert set(told["statuses"]) == {"202"}, told
        return told


def _cores() -> tuple[int, int]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("The benchmark needs two cores: one for the server, one for everything else.")
    return cores[0], cores[1]


def _environ(database_url: str, redis_url: str, key: Ed25519PrivateKey) -> dict[str, str]:
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DEBUG": "0",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": "a:" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "PUBLIC_URL": "https://bench.test",
        "ALLOWED_HOSTS": "*",
        "DJANGO_SETTINGS_MODULE": "circuitos.settings",
        "WEBHOOK_PUBLIC_KEY": base64.b64encode(public).decode(),
        "PYTHONPATH": str(ROOT),
    }


def _set_up(environ: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Our path, and the environment of the baseline. Tables of both stand in one database."""
    _python(environ, "manage.py", "migrate_schemas", "--shared", "-v0")
    hook_key = _python(environ, "-c", SETUP % LOCATION).split()[-1]
    baseline = {**environ, "DJANGO_SETTINGS_MODULE": "benchmarks.baseline_project.settings"}
    _python(baseline, "-c", SETUP_BASELINE)
    return f"/hooks/{hook_key}/", baseline


def _python(environ: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**environ}, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _cpu_seconds(pid: int) -> float:
    """What a process and its children have used so far."""
    ticks, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The server did not come up.")


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _tell_round(told: dict[str, dict[str, Any]]) -> None:
    for name, figures in told.items():
        waits = f"p50 {figures['p50_ms']:6.1f} ms  p99 {figures['p99_ms']:6.1f} ms"
        cost = f"CPU {figures['cpu_us']:4.0f} us a request"
        print(f"{name:13} {figures['per_second']:7.0f}/s  {waits}  {cost}", end="")
        if half := figures.get("half"):
            print(
                f"   at {half['per_second']:.0f}/s: p50 {half['p50_ms']:.1f} ms, p99 {half['p99_ms']:.1f} ms",
                end="",
            )
        print(flush=True)


def _summary(rounds: list[dict[str, Any]]) -> dict[str, float]:
    def median(of: Any) -> float:
        return statistics.median(of(told) for told in rounds)

    def ratio(name: str, figure: str) -> float:
        return median(lambda told: told["circuitos"][figure] / told[name][figure])

    return {
        "against_baseline": ratio("hand-written", "per_second"),
        "against_bare": ratio("bare", "per_second"),
        "cpu_against_baseline": 1 / ratio("hand-written", "cpu_us"),
        "cpu_against_bare": 1 / ratio("bare", "cpu_us"),
        "half_load_p99_ms": median(lambda told: told["circuitos"]["half"]["p99_ms"]),
    }


if __name__ == "__main__":
    main()
