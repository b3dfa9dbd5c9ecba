"""Health: is the process up, can it store what comes in, and how do the parts behind it do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpResponse, JsonResponse
from django.utils.timezone import now
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from tenants.scope import every_tenant
from tenants.slots import Busy, database_slot
from triggers import figures, heartbeat, jail_sign

if TYPE_CHECKING:
    from django.http import HttpRequest

PATIENCE_SECONDS = 1.0  # for a database connection; a probe must not hang
_STARTED = time.time()


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process is up. Touches nothing else."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while events can be stored; the other parts stand in the body, and count with ``?strict``."""
    parts = {"postgres": _postgres(), **_behind()}
    is_ready = parts["postgres"] != "degraded"
    is_well = all(state == "ok" for state in parts.values())
    is_refused = not is_ready or ("strict" in request.GET and not is_well)
    status = "ok" if is_well else "degraded" if is_ready else "unavailable"
    findings = jail_sign.read() if parts["redis"] == "ok" else None
    jail = findings.summary() if findings else dict(jail_sign.UNKNOWN)
    body = {"status": status, "parts": parts, "jail": jail}
    return JsonResponse(body, status=503 if is_refused else 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures of the last hour, and the parts' states, as Prometheus text."""
    registry = CollectorRegistry()
    up = Gauge("circuitos_up", "1 while the part works", ["part"], registry=registry)
    gauges = {
        name: Gauge(f"circuitos_{name}", said, registry=registry)
        for name, said in (
            ("events_waiting", "events stored and not finished (at most 10,000 are counted)"),
            ("oldest_event_seconds", "age of the oldest waiting event"),
            ("executions_last_hour", "executions begun in the last hour"),
            ("executions_failed_last_hour", "of them failed or partly failed"),
            ("records_last_hour", "records that succeeded in the last hour"),
            ("process_uptime_seconds", "since this web process started"),
        )
    }
    runs = Gauge("circuitos_trigger_executions", "last hour, by trigger", ["trigger"], registry=registry)
    failures = Gauge("circuitos_trigger_failures", "last hour, by trigger", ["trigger"], registry=registry)
    slowest = Gauge("circuitos_trigger_slowest_ms", "last hour, by trigger", ["trigger"], registry=registry)
    gauges["process_uptime_seconds"].set(time.time() - _STARTED)
    postgres = _postgres()
    if postgres == "ok":
        at = now()
        with database_slot(patience=PATIENCE_SECONDS), every_tenant():
            hour = figures.overview(at)
        oldest = hour.oldest_waiting_at
        gauges["events_waiting"].set(hour.waiting)
        gauges["oldest_event_seconds"].set((at - oldest).total_seconds() if oldest else 0)
        gauges["executions_last_hour"].set(hour.executions)
        gauges["executions_failed_last_hour"].set(hour.failed)
        gauges["records_last_hour"].set(hour.records_ok)
        for name, one in hour.by_trigger.items():
            runs.labels(name).set(one.executions)
            failures.labels(name).set(one.failed)
            slowest.labels(name).set(one.slowest_ms or 0)
    for part, state in {"postgres": postgres, **_behind()}.items():
        up.labels(part).set(state == "ok")
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def parts() -> dict[str, str]:
    """Each part's state, for whoever may wait for it."""
    return {"postgres": _postgres(), **_behind()}


def _postgres() -> str:
    """Whether PostgreSQL answers and takes writes: a replica cannot store.

    ``busy``: other requests hold all connections of the pages. Webhooks have one of their own.
    """
    try:
        with database_slot(patience=PATIENCE_SECONDS), connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only')")
            return "ok" if cursor.fetchone() == ("off",) else "degraded"
    except Busy:
        return "busy"
    except (DatabaseError, InterfaceError):
        connection.close()
        return "degraded"


def _behind() -> dict[str, str]:
    """The parts an event needs after it was stored: one round trip to Redis."""
    try:
        signs = heartbeat.read()
    except redis.RedisError:
        return {"redis": "degraded", **dict.fromkeys(heartbeat.KEYS, "degraded")}
    return {"redis": "ok", **{part: "ok" if value == b"ok" else "degraded" for part, value in signs.items()}}
