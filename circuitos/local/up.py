"""`manage.py up`: the whole of CircuitOS on this machine, with a demo, until Ctrl-C.

Nothing here loads Django: the database's address is only known once its server runs, so migrations and
the demo are made by child processes.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from circuitos import env as environment
from circuitos.env import BASE_DIR
from circuitos.local import home as homes
from circuitos.local import programs
from circuitos.local.home import LocalError
from circuitos.local.postgres import Postgres
from circuitos.local.story import Story
from circuitos.local.supervise import Interrupted, Supervisor
from circuitos.local.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
WORKERS = 2
START_SECONDS = 60.0
DEMO_SCRIPTS = BASE_DIR / "examples" / "demo_scripts"


def main(arguments: Sequence[str]) -> int:
    """Run until asked to stop. Returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="manage.py up", description=__doc__)
    parser.add_argument("--tour", action="store_true", help="walk through the demo, step by step")
    parser.add_argument("--no-demo", action="store_true", help="start without demo tenants")
    options = parser.parse_args(arguments)
    try:
        settings = environment.read(os.environ)
        home = homes.prepare(settings.home)
        lock = homes.Lock(home)
        was_killed = lock.take(tell=say)
    except (environment.BadEnvironment, LocalError) as error:
        say(str(error))
        return 1
    up = None
    code = 0
    try:
        wait_for_port(settings.port, seconds=5.0 if was_killed else 0.0)
        up = Up(home=home, port=settings.port, lock=lock.handle, has_demo=not options.no_demo)
        up.start()
        up.show(is_tour=options.tour)
        up.watch()
    except Interrupted:
        say("\nStopping …")
    except LocalError as error:
        say(str(error))
        code = 1
    finally:
        if up is not None:
            homes.retract(home)
            up.supervisor.stop(programs.ORDER)
        lock.release()
    if code == 0:
        say("Stopped. Everything is kept; the next start takes seconds.")
    return code


