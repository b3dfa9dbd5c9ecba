"""Replay: a new execution over old events, which stay as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from governor.job import RunError, RunResult
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    executions,
    lane,
    mirror,
    poisoned_by,
    put,
    scoring,
    statuses,
    supervisor,
)
from triggers import registry
from triggers.models import Event
from triggers.registry import Registry
from triggers.replay import BadReplay, NotReplayable, replay

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.triggers.engine import spec

    monkeypatch.setattr(registry._Held, "registry", Registry([spec()], content="0123456789abcdef"))


def failed_once(acme: Any) -> Runs:
    """c0 and c1, of which c1 failed."""
    put(acme, "c0", firstName="Zero")
    put(acme, "c1")
    runs = Runs(poisoned_by("c1"))
    drain(supervisor(runs))
    runs.jobs.clear()
    runs.answer = scoring
    return runs


class TestReplay:
    def test_runs_the_same_events_again_and_leaves_the_old_ones(self, acme):
        runs = failed_once(acme)
        root = executions()[0]
        with every_tenant():
            before = list(Event.objects.order_by("id").values())

        made = replay(execution=root, actor="operator", at=NOW)

        assert (made.status, made.replay_of_id, made.root, made.size) == ("queued", root.pk, made.code, 2)
        drain(supervisor(runs))
        made.refresh_from_db()
        assert (made.status, made.ok, made.now) == ("succeeded", 2, NOW)
        assert runs.batches == [["c0", "c1"]]
        assert runs.jobs[0].records[0]["first_name"] == "Zero"
        assert runs.jobs[0].seed == root.seed
        assert mirror(acme, "c1")["score"] == 7
        with every_tenant():
            assert list(Event.objects.order_by("id").values()) == before
        root.refresh_from_db()
        assert root.status == "bisected"

    def test_of_the_failed_ones_takes_those_alone(self, acme):
        runs = failed_once(acme)

        replay(execution=executions()[0], records="failed", actor="operator", at=NOW)

        drain(supervisor(runs))
        assert runs.batches == [["c1"]]

    def test_finds_the_failed_ones_of_a_partial_execution(self, acme):
        put(acme, "c0")
        put(acme, "c1")
        runs = Runs(lambda job: RunResult(outcomes={"c1": ("failed", "no", None)}))
        drain(supervisor(runs))

        made = replay(execution=executions()[0], records="failed", actor="operator", at=NOW)

        assert made.record_ids == ["c1"]

    def test_uses_a_lane_of_its_own(self, acme):
        failed_once(acme)

        made = replay(execution=executions()[0], actor="operator", at=NOW)

        assert made.lane_id == lane(acme, "replay").pk != lane(acme).pk

    def test_dry_changes_nothing(self, acme):
        runs = failed_once(acme)
        replay(execution=executions()[0], mode="dry", actor="operator", at=NOW)

        drain(supervisor(runs))

        assert runs.jobs[0].mode == "dry"
        assert "score" not in mirror(acme, "c1")

    def test_recorded_has_the_old_clock_and_answers(self, acme):
        runs = failed_once(acme)
        root = executions()[0]
        replay(execution=root, mode="recorded", actor="operator", at=NOW)

        drain(supervisor(runs))

        (job,) = runs.jobs
        assert (job.mode, job.now, job.recorded) == ("recorded", root.now, {})

    def test_that_fails_is_split_and_tried_again_like_any_other(self, acme):
        runs = failed_once(acme)
        made = replay(execution=executions()[0], actor="operator", at=NOW)
        runs.answer = poisoned_by("c0")

        drain(supervisor(runs))

        made.refresh_from_db()
        assert made.status == "bisected"
        parts = [part for part in executions() if part.parent_id == made.pk]
        assert [(part.status, part.replay_of_id) for part in parts] == [
            ("failed", made.replay_of_id),
            ("succeeded", made.replay_of_id),
        ]
        assert statuses(acme) == {"c0": ["succeeded"], "c1": ["failed"]}

    def test_waits_for_nothing_of_the_live_lane(self, acme):
        runs = failed_once(acme)
        runs.answer = lambda job: RunResult(error=RunError(code="x", is_retryable=True))
        replay(execution=executions()[0], actor="operator", at=NOW)
        drain(supervisor(runs))
        put(acme, "c0", operation="update", firstName="New")
        runs.answer = scoring

        drain(supervisor(runs))

        assert statuses(acme)["c0"] == ["succeeded", "succeeded"]


class TestRefusals:
    @pytest.mark.parametrize(
        "options", [{"mode": "wild"}, {"records": "some"}, {"release": "v9.9.9"}], ids=lambda o: next(iter(o))
    )
    def test_unknown_words(self, acme, options):
        failed_once(acme)

        with pytest.raises(BadReplay):
            replay(execution=executions()[0], actor="operator", at=NOW, **options)

    def test_an_execution_that_has_not_ended(self, acme):
        put(acme, "c0")
        drain(supervisor(Runs(lambda job: RunResult(error=RunError(code="x", is_retryable=True)))))

        with pytest.raises(NotReplayable):
            replay(execution=executions()[0], actor="operator", at=NOW)

    def test_nothing_failed(self, acme):
        put(acme, "c0")
        drain(supervisor())

        with pytest.raises(NotReplayable):
            replay(execution=executions()[0], records="failed", actor="operator", at=NOW)

    def test_events_that_are_not_kept_any_more(self, acme):
        from django.db import connection

        failed_once(acme)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM triggers_event_past")

        with pytest.raises(NotReplayable):
            replay(execution=executions()[0], actor="operator", at=NOW)
