"""The embedded PostgreSQL: any path, any user, and after any end."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
import pytest

from circuitos.local import home as homes
from circuitos.local import postgres as module
from circuitos.local.home import LocalError
from circuitos.local.postgres import Postgres
from circuitos.local.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = {"fsync": "off"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with spaces in its address, in a folder that only we may enter."""
    private = tmp_path / "a private folder"
    private.mkdir(mode=0o700)
    return homes.prepare(private / "home of circuits")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def run() -> Iterator[Callable[[Postgres], Process]]:
    """``run(postgres)`` starts a server and waits until it takes connections."""
    processes: list[Process] = []

    def start(server: Postgres, said: list[str] | None = None) -> Process:
        server.prepare(tell=(said if said is not None else []).append)
        process = Process(server.program(), log=server.home / "logs" / "postgres.log")
        process.start_alone()
        processes.append(process)
        deadline = time.monotonic() + 30
        while not server.is_ready():
            assert process.is_running(), process.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield start
    for process in processes:
        process.end()


def ask(server: Postgres, query: str) -> object:
    line = psycopg2.connect(server.url)
    try:
        line.autocommit = True
        with line.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        line.close()


class TestServer:
    def test_runs_in_a_private_path_with_spaces_for_a_plain_role(self, home, run):
        server = Postgres(home, password="it's a %word/", settings=QUICK)
        run(server)

        assert (
            ask(server, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
            is False
        )
        ask(server, "CREATE SCHEMA t_one")
        assert ask(server, "SELECT lower('ÄRA')") == "ära"
        assert home.stat().st_mode & 0o077 == 0
        assert home.parent.stat().st_mode & 0o077 == 0

    def test_takes_nobody_else_in(self, home, run):
        server = Postgres(home, password="right", settings=QUICK)
        run(server)

        for role, password in (("postgres", ""), ("circuitos", "wrong")):
            address = f"postgres://{role}:{password}@/postgres?host={server.sockets}"
            with pytest.raises(psycopg2.OperationalError):
                psycopg2.connect(address)

    def test_is_durable_unless_told_otherwise(self, home, run):
        server = Postgres(home, password="x")
        run(server)

        assert ask(server, "SHOW fsync") == "on"
        assert ask(server, "SHOW synchronous_commit") == "on"

    def test_keeps_its_data_when_it_is_killed(self, home, run):
        server = Postgres(home, password="x", settings=QUICK)
        process = run(server)
        ask(server, "CREATE TABLE kept (n int)")
        process.send(signal.SIGKILL)
        process.run.wait()

        said: list[str] = []
        again = Postgres(home, password="x", settings=QUICK)
        run(again, said)

        assert ask(again, "SELECT count(*) FROM kept") == 0
        assert said == ["PostgreSQL was not stopped in order last time; it repairs itself as it starts."]

    def test_stops_the_server_an_earlier_run_left_behind(self, home, run):
        server = Postgres(home, password="x", settings=QUICK)
        left = run(server)

        said: list[str] = []
        again = Postgres(home, password="x", settings=QUICK)
        run(again, said)

        assert said == ["The PostgreSQL of an earlier run is still there; stopping it first …"]
        assert not left.is_running()
        assert ask(again, "SELECT 1") == 1

    def test_a_pid_file_that_names_some_other_process_is_no_obstacle(self, home, run):
        server = Postgres(home, password="x", settings=QUICK)
        run(server).end()
        (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")

        again = Postgres(home, password="x", settings=QUICK)
        run(again)

        assert ask(again, "SELECT 1") == 1

    def test_starts_over_when_making_the_database_was_cut_short(self, home, run):
        (home / "postgres.new").mkdir()
        (home / "postgres.new" / "PG_VERSION").write_text("18\n")

        said: list[str] = []
        server = Postgres(home, password="x", settings=QUICK)
        run(server, said)

        assert said == ["An earlier run stopped while it made the database; starting over."]
        assert ask(server, "SELECT 1") == 1

    def test_data_of_a_version_we_lack_is_told_and_left_alone(self, home):
        (home / "postgres").mkdir()
        (home / "postgres" / "PG_VERSION").write_text("12\n")

        with pytest.raises(LocalError, match="made by PostgreSQL 12"):
            Postgres(home, password="x").prepare(tell=lambda sentence: None)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
    def test_runs_as_a_system_user_where_namespaces_are_denied(self, open_folder, run):
        home = homes.prepare(open_folder / "home")
        server = Postgres(home, password="x", settings=QUICK, user="nobody")
        try:
            server.binaries = module.find_binaries(server.data)
            server._run("postgres", "--version")
        except LocalError:
            pytest.skip("nobody cannot read the environment's folder here")

        run(server)

        assert ask(server, "SELECT 1") == 1
        assert server.data.stat().st_uid != 0


def test_the_oldest_installation_that_made_the_data_is_used(home):
    (home / "postgres").mkdir()
    (home / "postgres" / "PG_VERSION").write_text("16\n")

    assert module.version_of(module.find_binaries(home / "postgres").parent) == 16
