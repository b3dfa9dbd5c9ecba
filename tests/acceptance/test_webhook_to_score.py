"""A signed webhook becomes a governed, traced, scored lead: over real HTTP, with a real worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer

from tests.failure.system import System, shuffled
from tests.providers import Census

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def census() -> Iterator[Census]:
    with HTTPServer() as server:
        yield Census(server)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, census: Census) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    with System(folder, CENSUS_API_KEY="key", CENSUS_BASE_URL=census.url) as system:
        system.start("web")
        yield system


@pytest.fixture
def running(system: System) -> Iterator[System]:
    system.start("worker", "beat")
    yield system
    system.stop("worker")
    system.stop("beat")


def contact(system: System, record_id: str) -> dict[str, Any]:
    statement = "SELECT data FROM t_demo.records_record WHERE object = 'Contact' AND external_id = %s"
    found: dict[str, Any] = system.query(statement, record_id)[0][0]
    return found


def executions(system: System, trigger: str, prefix: str) -> list[tuple[Any, ...]]:
    """Status and size of the trigger's executions over records of this prefix."""
    return system.query(
        "SELECT status, size FROM triggers_execution WHERE trigger = %s AND record_ids[1] LIKE %s"
        " ORDER BY id",
        trigger,
        f"{prefix}%",
    )


class TestOneLead:
    def test_is_scored_and_traced(self, running):
        running.send_all(running.contacts(["one-1"], postalCode="80202", phone="+13035550100"))
        running.wait_until_done(1)

        lead = contact(running, "one-1")
        assert lead["first_name"] == "Ada"
        assert 0 <= lead["lpr_score"] <= 100
        ((status, size),) = executions(running, "ContactTrigger.score_new_leads", "one-")
        assert (status, size) == ("succeeded", 1)
        ((spans, entries, outcomes),) = running.query(
            "SELECT t.spans, t.entries, t.outcomes FROM logs_trace t JOIN triggers_execution e"
            " ON e.code = t.execution WHERE e.trigger = 'ContactTrigger.score_new_leads'"
            " AND e.record_ids = ARRAY['one-1']::varchar[]"
        )
        assert outcomes == {"one-1": ["ok", "", None]}
        assert any(entry["message"] == "scored" for entry in entries)
        assert spans

    def test_sent_twice_runs_once(self, running):
        done = sum(running.statuses().values())
        running.send_all(shuffled(running.contacts(["twice-1", "twice-2"]), times=3))
        running.wait_until_done(done + 2)

        assert contact(running, "twice-1")["runs"] == 1
        assert sum(running.statuses().values()) == done + 2


class TestHundredLeads:
    def test_within_a_second_are_three_executions_at_most(self, running):
        done = sum(running.statuses().values())
        # The workers are warm, as they are in the middle of a day.
        running.send_all(running.contacts([f"warm-{number}" for number in range(3)]))
        running.wait_until_done(done + 3)
        time.sleep(1.1)
        bodies = running.contacts([f"burst-{number}" for number in range(100)])

        running.send_all(bodies, concurrency=4, rate=105)

        running.wait_until_done(done + 103)
        found = executions(running, "ContactTrigger.score_new_leads", "burst-")
        assert sum(size for _, size in found) == 100
        assert len(found) <= 3
        assert {status for status, _ in found} == {"succeeded"}

    def test_as_one_batch_cost_one_request_to_the_census(self, system, census):
        done = sum(system.statuses().values())
        bodies = [
            body
            for number in range(100)
            for body in system.contacts([f"bulk-{number}"], postalCode=str(10_000 + number), country="US")
        ]
        system.send_all(bodies, concurrency=4)
        before = len(census.asked)

        system.start("worker")
        try:
            # The bells rang while nobody listened; they are heard late.
            system.wait_until_done(done + 100)
        finally:
            system.stop("worker")

        ((status, size),) = executions(system, "ContactTrigger.score_new_leads", "bulk-")
        assert (status, size) == ("succeeded", 100)
        assert len(census.asked) - before == 1
