"""Scripts that misbehave are contained, explained, and harm no one."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest


def kill_when_it_runs(zygote, *, whom):
    """Kill the runner or the zygote from a thread, as soon as a runner has used CPU or 100 ms have passed."""

    def watch():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            children = Path(f"/proc/{zygote.pid}/task/{zygote.pid}/children").read_text().split()
            if children:
                time.sleep(0.05)
                os.kill(int(children[0]) if whom == "runner" else zygote.pid, signal.SIGKILL)
                return
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


class TestTime:
    @pytest.mark.parametrize("handler", ["in_c", "sleeping", "deaf", "in_threads"])
    def test_the_wall_limit_ends_whatever_it_does(self, execute, handler):
        result = execute(f"hostile.Loops.{handler}", limits={"wall_ms": 300})

        assert result.error.code == "governor.limit-exceeded"
        assert result.error.limit == "wall_ms"
        assert 300 <= result.error.used <= 550
        assert result.error.max == 300

    @pytest.mark.parametrize("handler", ["in_c", "in_threads"])
    def test_the_cpu_limit_ends_what_computes(self, execute, handler):
        result = execute(f"hostile.Loops.{handler}", limits={"cpu_ms": 300})

        assert result.error.limit == "cpu_ms"
        assert 300 <= result.error.used <= 1300

    def test_who_swallows_every_exception_is_killed_soon(self, execute):
        result = execute("hostile.Loops.stubborn", limits={"record_queries": 3})

        assert result.error.limit == "record_queries"
        assert result.error.at.startswith("tests/governor/scripts/hostile.py:")
        assert result.wall_ms < 5_000


class TestMemory:
    @pytest.mark.parametrize("handler", ["at_once", "swallowed", "shared"])
    def test_more_than_allowed_is_the_memory_limit(self, execute, handler):
        result = execute(f"hostile.Memory.{handler}", limits={"wall_ms": 3_000, "memory_mb": 64})

        assert result.error.limit == "memory_mb"
        assert result.memory_mb <= 64 * 1.2


class TestEscapes:
    def test_none_succeeds(self, execute):
        result = execute("hostile.Escapes.tries")

        assert result.error is None, result.error
        escaped = [entry["message"] for entry in result.entries if entry["data"] == "escaped"]
        assert escaped == []
        assert len(result.entries) >= 25

    def test_the_environment_is_empty_of_secrets(self, execute):
        result = execute("hostile.Escapes.environment")

        assert set(result.entries[0]["data"]) == {"PATH", "LANG", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"}

    def test_it_holds_no_file_but_its_socket_and_the_pipe_for_its_place(self, execute):
        result = execute("hostile.Escapes.files")

        assert result.entries[0]["data"] == [0, 1, 2, 3, 4]

    def test_more_threads_than_the_jail_allows_end_the_run(self, execute):
        result = execute("hostile.Escapes.thread_bomb")

        assert result.error.code == "governor.too-many-threads"
        assert not result.error.is_retryable

    def test_threads_work(self, execute):
        assert execute("hostile.Escapes.threads").error is None


class TestLies:
    @pytest.mark.parametrize("handler", ["garbage", "huge_frame", "forged"])
    def test_what_is_no_message_ends_the_run(self, execute, handler):
        result = execute(f"hostile.Liars.{handler}")

        assert result.error.code == "governor.bad-wire"
        assert not result.error.is_retryable

    def test_threads_that_talk_on_do_not_spoil_the_report(self, execute):
        for _ in range(5):
            result = execute("hostile.Liars.chatters_on", limits={"wall_ms": 5_000})

            assert result.error is None, result.error

    def test_half_a_frame_is_a_dead_runner(self, execute):
        result = execute("hostile.Liars.half_a_frame")

        assert result.error.code == "governor.runner-died"

    def test_nonsense_is_refused_with_codes(self, execute):
        result = execute("hostile.Liars.nonsense")

        assert result.error is None
        codes = [entry["data"] for entry in result.entries]
        assert codes[:12] == [
            "script.unknown-request",
            "script.bad-request",
            "tenants.unknown-lookup",
            "script.bad-request",
            "script.bad-request",
            "script.bad-request",
            "script.bad-request",
            "script.bad-request",
            "governor.egress-refused",
            "governor.unknown-source",
            "script.bad-request",
            "script.bad-request",
        ]
        assert len(codes) == 17  # the rest is odd and harmless: refused or done, and the run goes on

    def test_a_hundred_megabytes_on_stdout_do_no_harm(self, execute):
        result = execute("hostile.Liars.shouts")

        assert result.error is None
        assert sum(len(entry["message"]) for entry in result.entries) < 1_000_000

    def test_more_log_lines_than_allowed_keep_head_and_tail(self, execute):
        result = execute("hostile.Liars.chatters", limits={"log_lines": 100})

        messages = [entry["message"] for entry in result.entries]
        assert messages[0] == "0"
        assert messages[-1] == "4999"
        assert "4900 log lines dropped here." in messages
        assert result.usage["log_lines"] == [5000, 100]


class TestDeath:
    def test_leaving_is_the_scripts_own_fault(self, execute):
        result = execute("hostile.Liars.leaves")

        assert result.error.code == "governor.runner-died"
        assert "exit status 7" in result.error.detail
        assert not result.error.is_retryable

    def test_a_crash_names_its_signal(self, execute):
        result = execute("hostile.Liars.crashes")

        assert result.error.code == "governor.runner-died"
        assert "SIGSEGV" in result.error.detail
        assert not result.error.is_retryable

    @pytest.mark.parametrize(("handler", "type_"), [("exits", "SystemExit"), ("raises", "ValueError")])
    def test_an_exception_is_told_with_its_place(self, execute, handler, type_):
        result = execute(f"hostile.Liars.{handler}")

        assert result.error.code == "script.raised"
        assert result.error.type == type_
        assert result.error.at.startswith("tests/governor/scripts/hostile.py:")

    def test_a_swallowed_limit_stays_exceeded(self, execute):
        result = execute("hostile.Liars.swallows", limits={"record_queries": 2})

        assert result.error.limit == "record_queries"
        assert (result.error.used, result.error.max) == (3, 2)
        assert result.changes == []

    def test_a_killed_runner_can_be_tried_again(self, execute, zygote):
        zygote.start()
        killer = kill_when_it_runs(zygote, whom="runner")

        result = execute("hostile.Loops.sleeping", limits={"wall_ms": 10_000})
        killer.join()

        assert result.error.code == "governor.runner-died"
        assert result.error.is_retryable

    def test_a_killed_zygote_takes_its_runner_along_and_is_replaced(self, execute, zygote):
        zygote.start()
        killer = kill_when_it_runs(zygote, whom="zygote")

        result = execute("hostile.Loops.sleeping", limits={"wall_ms": 10_000})
        killer.join()

        assert result.error.code == "governor.runner-died"
        assert result.error.is_retryable
        assert execute("plain.PlainTrigger.nothing").error is None

    def test_a_lost_lease_kills_the_runner(self, execute, monkeypatch):
        monkeypatch.setattr("governor.broker.HEARTBEAT_SECONDS", 0.05)

        result = execute("hostile.Loops.sleeping", heartbeat=lambda: False)

        assert result.error.code == "triggers.lease-lost"
        assert result.error.is_retryable
