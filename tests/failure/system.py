"""A whole installation of its own: PostgreSQL, Valkey, web, worker and beat, to be killed piece by piece."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psycopg2

from circuitos.env import BASE_DIR
from circuitos.local import programs
from circuitos.local.deliver import Results, Signer, deliver
from circuitos.local.process import Process
from circuitos.local.testing import Servers, start_servers
from triggers import reconcile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# Adds one to `runs` of each record, so that a record run twice in effect shows. A record of the state
# "slow" takes a while.
SCRIPT = '''
"""Counts the runs of each contact."""
import time
from circuitos import CircuitDB, CircuitTrigger, trigger


class Counting(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def count(self, context):
        known = CircuitDB.get("Contact", [record.id for record in context.new_records])
        if any(record.state == "slow" for record in context.new_records):
            time.sleep(1.5)
        CircuitDB.update("Contact", [
            {"id": record.id, "runs": (known.get(record.id, {}).get("runs") or 0) + 1}
            for record in context.new_records
        ])
'''
MAKE_DEMO = "import django; django.setup(); from circuitos.local import demo; demo.create()"
LIVE = ("queued", "running")
SELF_TEST_SECONDS = 0.8  # longer than any one of its runners lives


class System:
    """Everything, started and stopped by hand."""

    def __init__(self, folder: Path, *, ground: System | None = None, **environ: str) -> None:
        """``ground`` is a halted one whose database and demo this one starts with."""
        self.folder = folder
        self.scripts = folder / "scripts"
        self.scripts.mkdir()
        (self.scripts / "counting.py").write_text(SCRIPT)
        # What was acknowledged must be there after a crash of the server too.
        self.servers: Servers = start_servers(
            settings={"synchronous_commit": "on"}, template=ground.servers if ground else None
        )
        # The demo's addresses name it.
        self.port = ground.port if ground else _free_port()
        self.environ = {
            **os.environ,
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CIRCUITOS_HOME": str(folder / "home"),
            "CIRCUITOS_SCRIPTS": str(self.scripts),
            "DJANGO_SETTINGS_MODULE": "circuitos.settings",
            "DEBUG": "1",
            "PORT": str(self.port),
            **environ,
        }
        self.processes: dict[str, Process] = {}
        home = folder / "home"
        if ground:
            shutil.copytree(ground.folder / "home", home)
        else:
            home.mkdir()
            self.python("-W", "ignore", str(BASE_DIR / "manage.py"), "migrate_schemas", "--shared")
            self.python("-c", MAKE_DEMO)
        self.demo = json.loads((home / "demo.json").read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for name in list(self.processes):
            self.stop(name)
        self.servers.stop()

    def python(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environ,
            cwd=BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    # --- processes ---

    def start(self, *names: str, concurrency: int = 2) -> None:
        for name in names:
            kind = name.rstrip("0123456789")
            program = {
                "web": lambda: programs.web(self.environ, host="127.0.0.1", port=self.port),
                "worker": lambda: programs.worker(self.environ, concurrency=concurrency),
                "beat": lambda: programs.beat(self.environ),
            }[kind]()
            process = Process(program, log=self.folder / f"{name}.log")
            process.start_alone()
            self.processes[name] = process
        if "web" in names:
            self.wait(self._is_up, "web answers")

    def stop(self, name: str) -> None:
        self.processes.pop(name).end()

    def kill(self, name: str) -> None:
        """SIGKILL to a process and all of its group."""
        process = self.processes.pop(name)
        process.send(signal.SIGKILL, to_group=True)
        assert process.run is not None
        process.run.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def zygotes(self) -> list[int]:
        return [
            pid
            for pid in descendants(self.processes["worker"].pid)
            if b"governor.jail.zygote" in cmdline(pid) and b"governor.jail.zygote" not in cmdline(parent(pid))
        ]

    def runners(self) -> list[int]:
        """Those of scripts that take a while; the jail's test of itself starts many that do not."""
        found = (pid for zygote in self.zygotes() for pid in descendants(zygote))
        return [pid for pid in found if age(pid) > SELF_TEST_SECONDS]

    def supervisors(self) -> list[int]:
        """The worker's children that have a zygote."""
        return [parent(zygote) for zygote in self.zygotes()]

    # --- webhooks ---

    def contacts(self, ids: Iterable[str], *, state: str = "", **fields: Any) -> list[bytes]:
        hook = self.demo["tenants"][0]["hooks"]["gohighlevel"]
        return [
            json.dumps(
                {
                    "type": "ContactCreate",
                    "locationId": hook["location_id"],
                    "webhookId": f"wh-{contact}",
                    "id": contact,
                    "firstName": "Ada",
                    "email": f"{contact}@example.test",
                    "state": state,
                    "timestamp": "2026-03-02T12:00:00Z",
                    **fields,
                }
            ).encode()
            for contact in ids
        ]

    def send(self, bodies: Sequence[bytes], *, concurrency: int = 4, rate: float | None = None) -> Results:
        signer = Signer(self.demo["tenants"][0]["hooks"]["gohighlevel"])
        return deliver(signer, bodies, concurrency=concurrency, rate=rate)

    def send_all(self, bodies: Sequence[bytes], **options: Any) -> None:
        results = self.send(bodies, **options)
        assert set(results.outcomes) <= {"accepted", "duplicate"}, results.outcomes

    # --- what became of it ---

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.servers.database_url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall()
        finally:
            connection.close()

    def statuses(self) -> dict[str, int]:
        return dict(self.query("SELECT status, count(*) FROM triggers_event GROUP BY status"))

    def runs(self) -> dict[str, int]:
        """How often each contact was run, in effect."""
        rows = self.query(
            "SELECT external_id, (data->>'runs')::int FROM t_demo.records_record WHERE object = 'Contact'"
        )
        return {record_id: runs or 0 for record_id, runs in rows}

    def wait(self, is_so: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until:
                logs = "\n".join(f"--- {name}\n{self.log(name)[-3000:]}" for name in self.processes)
                raise AssertionError(f"Not within {seconds} s: {what}. {self._state()}\n{logs}")
            time.sleep(0.05)

    def wait_until_done(self, events: int, *, seconds: float = 90) -> None:
        def is_done() -> bool:
            statuses = self.statuses()
            return sum(statuses.values()) >= events and not any(statuses.get(status) for status in LIVE)

        self.wait(is_done, f"{events} events are done", seconds=seconds)

    def wait_until_running(self) -> None:
        self.wait(lambda: bool(self.runners()), "a runner runs")

    def assert_each_ran_once(self, ids: Iterable[str]) -> None:
        expected = dict.fromkeys(ids, 1)
        assert self.runs() == expected
        assert self.statuses() == {"succeeded": len(expected)}
        self.assert_counted()

    def assert_counted(self) -> None:
        """The counters of usage are the ledger's, and nothing is held any more."""
        connection = psycopg2.connect(self.servers.database_url)
        try:
            with connection.cursor() as cursor:
                assert reconcile.differences(cursor, since=date(2000, 1, 1)) == []
                assert reconcile.uncharged(cursor, since=date(2000, 1, 1)) == []
                cursor.execute("SELECT sum(held_executions), sum(executions) FROM governor_usage")
                held, counted = cursor.fetchone()
        finally:
            connection.close()
        assert held == 0
        assert counted > 0

    def _state(self) -> Any:
        try:
            return self.statuses(), self.query(
                "SELECT trigger, status, attempts, losses, error_code, size FROM triggers_execution"
            )
        except psycopg2.Error as error:
            return error

    def _is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def shuffled(bodies: Sequence[bytes], *, times: int) -> list[bytes]:
    """Every body so many times, in a random order."""
    found = list(bodies) * times
    random.shuffle(found)
    return found


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (number := parent(int(entry.name))):
            children.setdefault(number, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in children.get(queue.pop(), ()):
            found.append(child)
            queue.append(child)
    return found


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def age(pid: int) -> float:
    """Seconds since the process began; 0 when it has ended."""
    try:
        began = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")


def cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
