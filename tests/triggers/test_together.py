"""Several workers over several tenants: each lane served by one, each record in its turn, no tenant mixed."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from tests.triggers.engine import Runs, executions, mirror, put, scoring, spec, statuses, supervisor

if TYPE_CHECKING:
    from governor.job import Job, RunResult

RECORDS, CHANGES, WORKERS = 12, 4, 3


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_each_event_runs_once_in_its_turn(self, acme, globex):
        for change in range(CHANGES):
            for number in range(RECORDS):
                for tenant in (acme, globex):
                    put(tenant, f"c{number}", operation="update", firstName=f"{tenant.slug}-{change}")
        seen: dict[tuple[str, str], list[str]] = defaultdict(list)
        serving: dict[str, int] = defaultdict(int)
        overlaps: list[str] = []

        def answer(job: Job) -> RunResult:
            slug = job.tenant["slug"]
            serving[slug] += 1
            if serving[slug] > 1:
                overlaps.append(slug)
            time.sleep(0.01)
            for record in job.records:
                seen[slug, record["id"]].append(record["first_name"])
            serving[slug] -= 1
            return scoring(job)

        def work(number: int) -> None:
            try:
                engine = supervisor(Runs(answer), spec(batch_size=5), worker=f"worker-{number}")
                engine.serve(seconds=20)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert overlaps == []
        for tenant in (acme, globex):
            expected = [f"{tenant.slug}-{change}" for change in range(CHANGES)]
            for number in range(RECORDS):
                assert seen[tenant.slug, f"c{number}"] == expected
                assert mirror(tenant, f"c{number}")["first_name"] == expected[-1]
            assert {said for found in statuses(tenant).values() for said in found} == {"succeeded"}
            assert sum(execution.size for execution in executions(tenant)) == RECORDS * CHANGES

    def test_the_database_comes_back(self, acme, monkeypatch: Any):
        from django.db import connection

        from triggers import runner

        monkeypatch.setattr(runner, "RECONNECT_SECONDS", 5.0)
        put(acme, "c1")

        def cut(job: Job) -> RunResult:
            if len(runs.jobs) == 1:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    (pid,) = cursor.fetchone()
                killer = threading.Thread(target=terminate, args=(pid,))
                killer.start()
                killer.join()
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            return scoring(job)

        runs = Runs(cut)
        supervisor(runs).serve(seconds=10)

        assert statuses(acme) == {"c1": ["succeeded"]}
        (execution,) = executions()
        assert (execution.attempts, execution.losses) == (2, 1)


def terminate(pid: int) -> None:
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 2000)", [pid])
    finally:
        connections.close_all()
