"""Processes die at the worst moment: every acknowledged event is run exactly once in effect, none is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.failure.system import System, shuffled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.failure, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An installation with its demo, on which nothing runs: each test starts with a copy."""
    with System(tmp_path_factory.mktemp("ground")) as ground:
        ground.servers.halt()
        yield ground


@pytest.fixture
def system(tmp_path: Path, ground: System) -> Iterator[System]:
    with System(tmp_path, ground=ground) as system:
        yield system


def ids(count: int) -> list[str]:
    return [f"contact-{number}" for number in range(count)]


class TestKilled:
    def test_worker_child_in_the_middle_of_a_batch(self, system):
        system.start("web", "worker", "beat")
        system.send_all(system.contacts(ids(30), state="slow"))
        system.wait_until_running()

        for pid in system.supervisors():
            os.kill(pid, signal.SIGKILL)

        system.wait_until_done(30)
        system.assert_each_ran_once(ids(30))
        assert system.query("SELECT max(losses) FROM triggers_execution")[0][0] >= 1

    def test_the_whole_worker_and_another_takes_over(self, system):
        system.start("web", "worker", "beat")
        system.send_all(system.contacts(ids(30), state="slow"))
        system.wait_until_running()

        system.kill("worker")
        system.start("worker")

        system.wait_until_done(30)
        system.assert_each_ran_once(ids(30))

    def test_runner(self, system):
        system.start("web", "worker", "beat")
        system.send_all(system.contacts(ids(10), state="slow"))
        system.wait_until_running()

        def kills_one() -> bool:
            killed = 0
            for pid in system.runners():
                with suppress(ProcessLookupError):  # it may end between being listed and being killed
                    os.kill(pid, signal.SIGKILL)
                    killed += 1
            return killed > 0

        system.wait(kills_one, "a runner is killed")
        system.wait_until_done(10)
        system.assert_each_ran_once(ids(10))

    def test_zygote(self, system):
        system.start("web", "worker", "beat")
        system.send_all(system.contacts(ids(10), state="slow"))
        system.wait_until_running()

        for pid in system.zygotes():
            os.kill(pid, signal.SIGKILL)

        system.wait_until_done(10)
        system.send_all(system.contacts(["contact-after"]))
        system.wait_until_done(11)
        system.assert_each_ran_once([*ids(10), "contact-after"])


class TestValkey:
    def test_away_webhooks_are_accepted_and_run_when_it_is_back(self, system):
        system.start("web", "worker", "beat")
        valkey = system.servers.processes[1]
        valkey.end()

        started = time.monotonic()
        system.send_all(system.contacts(ids(20)))
        assert time.monotonic() - started < 5
        assert system.statuses() == {"queued": 20}

        valkey.start_alone()
        system.wait_until_done(20)
        system.assert_each_ran_once(ids(20))

    def test_flushed_with_bells_outstanding(self, system):
        system.start("web")
        system.send_all(system.contacts(ids(20)))
        valkey = system.servers.processes[1]
        valkey.end()
        valkey.start_alone()

        system.start("worker", "beat")

        system.wait_until_done(20)
        system.assert_each_ran_once(ids(20))


class TestPostgres:
    @pytest.mark.parametrize("manner", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
    def test_under_load(self, system, manner):
        system.start("web", "worker", "beat")
        acknowledged: list[str] = []
        is_over = threading.Event()

        def load(lane: int) -> None:
            for number in range(10_000):
                if is_over.is_set():
                    return
                contact = f"contact-{lane}-{number}"
                body = system.contacts([contact])
                # As a CRM does: refused, it sends again.
                while system.send(body, concurrency=1).answers[0].status not in {200, 202}:
                    time.sleep(0.2)
                acknowledged.append(contact)
                time.sleep(0.01)

        threads = [threading.Thread(target=load, args=(lane,)) for lane in range(3)]
        for thread in threads:
            thread.start()
        system.wait(lambda: len(acknowledged) > 60, "some load")
        postgres = system.servers.processes[0]
        postgres.send(manner)
        assert postgres.run is not None
        postgres.run.wait(30)
        before = len(acknowledged)
        postgres.start_alone()
        system.wait(lambda: len(acknowledged) > before + 60, "load again after the restart")
        is_over.set()
        for thread in threads:
            thread.join()

        system.wait_until_done(len(acknowledged))
        system.assert_each_ran_once(acknowledged)


class TestBeat:
    def test_doubled(self, system):
        system.start("web", "worker", "beat", "beat2")
        system.send_all(system.contacts(ids(60), state="slow"), rate=20)

        system.wait_until_done(60)
        system.assert_each_ran_once(ids(60))

    def test_absent(self, system):
        system.start("web", "worker")
        system.send_all(system.contacts(ids(60)), rate=60)

        system.wait_until_done(60)
        system.assert_each_ran_once(ids(60))


class TestDeliveries:
    def test_doubled_and_shuffled(self, system):
        system.start("web", "worker", "beat")
        system.send_all(shuffled(system.contacts(ids(100)), times=3), concurrency=8)

        system.wait_until_done(100)
        system.assert_each_ran_once(ids(100))
