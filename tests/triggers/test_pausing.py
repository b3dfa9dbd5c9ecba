"""Pausing a trigger: its events wait in order, and run when the pause is over or ended."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tenants.models import AuditEvent
from tenants.scope import every_tenant, tenant_scope
from tests.rows import make_execution
from tests.triggers import engine
from triggers import bells, config, paused_waiting, pausing, trigger_rows
from triggers.models import TriggerConfig
from triggers.registry import UnknownTrigger

pytestmark = pytest.mark.django_db
SCORE = "ContactTrigger.score_new_leads"
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def rung(monkeypatch):
    lanes: list[int] = []
    monkeypatch.setattr(bells, "ring", lanes.extend)
    return lanes


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch):
    """A worker reads the configuration at each claim."""
    monkeypatch.setattr(config, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(config, "FRESH_WHILE_PAUSED", 0.0)


def pause(tenant, **fields):
    at = fields.pop("at", datetime.now(UTC))
    wanted = {"reason": "The CRM is being migrated.", "until": None, "actor": "eve", "trigger": SCORE}
    return pausing.pause(tenant=tenant, at=at, **{**wanted, **fields})


def resume(tenant):
    return pausing.resume(trigger=SCORE, tenant=tenant, actor="eve", at=datetime.now(UTC))


class TestPause:
    def test_events_wait_in_order_and_run_once_it_is_resumed(
        self, acme, globex, rung, django_capture_on_commit_callbacks
    ):
        runs = engine.Runs()
        worker = engine.supervisor(runs, engine.spec(SCORE))
        pause(acme)
        for name in ("a", "b"):
            engine.put(acme, name)
        engine.drain(worker)
        engine.put(acme, "a", operation="update")
        engine.put(globex, "c")
        engine.drain(worker)
        assert runs.batches == [["c"]]
        with tenant_scope(acme.pk):
            waits = paused_waiting.of([SCORE])[SCORE]
        assert (waits.events, waits.executions, waits.behind) == (3, 1, 1)
        with tenant_scope(globex.pk):
            assert paused_waiting.of([SCORE]) == {}

        with django_capture_on_commit_callbacks(execute=True):
            lanes = resume(acme)
        worker.listen(lanes[0])
        engine.drain(worker)

        assert rung == lanes == [engine.lane(acme).pk]
        assert runs.batches == [["c"], ["a", "b"], ["a"]]

    def test_lapses_by_itself(self, acme):
        runs = engine.Runs()
        worker = engine.supervisor(runs, engine.spec(SCORE))
        until = datetime.now(UTC) + timedelta(seconds=0.4)
        pause(acme, until=until)
        engine.put(acme, "a")
        engine.drain(worker)
        assert runs.batches == []

        time.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()) + 0.02)
        # What the beat's wake does: the lane is found to have work, and rung for.
        worker.listen(engine.lane(acme).pk)
        engine.drain(worker)

        assert runs.batches == [["a"]]

    def test_for_all_holds_a_tenant_with_a_configuration_of_its_own(self, acme):
        runs = engine.Runs()
        TriggerConfig.objects.create(tenant=acme, trigger=SCORE, order=3, settings={"floor": 1})
        pause(None)
        engine.put(acme, "a")

        engine.drain(engine.supervisor(runs, engine.spec(SCORE)))

        assert runs.jobs == []

    def test_for_one_tenant_leaves_the_rest_as_it_is_for_all(self, acme, globex):
        TriggerConfig.objects.create(trigger=SCORE, is_enabled=False, order=7)

        pause(acme)

        with every_tenant():
            row = trigger_rows.rows(tenant=acme, at=datetime.now(UTC), name=SCORE)[0]
        assert (row.status, row.order) == ("off", 7)

    def test_a_second_pause_replaces_the_first(self, acme):
        pause(acme, reason="First.")
        pause(acme, reason="Second.", until=datetime.now(UTC) + timedelta(hours=1))

        config = TriggerConfig.objects.get()
        assert config.pause_reason == "Second."
        verbs = AuditEvent.objects.filter(tenant=acme).values_list("verb", flat=True)
        assert list(verbs) == ["trigger.pause"] * 2

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({"reason": "  "}, "why"),
            ({"reason": "x" * 201}, "200"),
            ({"reason": "a\x00b"}, "text"),
            ({"until": AT - timedelta(days=400)}, "later"),
            ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "later"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, acme, fields, what):
        with pytest.raises(pausing.BadPause, match=what):
            pause(acme, **fields)

        assert not TriggerConfig.objects.exists()

    def test_refuses_a_trigger_that_is_not_registered(self, acme):
        with pytest.raises(UnknownTrigger):
            pause(acme, trigger="Nobody.knows")


class TestResume:
    def test_a_tenant_cannot_end_the_pause_for_all(self, acme):
        pause(None)

        with pytest.raises(pausing.PausedForAll):
            resume(acme)
        assert resume(None) == []
        with pytest.raises(pausing.NotPaused):
            resume(None)


class TestEstimate:
    def test_is_of_what_waits_and_how_its_executions_went(self, acme, globex):
        make_execution(acme, wall_ms=960)
        pause(acme)
        worker = engine.supervisor(engine.Runs(), engine.spec(SCORE, batch_size=1))
        for number in range(3):
            engine.put(acme, f"r{number}")
            worker.listen(engine.lane(acme).pk)
            engine.drain(worker)

        with tenant_scope(acme.pk):
            row = trigger_rows.rows(tenant=acme, at=datetime.now(UTC), name=SCORE)[0]
        with tenant_scope(globex.pk):
            other = trigger_rows.rows(tenant=globex, at=datetime.now(UTC), name=SCORE)[0]

        assert row.sentence == "3 events wait; about 3 s after resuming."
        assert (row.figures.day, row.figures.p50_ms) == (4, 960)
        assert (other.figures.day, other.sentence) == (0, "Nothing waits for it.")

    def test_says_when_it_cannot_know(self, acme):
        waiting = paused_waiting.Waiting(executions=1, in_executions=1, lanes=1)

        assert "not known" in waiting.sentence(trigger_rows.Figures())


class TestConfigure:
    def test_sets_order_and_switch_with_an_audit_row(self, acme):
        pausing.configure(trigger=SCORE, tenant=acme, is_enabled=False, order=5, actor="eve", at=AT)

        config = TriggerConfig.objects.get()
        assert (config.is_enabled, config.order) == (False, 5)
        assert AuditEvent.objects.get().data["is_enabled"] == [True, False]
        with pytest.raises(pausing.BadSwitch):
            pausing.configure(trigger=SCORE, tenant=acme, is_enabled=True, order=10**6, actor="eve", at=AT)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_keep_one_row(self, acme):
        def one(number):
            try:
                pause(acme if number % 2 else None, reason=f"Number {number}.")
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(8)))

        assert TriggerConfig.objects.filter(trigger=SCORE).count() == 2
