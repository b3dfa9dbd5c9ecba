"""The tasks: a bell serves lanes, the beat's rounds ring and rescue."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from circuitos import beat
from circuitos.celery import app
from governor.models import Usage
from logs import partitions
from tenants.scope import every_tenant
from tests.triggers.engine import Runs, drain, lane, put, scoring, statuses, supervisor
from tests.triggers.test_admission import calling, set_value
from triggers import bells, lanes, outbox_lanes, outbox_sender, tasks
from triggers.models import Lane


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lanes whose bells were rung."""
    lanes_rung: list[int] = []
    monkeypatch.setattr(bells, "ring", lanes_rung.extend)
    return lanes_rung


def lane_ids() -> list[int]:
    with every_tenant():
        return list(Lane.objects.order_by("id").values_list("id", flat=True))


class TestServeLanes:
    def test_serves_any_lane_and_answers_its_own_bell(self, acme, valkey, monkeypatch):
        put(acme, "c1")
        (lane_id,) = lane_ids()
        valkey.set(f"circuitos:bell:{lane_id}", b"1")
        engine = supervisor(Runs(scoring))
        monkeypatch.setattr(tasks._Process, "supervisor", lambda: engine)

        tasks.serve_lanes(lane_id=lane_id, something_newer=True)

        assert statuses(acme) == {"c1": ["succeeded"]}
        assert not valkey.exists(f"circuitos:bell:{lane_id}")

    def test_rings_again_when_its_time_is_over(self, acme, rung, monkeypatch):
        put(acme, "c1")
        put(acme, "c1", operation="update", firstName="New")
        engine = supervisor()
        monkeypatch.setattr(tasks._Process, "supervisor", lambda: engine)
        monkeypatch.setattr(tasks, "SERVE_SECONDS", 0)

        tasks.serve_lanes()

        assert rung == lane_ids()


class TestRounds:
    def test_wake_rings_for_lanes_nobody_serves(self, acme, globex, rung):
        put(acme)
        put(globex)
        with connection.cursor() as cursor:
            served, _ = lanes.take(cursor, worker="busy")

        tasks.wake()

        assert rung == [lane for lane in lane_ids() if lane != served.lane_id]

    def test_rescue_rings_for_the_lanes_it_freed(self, acme, rung):
        put(acme)
        dead = f"{lanes.worker_name().rpartition(':')[0]}:1"
        with connection.cursor() as cursor:
            lanes.take(cursor, worker=dead)

        tasks.rescue_lanes()

        assert rung == lane_ids()

    def test_rescue_without_anything_to_do_is_silent(self, acme, rung):
        tasks.rescue_lanes()

        assert rung == []

    def test_what_waited_for_the_quota_is_opened_and_rung_for(self, acme, globex, rung):
        for tenant in (acme, globex):
            set_value(tenant, "executions_per_day", 0)
            put(tenant)
        drain(supervisor())
        set_value(acme, "executions_per_day", 5)

        tasks.review_quotas()

        assert rung == [lane(acme).pk]
        assert lane(globex).parked_reason == "quota"

    def test_counters_that_are_wrong_are_mended(self, acme, caplog):
        put(acme)
        drain(supervisor(calling(1)))
        with every_tenant():
            Usage.objects.filter(period="d").update(executions=7)

        tasks.reconcile_usage()

        with every_tenant():
            assert Usage.objects.get(period="d").executions == 1
        assert "executions was 7, the ledger says 1; mended." in caplog.text

    def test_partitions_are_made(self, acme):
        tasks.ensure_partitions()

        assert partitions.days_of("logs_trace")

    def test_each_round_of_the_beat_is_a_task_there_is(self):
        app.loader.import_default_modules()

        for entry in beat.app.conf.beat_schedule.values():
            assert entry["task"] in app.tasks
            assert entry["options"]["expires"] <= entry["schedule"]


class TestProcess:
    def test_a_child_makes_a_supervisor_of_its_own_and_keeps_it(self, acme, monkeypatch):
        from tests.triggers.engine import spec
        from triggers import registry
        from triggers.registry import Registry

        scripts = Registry([spec()], content="0123456789abcdef")
        monkeypatch.setattr(registry._Held, "registry", scripts)
        monkeypatch.setattr(tasks._Process, "_supervisor", None)

        first: Any = tasks._Process.supervisor()
        assert tasks._Process.supervisor() is first

        monkeypatch.setattr(tasks._Process, "_pid", -1)
        assert tasks._Process.supervisor() is not first
        tasks._Process.close()
        assert tasks._Process._supervisor is None


class TestSendOutbox:
    def test_is_left_to_the_one_process_of_the_machine_that_sends_already(self, acme, monkeypatch):
        drained: list[float] = []
        monkeypatch.setattr(outbox_sender, "drain", lambda *, seconds: drained.append(seconds))
        elsewhere = connection.copy()
        machine = outbox_lanes.machine_lock()
        try:
            with elsewhere.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s, %s)", machine)
                tasks.send_outbox()
                while_held = list(drained)
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", machine)
            tasks.send_outbox()
        finally:
            elsewhere.close()

        assert while_held == []
        assert drained == [tasks.SEND_SECONDS]
