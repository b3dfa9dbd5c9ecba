"""The overview's first sentence, and the figures beside it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tenants.scope import every_tenant, tenant_scope
from tests.rows import make_execution
from triggers import figures
from triggers.home_status import standing

FINE = figures.Latency(100.0, 200.0, 0)
WELL = dict.fromkeys(("postgres", "redis", "worker", "beat", "jail"), "ok")


def hour(**by_trigger):
    seen = {name: figures.Figures(executions=100, failed=failed) for name, failed in by_trigger.items()}
    return figures.Overview(100, 0, 0, 0, 0, is_waiting_cut=False, oldest_waiting_at=None, by_trigger=seen)


class TestStanding:
    def test_all_well(self):
        assert standing(hour=hour(a=5), latency=FINE, parked=0, parts=WELL).sentence == "All well."

    def test_names_the_triggers_that_fail(self):
        told = standing(hour=hour(a=6, b=100, c=0), latency=FINE, parked=3, parts=WELL)

        assert told.sentence == "2 triggers fail: a, b."
        assert (told.tone, told.failing) == ("bad", ("a", "b"))

    def test_a_part_that_is_down_comes_first(self):
        told = standing(hour=hour(a=6), latency=FINE, parked=0, parts={**WELL, "worker": "degraded"})

        assert told.sentence == "No worker gives a sign of life."

    def test_slow_and_held(self):
        slow = figures.Latency(100.0, 5_001.0, 2)

        assert "slower than the goal" in standing(hour=hour(), latency=slow, parked=0, parts=WELL).sentence
        assert "2 lanes held" in standing(hour=hour(), latency=FINE, parked=2, parts=WELL).sentence


@pytest.mark.django_db
class TestLatency:
    def test_is_of_the_tenant_in_scope(self, acme, globex):
        make_execution(acme, wall_ms=12_000)
        make_execution(globex, wall_ms=100)
        at = datetime.now(UTC)

        with tenant_scope(globex.pk):
            assert figures.latency(at) == figures.Latency(100.0, 100.0, 0)
        with every_tenant():
            assert figures.latency(at).slow == 1

    def test_of_nothing_is_none(self, acme):
        with every_tenant():
            assert figures.latency(datetime.now(UTC)) == figures.Latency(None, None, 0)

    def test_stands_on_the_overview(self, console, acme, globex):
        make_execution(acme, trigger="Bad.one", status="failed", error_code="script.raised", wall_ms=12_000)
        make_execution(globex, trigger="Good.one", wall_ms=10)

        page = console.get("/admin/").content.decode()

        assert "Bad.one" in page
        assert 'id="standing"' in page
        assert "1 over 10 s" in page