class Up:
    """One run: its servers, its processes, its addresses."""

    def __init__(self, *, home: Path, port: int, lock: int, has_demo: bool) -> None:
        self.home = home
        self.port = port
        self.has_demo = has_demo
        self.base_url = f"http://{HOST}:{port}"
        self.supervisor = Supervisor(logs=home / "logs", lock=lock)
        self.story = Story(home, self.base_url, self.supervisor)
        self.is_first = False
        self.keys = homes.keys(home)
        self.environ = {
            **programs.default_environ(),
            "CIRCUITOS_HOME": str(home),
            "PORT": str(port),
            "DEBUG": os.environ.get("DEBUG") or "1",
            "CIRCUITOS_RELOAD": "1",  # the worker takes up scripts as they are saved
        }
        for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS"):
            self.environ[name] = os.environ.get(name) or self.keys[name]
        if has_demo:
            # The demo's scripts call this very server; nothing else private is opened.
            allowed = os.environ.get("EGRESS_ALLOW", "")
            self.environ["EGRESS_ALLOW"] = ",".join(filter(None, [allowed, f"{HOST}:{port}"]))
            own = os.environ.get("CIRCUITOS_SCRIPTS", "")
            self.environ["CIRCUITOS_SCRIPTS"] = os.pathsep.join(filter(None, [own, str(DEMO_SCRIPTS)]))

    def start(self) -> None:
        """Bring everything up, in the order it depends on each other. Raises ``LocalError``."""
        started = time.monotonic()
        say(f"CircuitOS starts on {self.home}")
        self._start_servers()
        self._prepare()
        homes.announce(self.home, self.environ)
        self.supervisor.start(programs.web(self.environ, host=HOST, port=self.port))
        self._wait("web", self.answers)
        self.is_first = self.has_demo and not self.story.is_told()
        if self.is_first:
            self.story.send()
        self.supervisor.start(programs.worker(self.environ, concurrency=WORKERS))
        self.supervisor.start(programs.beat(self.environ))
        if self.is_first:
            self.story.wait()
        say(f"Ready in {time.monotonic() - started:.1f} s.")

    def show(self, *, is_tour: bool) -> None:
        """Tell the demo's story and all addresses."""
        if self.has_demo:
            self.story.show(is_tour=is_tour, is_first=self.is_first)
        else:
            say(f"Admin {self.base_url}/admin/")
        say("Ctrl-C stops it.")

    def watch(self) -> None:
        """Pass lines on and restart what ends, until interrupted."""
        while True:
            self.supervisor.pump(60.0)

    def answers(self) -> bool:
        """Whether web takes requests."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/healthz", timeout=2.0):  # noqa: S310 - http, ours
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _start_servers(self) -> None:
        if not self.environ.get("DATABASE_URL"):
            postgres = Postgres(self.home, password=self.keys["POSTGRES_PASSWORD"])
            postgres.prepare(tell=say)
            self.supervisor.start(postgres.program())
            self._wait("postgres", postgres.is_ready)
            self.environ["DATABASE_URL"] = postgres.url
        if not self.environ.get("REDIS_URL"):
            valkey = Valkey(self.home)
            self.supervisor.start(valkey.program())
            self._wait("valkey", valkey.is_ready)
            self.environ["REDIS_URL"] = valkey.url

    def _wait(self, name: str, check: Callable[[], bool]) -> None:
        """Until ``check`` holds; a process that ends again and again meanwhile will not come up."""
        process = self.supervisor.processes[name]
        deadline = time.monotonic() + START_SECONDS
        while True:
            if check():
                return
            if process.starts > 2 or time.monotonic() > deadline:
                raise LocalError(
                    f"{name} does not start; its last lines stand above and in {self.home / 'logs'}."
                )
            self.supervisor.pump(0.05)

    def _prepare(self) -> None:
        """Migrate and make the demo, unless it was done for these very migrations and this database."""
        stamp = self.home / "prepared"
        wanted = prepared_mark(self.environ["DATABASE_URL"], has_demo=self.has_demo)
        is_embedded = "postgres" in self.supervisor.processes
        demo = self.home / "demo.json"
        if is_embedded and _read(stamp) == wanted and (demo.exists() or not self.has_demo):
            rebase(demo, self.base_url)
            return
        say("Preparing the database …")
        environ = {**self.environ, "CIRCUITOS_DEMO": "1" if self.has_demo else "0"}
        process = self.supervisor.run(programs.module("prepare", "circuitos.local.prepare", environ))
        if process.run is None or process.run.returncode:
            raise LocalError("The database could not be prepared; the reason stands above.")
        homes.write_private(stamp, wanted)


def wait_for_port(port: int, *, seconds: float) -> None:
    """Raise ``LocalError`` when something else listens there; a killed run's web may take a moment to end."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                if time.monotonic() > deadline:
                    raise LocalError(
                        f"Port {port} is taken by another program. Stop it, or set PORT to a free one, for"
                        f" example: make run PORT={port + 1}"
                    ) from None
            else:
                return
        time.sleep(0.1)


def prepared_mark(database_url: str, *, has_demo: bool) -> str:
    """What the database was prepared for: it changes with every new migration."""
    names = sorted(str(path.relative_to(BASE_DIR)) for path in BASE_DIR.glob("*/**/migrations/0*.py"))
    names += [(BASE_DIR / "requirements.lock").read_text(), database_url, str(has_demo)]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def rebase(demo: Path, base_url: str) -> None:
    """Bring the addresses in ``demo.json`` to this run's port."""
    with contextlib.suppress(FileNotFoundError):
        text = demo.read_text()
        old = json.loads(text)["base_url"]
        if old != base_url:
            port, new_port = old.rpartition(":")[2], base_url.rpartition(":")[2]
            text = text.replace(old, base_url).replace(f".localhost:{port}/", f".localhost:{new_port}/")
            homes.write_private(demo, text)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def say(sentence: str) -> None:
    """A line to whoever typed the command."""
    with contextlib.suppress(OSError):
        sys.stdout.write(sentence + "\n")
        sys.stdout.flush()
