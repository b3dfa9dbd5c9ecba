"""The console's executions list with 1,000,000 executions: the list, each filter, each search, one page.

    python -m benchmarks.console [--executions N] [--rounds N] [--json]

Each is measured with 1,000 executions first, then with all, through Django's test client: from the request
to the rendered page. The ratio of the two says whether a list costs what it shows, or what there is. "CPU"
is of the process that renders, "database" what its queries took: where others work too, they say more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from circuitos.local.testing import start_servers

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.test import Client

ROOT = Path(__file__).resolve().parent.parent
LIST = "/admin/triggers/execution/"
FEW = 1_000
TENANTS = 20
DAYS = 7
ALLOWED_MS = 300
EMAIL = "wanted@example.test"
# The newest is number 0. What is rare stands at the far end, where a walk from the newest comes last.
_FILL = """
INSERT INTO triggers_execution (
    code, root, tenant_id, trigger, object, operation, release, mode, status, with_errors, error_code,
    error_type, error_detail, limit_name, attempts, losses, event_ids, event_codes, record_ids, terms, size,
    ok, failed,
    skipped, depth, seed, now, created_at, started_at, finished_at, wall_ms, cpu_ms, usage)
SELECT code, code, %(first)s + n %% %(tenants)s,
    CASE WHEN back > %(total)s - 20 THEN 'Rare.one' ELSE 'Trigger' || n %% 10 || '.run' END,
    'Contact', 'insert', 'release-' || (n * 20 / %(total)s),
    CASE WHEN n %% 50000 = 49999 THEN 'dry' ELSE 'live' END,
    CASE WHEN back > %(total)s - 10 THEN 'cancelled' WHEN n %% 40 = 0 THEN 'failed'
         WHEN n %% 100 = 1 THEN 'partial' WHEN n %% 100 = 2 THEN 'bisected' ELSE 'succeeded' END,
    n %% 500 = 3,
    CASE WHEN back > %(total)s - 10 THEN 'rare.code' WHEN n %% 80 = 0 THEN 'governor.limit-exceeded'
         WHEN n %% 40 = 0 THEN 'script.raised' ELSE '' END,
    CASE WHEN n %% 80 = 40 THEN 'KeyError' ELSE '' END,
    CASE WHEN back > %(total)s - 10 THEN 'a very unusual sentence'
         WHEN n %% 40 = 0 THEN 'no field visits in record ' || n ELSE '' END,
    CASE WHEN back > %(total)s - 10 THEN 'depth' WHEN n %% 80 = 0 THEN 'api_calls' ELSE '' END,
    1, 0, '{}', '{}', ARRAY['rec-' || n, 'rec-' || n || '-b'], ARRAY[md5('t' || n), md5('u' || n)],
    2, 2, 0, 0, 0, n, at, at, at, at + interval '400 ms', 400, 90,
    '{"api_calls": [3, 50], "cpu_ms": [90, 10000], "wall_ms": [400, 30000], "records_written": [2, 10000]}'
