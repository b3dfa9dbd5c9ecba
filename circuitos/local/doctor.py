"""What `doctor` looks at: each part of an installation, and what to do when it is not well."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import redis
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.timezone import now

from circuitos.env import Env, faults
from governor.jail import selftest
from governor.jail.supervisor import JailBroken
from tenants import audit
from triggers import heartbeat, registry

if TYPE_CHECKING:
    from collections.abc import Callable

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 140000
WEB_SECONDS = 2.0
_WITHOUT_A_JAIL = (
    "A kernel with seccomp, and Landlock where secrets stand in files, is needed; JAIL=basic does without, "
    "and is weaker. `python -m governor.jail.selftest` tells what was tried."
)


@dataclass(frozen=True)
class Finding:
    """One part: well, worth a look, or broken; what was seen, and what to do."""

    part: str
    state: str  # "ok", "warning" or "broken"
    seen: str
    do: str = ""

    def as_dict(self) -> dict[str, str]:
        """For machines."""
        return asdict(self)


def examine(found: Env) -> list[Finding]:
    """Look at every part; none stops the others."""
    return [look(found) for look in LOOKS]


def _python(found: Env) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        return Finding("python", "broken", version, "Use Python 3.11 or newer.")
    return Finding("python", "ok", version)


def _secrets(found: Env) -> Finding:
    is_production = found.environment == "production"
    # The database has a line of its own, and development is for DEBUG.
    apart = {"E004"} if is_production else {"E004", "E005"}
    told = [fault for fault in faults(found) if fault.number not in apart]
    if not told:
        return Finding("secrets", "ok", "keys of its own")
    seen = " ".join(fault.sentence for fault in told)
    return Finding("secrets", "broken" if is_production else "warning", seen, told[0].hint)


def _database(found: Env) -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version_num')::int, current_setting('server_version')"
            )
            number, version = cursor.fetchone()
    except (DatabaseError, ImproperlyConfigured) as error:
        seen = str(error).strip().partition("\n")[0]
        return Finding("database", "broken", seen, "Check DATABASE_URL, or start everything with `make run`.")
    if number < OLDEST_POSTGRES:
        return Finding("database", "broken", f"PostgreSQL {version}", "Use PostgreSQL 14 or newer.")
    return Finding("database", "ok", f"PostgreSQL {version}")


def _migrations(found: Env) -> Finding:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return Finding("migrations", "broken", "the database does not answer", "Mend the database first.")
    if waiting:
        seen = f"{len(waiting)} not applied, the first is {waiting[0][0]}"
        return Finding("migrations", "broken", seen, "Run `manage.py migrate_schemas`.")
    return Finding("migrations", "ok", "all applied")


def _audit(found: Env) -> Finding:
    try:
        broken = audit.first_break()
    except DatabaseError:
        return Finding("audit", "broken", "it cannot be read", "Mend the database first.")
    if broken is not None:
        seen = f"the chain breaks at row {broken.pk}, of {broken.at:%F %T} UTC"
        do = "A row was changed or taken out past the guards: compare with a backup, and find out who could."
        return Finding("audit", "broken", seen, do)
    return Finding("audit", "ok", "the chain holds")


def _redis(found: Env) -> Finding:
    try:
        version = heartbeat.client().info("server").get("redis_version", "?")
    except redis.RedisError as error:
        do = "Check REDIS_URL. Webhooks are still taken; they run when it is back."
        return Finding("redis", "broken", str(error), do)
    return Finding("redis", "ok", f"speaks Redis {version}")


def _jail(found: Env) -> Finding:
    try:
        findings = selftest.examine(found, at=now())
    except (JailBroken, OSError) as error:
        return Finding("jail", "broken", str(error), _WITHOUT_A_JAIL)
    if findings.refused:
        return Finding("jail", "broken", findings.sentence, _WITHOUT_A_JAIL)
    if findings.state == "degraded":
        do = "Allow what is missing in the container's profile if you can. JAIL=strict is the default."
        return Finding("jail", "warning", findings.sentence, do)
    return Finding("jail", "ok", findings.sentence)


def _scripts(found: Env) -> Finding:
    try:
        triggers = registry.registry().triggers
    except registry.ScriptsDoNotLoad as error:
        return Finding("scripts", "broken", str(error), "Mend the script; nothing runs before.")
    return Finding("scripts", "ok", f"{len(triggers)} triggers")


def _web(found: Env) -> Finding:
    try:
        address = f"http://127.0.0.1:{found.port}/healthz"
        with urllib.request.urlopen(address, timeout=WEB_SECONDS) as answer:
            is_ours = json.load(answer) == {"status": "ok"}
    except (OSError, ValueError):
        is_ours = False
    if is_ours:
        return Finding("web", "ok", f"answers on port {found.port}")
    if _is_taken(found.port):
        do = "Stop the other program, or set PORT."
        return Finding("web", "broken", f"something else listens on port {found.port}", do)
    return Finding("web", "warning", f"nothing listens on port {found.port}", "Start it: make run, or serve.")


def _is_taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(WEB_SECONDS)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _sign(part: str, do: str) -> Callable[[Env], Finding]:
    def look(found: Env) -> Finding:
        try:
            value = heartbeat.read()[part]
        except redis.RedisError:
            return Finding(part, "broken", "no sign of life can be read", "Mend redis first.")
        if value is None:
            return Finding(part, "warning", "no sign of life in the last minutes", do)
        return Finding(part, "ok", "alive")

    return look


LOOKS: tuple[Callable[[Env], Finding], ...] = (
    _python,
    _secrets,
    _database,
    _migrations,
    _audit,
    _redis,
    _jail,
    _scripts,
    _web,
    _sign("worker", "Start it: make run, serve, or the Procfile's worker."),
    _sign("beat", "Start it: make run, serve, or the Procfile's beat."),
)
