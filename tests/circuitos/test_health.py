"""Health: up, ready to store, and the figures for Prometheus."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError

from circuitos import health
from tenants.slots import SLOTS, database_slot
from tests.rows import make_event, make_execution
from triggers import heartbeat, jail_sign

pytestmark = pytest.mark.django_db
GONE = heartbeat.connect("redis://127.0.0.1:1/0")


@pytest.fixture
def alive(valkey):
    for key in heartbeat.KEYS.values():
        valkey.set(key, "ok", ex=60)
    return valkey


class TestHealthz:
    def test_touches_nothing(self, client, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert client.get("/healthz").json() == {"status": "ok"}

    def test_refuses_other_methods(self, client):
        assert client.post("/healthz").status_code == 405


class TestReadyz:
    def test_tells_each_part(self, client, alive):
        answer = client.get("/readyz?strict")

        assert answer.status_code == 200
        assert answer.json() == {
            "status": "ok",
            "parts": dict.fromkeys(["postgres", "redis", "worker", "beat", "jail"], "ok"),
            "jail": jail_sign.UNKNOWN,
        }

    def test_is_ready_without_a_worker_unless_strict(self, client, alive):
        alive.delete(heartbeat.KEYS["worker"])

        lax, strict = client.get("/readyz"), client.get("/readyz?strict")

        assert lax.status_code == 200
        assert lax.json()["status"] == "degraded"
        assert lax.json()["parts"]["worker"] == "degraded"
        assert strict.status_code == 503

    def test_is_ready_without_redis(self, client, monkeypatch):
        monkeypatch.setattr(heartbeat, "client", lambda: GONE)

        answer = client.get("/readyz")

        assert answer.status_code == 200
        behind = dict.fromkeys(["redis", "worker", "beat", "jail"], "degraded")
        assert answer.json()["parts"] == {"postgres": "ok", **behind}

    def test_is_not_ready_without_postgres(self, client, alive, monkeypatch):
        def refuse():
            raise OperationalError

        monkeypatch.setattr(health.connection, "cursor", refuse)
        monkeypatch.setattr(health.connection, "close", lambda: None)

        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["status"] == "unavailable"

    def test_busy_pages_do_not_make_it_unready(self, client, alive, monkeypatch):
        monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.01)
        release = threading.Event()
        taken = threading.Barrier(SLOTS + 1)

        def hold():
            with database_slot():
                taken.wait()
                release.wait()

        threads = [threading.Thread(target=hold) for _ in range(SLOTS)]
        for thread in threads:
            thread.start()
        taken.wait()
        try:
            answer = client.get("/readyz")
        finally:
            release.set()
            for thread in threads:
                thread.join()

        assert answer.status_code == 200
        assert answer.json()["parts"]["postgres"] == "busy"


class TestMetrics:
    def test_tells_the_last_hour(self, client, acme, alive):
        make_execution(acme)
        make_execution(acme, status="failed", ok=0, failed=3)
        make_event(acme)

        text = client.get("/metrics").content.decode()

        assert "circuitos_executions_last_hour 2.0" in text
        assert "circuitos_executions_failed_last_hour 1.0" in text
        assert "circuitos_events_waiting 1.0" in text
        assert 'circuitos_up{part="worker"} 1.0' in text
        assert 'circuitos_trigger_failures{trigger="ContactTrigger.score_new_leads"} 1.0' in text


class TestHeartbeat:
    def test_is_written_once_in_a_while(self, valkey, monkeypatch):
        monkeypatch.setattr(heartbeat._Last, "signed", {})

        heartbeat.sign("worker")
        valkey.delete(heartbeat.KEYS["worker"])
        heartbeat.sign("worker")

        assert heartbeat.read()["worker"] is None  # too soon for a second sign

    def test_a_dead_redis_is_no_error(self, monkeypatch):
        monkeypatch.setattr(heartbeat._Last, "signed", {})
        monkeypatch.setattr(heartbeat, "client", lambda: GONE)

        heartbeat.sign("beat")