FROM (
    SELECT n, %(total)s - n AS back, at,
        (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
         || '8' || substr(md5(n::text), 4, 3) || substr(md5('x' || n), 1, 12))::uuid AS code
    FROM (
        SELECT n, %(end)s - ((%(total)s - n) * %(days)s * 86400.0 / %(total)s) * interval '1 second' AS at
        FROM generate_series(%(start)s, %(total)s - 1) AS n
    ) AS moments
) AS rows ORDER BY n
"""
_DEDUP = """
INSERT INTO triggers_dedup (connection_id, key, event_code, seen_at, expires_at)
SELECT %s, 'wh-' || n, gen_random_uuid(), now(), now() + interval '7 days' FROM generate_series(1, 200000) n
"""


class Taken(NamedTuple):
    """Milliseconds of one request."""

    wall: float
    cpu: float
    database: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        _inside(wanted.executions, wanted.rounds)
        return
    with start_servers(settings={"shared_buffers": "256MB"}) as servers:
        environ = {
            **os.environ,
            "DEBUG": "1",
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "DJANGO_SETTINGS_MODULE": "circuitos.settings",
        }
        options = ["--inside", "--executions", str(wanted.executions), "--rounds", str(wanted.rounds)]
        command = [sys.executable, "-m", "benchmarks.console", *options]
        done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout[done.stdout.index('{"executions"') :])
    if wanted.json:
        json.dump(told, sys.stdout, indent=1)
        return
    print(
        f"{'page':26} {'p50 ms':>8} {'p95 ms':>8} {'with 1,000':>11} {'ratio':>6} {'CPU':>6} {'database':>9}"
        f"   (p95 under {ALLOWED_MS})"
    )
    for name, row in told["pages"].items():
        late = "" if row["p95_ms"] < ALLOWED_MS else "   TOO SLOW"
        print(
            f"{name:26} {row['p50_ms']:8.1f} {row['p95_ms']:8.1f} {row['few_p50_ms']:11.1f}"
            f" {row['ratio']:6.1f} {row['cpu_ms']:6.1f} {row['database_ms']:9.1f}{late}"
        )


def _inside(total: int, rounds: int) -> None:
    """The measuring process, on the scratch database."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    world = _world()
    few = _measure(_filled(world, FEW), rounds)
    many = _measure(_filled(world, total), rounds)
    pages = {}
    for name, taken in many.items():
        times, few_p50 = [each.wall for each in taken], statistics.median(each.wall for each in few[name])
        pages[name] = {
            "p50_ms": statistics.median(times),
            "p95_ms": statistics.quantiles(times, n=20)[-1],
            "few_p50_ms": few_p50,
            "ratio": statistics.median(times) / few_p50,
            "cpu_ms": statistics.median(each.cpu for each in taken),
            "database_ms": statistics.median(each.database for each in taken),
        }
    print(json.dumps({"executions": total, "pages": pages}))


def _world() -> dict[str, Any]:
    from django.contrib.auth.models import User

    from tenants.connections import connect
    from tenants.models import Tenant

    first = 1_000
    tenants = [
        Tenant(
            pk=first + number,
            slug=f"t{number}",
            name=f"Tenant {number}",
            tier_id="free",
            schema_name=f"t_{number}",
        )
        for number in range(TENANTS)
    ]
    Tenant.objects.bulk_create(tenants)
    connections = [
        connect(tenant=tenant, crm="standard", secrets=("whsec_" + "A" * 44,)) for tenant in tenants
    ]
    return {
        "first": first,
        "tenant": tenants[3],
        "connection": connections[3],
        "user": User.objects.create_superuser("bench"),
        "end": datetime.now(UTC),
    }


