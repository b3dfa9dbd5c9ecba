"""The zygote: started with nothing to hide, replaced when it dies, reloaded when its scripts change."""

from __future__ import annotations

import os
import threading
from contextlib import closing

import pytest

from governor.broker import run
from governor.jail.supervisor import JailBroken, Zygote, clean_environment
from tests.governor.conftest import SCRIPTS, make_job

HANDLER = """
from circuitos import CircuitLog, CircuitTrigger, trigger


class Greets(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def greet(self, context):
        CircuitLog.info("{word}")
"""


def greeting(tenant, zygote):
    result = run(make_job(tenant, "greets.Greets.greet"), zygote=zygote, heartbeat=lambda: True)
    assert result.error is None, result.error
    return result.entries[0]["message"]


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my scripts"
    path.mkdir()
    (path / "greets.py").write_text(HANDLER.format(word="hello"))
    return path


class TestZygote:
    def test_changed_scripts_run_after_a_reload(self, acme, folder):
        with closing(Zygote([folder])) as zygote:
            before = greeting(acme, zygote)
            (folder / "greets.py").write_text(HANDLER.format(word="howdy"))
            unchanged = greeting(acme, zygote)
            zygote.reload()
            after = greeting(acme, zygote)

        assert (before, unchanged, after) == ("hello", "hello", "howdy")

    def test_a_script_that_does_not_load_is_told(self, acme, folder):
        (folder / "greets.py").write_text("import nothing_of_that_name")

        with closing(Zygote([folder])) as zygote, pytest.raises(JailBroken, match="nothing_of_that_name"):
            zygote.fork()

    def test_a_thread_started_at_import_is_refused(self, acme, folder):
        (folder / "threads.py").write_text(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
        )

        with closing(Zygote([folder])) as zygote, pytest.raises(JailBroken, match="thread"):
            zygote.fork()

    def test_it_starts_beside_other_threads_and_files(self, acme, folder, tmp_path):
        done = threading.Event()
        thread = threading.Thread(target=done.wait)
        thread.start()
        with (tmp_path / "held").open("w"), closing(Zygote([folder])) as zygote:
            assert greeting(acme, zygote) == "hello"
            held = os.listdir(f"/proc/{zygote.pid}/fd")
        done.set()
        thread.join()

        # 0, 1, 2, the control socket, its page, the pipe for a runner's place, what it reads about itself.
        assert len(held) <= 9

    def test_basic_mode_is_said_loudly_and_still_limits(self, acme, caplog):
        with closing(Zygote([SCRIPTS], mode="basic")) as zygote:
            job = make_job(acme, "hostile.Loops.in_c", limits={"wall_ms": 200})
            result = run(job, zygote=zygote, heartbeat=lambda: True)

        assert result.error.limit == "wall_ms"
        assert not zygote.is_strict
        assert "weaker" in caplog.text

    def test_strict_has_every_wall_here(self, zygote):
        zygote.start()

        assert (zygote.is_strict, zygote.missing) == (True, ())

    def test_it_sees_none_of_our_environment(self, zygote):
        zygote.start()

        with open(f"/proc/{zygote.pid}/environ", "rb") as file:
            names = {pair.partition(b"=")[0].decode() for pair in file.read().split(b"\0") if pair}
        assert names == set(clean_environment())

    def test_it_dies_with_its_supervisor(self, folder):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            zygote = Zygote([folder])
            zygote.start()
            os.write(writer, str(zygote.pid).encode())
            os._exit(0)
        os.close(writer)
        pid = int(os.read(reader, 20))
        os.close(reader)
        os.waitpid(child, 0)

        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        with os.fdopen(pidfd):
            import select

            assert select.select([pidfd], [], [], 10)[0]

    def test_each_execution_starts_clean(self, acme, folder):
        (folder / "greets.py").write_text(
            HANDLER.format(word="{word}")
            .replace('CircuitLog.info("{word}")', "Greets.seen += 1; CircuitLog.info(str(Greets.seen))")
            .replace("    @trigger", "    seen = 0\n\n    @trigger")
        )

        with closing(Zygote([folder])) as zygote:
            assert [greeting(acme, zygote) for _ in range(3)] == ["1", "1", "1"]