def _filled(world: dict[str, Any], total: int) -> dict[str, Any]:
    """Fill the tables anew, and say what to look for in them."""
    from django.db import connection

    from logs.search import hashes
    from tenants.ids import new_code
    from tenants.scope import every_tenant
    from triggers.models import Dedup, Execution, LiveEvent

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE triggers_execution, triggers_liveevent, triggers_dedup CASCADE")
        values = {
            "first": world["first"],
            "tenants": TENANTS,
            "total": total,
            "days": DAYS,
            "end": world["end"],
        }
        for start in range(0, total, 100_000):
            part = _FILL.replace("%(total)s - 1)", "%(stop)s)")
            cursor.execute(part, {**values, "start": start, "stop": min(start + 100_000, total) - 1})
        if total > FEW:
            cursor.execute(_DEDUP, [world["connection"].pk])
    with every_tenant():
        wanted: Execution = Execution.objects.order_by("pk")[total // 3]
        event = LiveEvent.objects.create(
            code=new_code(),
            tenant=wanted.tenant,
            crm="standard",
            object="Contact",
            operation="insert",
            record_id=wanted.record_ids[0],
            kind="contact.created",
            received_at=wanted.created_at,
            delivery=new_code(),
            body=b"",
        )
        Execution.objects.filter(pk=wanted.pk).update(
            terms=[*wanted.terms, *hashes(EMAIL), *hashes("+13035550199")],
            event_ids=[event.pk],
            event_codes=[event.code],
        )
    Dedup.objects.create(
        connection_id=world["connection"].pk,
        key="wanted-delivery",
        event_code=event.code,
        seen_at=world["end"],
        expires_at=world["end"] + timedelta(days=7),
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE triggers_execution")
        cursor.execute("ANALYZE triggers_dedup")
    return {**world, "wanted": wanted, "event": event.code}


def _measure(world: dict[str, Any], rounds: int) -> dict[str, list[Taken]]:
    from django.core.cache import cache
    from django.test import Client

    client = Client(HTTP_HOST="localhost")
    client.force_login(world["user"])
    return {
        name: _times(client, address, query, rounds, forget=cache.clear)
        for name, (address, query) in _pages(world).items()
    }


def _times(
    client: Client, address: str, query: dict[str, Any], rounds: int, *, forget: Callable[[], None]
) -> list[Taken]:
    from django.db import connection

    times = []
    asked: list[float] = []

    def clock(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            asked.append(time.perf_counter() - begun)

    for number in range(rounds + 1):
        forget()  # the palette remembers what it found
        asked.clear()
        began, cpu = time.perf_counter(), time.process_time()
        with connection.execute_wrapper(clock):
            answer = client.get(address, query)
        taken = Taken(time.perf_counter() - began, time.process_time() - cpu, sum(asked))
        if answer.status_code != 200:
            raise SystemExit(f"{address} {query} answered {answer.status_code}.")
        if number:  # the first one loads templates
            times.append(Taken(*(seconds * 1000 for seconds in taken)))
    return times


def _pages(world: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    wanted, end = world["wanted"], world["end"]
    code: UUID = wanted.code
    filters: dict[str, dict[str, Any]] = {
        "list": {},
        "list, page 20": {"p": 20},
        "status failed": {"status": "failed"},
        "status, two": {"status": ["failed", "partial"]},
        "status, rare": {"status": "cancelled"},
        "status succeeded": {"status": "succeeded"},
        "tenant": {"tenant__id__exact": world["tenant"].pk},
        "tenant, failed": {"tenant__id__exact": world["tenant"].pk, "status": "failed"},
        "trigger": {"trigger": "Trigger3.run"},
        "trigger, rare": {"trigger": "Rare.one"},
        "trigger, none": {"trigger": "No.such"},
        "release, live": {"release": "release-19"},
        "release, old": {"release": "release-0"},
        "mode dry": {"mode__exact": "dry"},
        "error code": {"error": "script.raised"},
        "error code, rare": {"error": "rare.code"},
        "error code, none": {"error": "no.such"},
        "limit": {"limit": "api_calls"},
        "limit, rare": {"limit": "depth"},
        "with errors": {"with_errors__exact": "1"},
        "record": {"record": wanted.record_ids[0]},
        "last 15 minutes": {"when": "15m"},
        "last day, failed": {"when": "24h", "status": "failed"},
        "a day of the past": {
            "from": (end - timedelta(days=5)).isoformat(),
            "to": (end - timedelta(days=4)).isoformat(),
        },
        "a past day, rare": {
            "from": (end - timedelta(days=5)).isoformat(),
            "to": (end - timedelta(days=4)).isoformat(),
            "error": "no.such",
        },
        "search id": {"q": str(code)},
        "search end of id": {"q": str(code)[-12:]},
        "search record": {"q": wanted.record_ids[0]},
        "search e-mail": {"q": EMAIL},
        "search phone": {"q": "+1 303 555 0199"},
        "search event": {"q": str(world["event"])},
        "search delivery": {"q": "wanted-delivery"},
        "search error, frequent": {"q": "KeyError no field visits"},
        "search error, rare": {"q": "very unusual sentence"},
        "search nothing there": {"q": "zebra-crossing"},
    }
    return {
        **{name: (LIST, query) for name, query in filters.items()},
        "palette, error": ("/admin/search/", {"s": "very unusual", "extended": "1"}),
        "palette, e-mail": ("/admin/search/", {"s": EMAIL, "extended": "1"}),
        "one execution": (f"{LIST}{code}/change/", {}),
    }


if __name__ == "__main__":
    main()
