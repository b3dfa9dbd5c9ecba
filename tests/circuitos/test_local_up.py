"""`up` as people use it: started, doubled, killed, started again, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from circuitos.env import BASE_DIR
from circuitos.local import up as module
from circuitos.local.home import LocalError


def free_port() -> int:
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        return line.getsockname()[1]


class Run:
    """One `manage.py up`."""

    def __init__(self, home: Path, port: int, *arguments: str) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "ENVIRONMENT"}
        }
        self.process = subprocess.Popen(
            [sys.executable, str(BASE_DIR / "manage.py"), "up", *arguments],
            env={**inherited, "CIRCUITOS_HOME": str(home), "PORT": str(port), "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        self.lines: list[str] = []

    def wait_for(self, text: str) -> None:
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError(f"{text!r} never came:\n{''.join(self.lines)}")

    def end(self) -> int:
        with self.process.stdout:
            self.lines += self.process.stdout.readlines()
        return self.process.wait(timeout=60)


def processes_of(home: Path) -> list[str]:
    """Command lines of processes that work for this home folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environ = (entry / "environ").read_bytes()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if command and (os.fsencode(f"CIRCUITOS_HOME={home}") in environ or os.fsencode(home) in command):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def get(document: dict, path: str) -> dict:
    request = urllib.request.Request(
        f"{document['base_url']}/api/v1/{path}", headers={"Authorization": f"Bearer {document['api_token']}"}
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


@pytest.mark.failure
@pytest.mark.timeout(600)
def test_up_from_nothing_to_killed_and_back(tmp_path):
    home, port = tmp_path / "a home with spaces", free_port()

    first = Run(home, port)
    first.wait_for("Ctrl-C stops it.")
    said = "".join(first.lines)
    demo = json.loads((home / "demo.json").read_text())
    story = json.loads((home / "story.json").read_text())
    executions = get(demo, "executions/")["results"]

    # The story was made by running: a hot lead, 199 of 200 orders, the 51st call, a fault kept for replay.
    assert [tenant["slug"] for tenant in demo["tenants"]] == ["demo", "globex"]
    assert (home / "demo.json").stat().st_mode & 0o077 == 0
    by_trigger = {execution["trigger"]: execution for execution in executions}
    assert by_trigger["ContactTrigger.score_new_leads"]["status"] == "succeeded"
    assert by_trigger["OrderTrigger.mark_big_orders"]["ok"] == 199
    assert by_trigger["SurveyTrigger.look_up_each_answer"]["limit"] == "api_calls"
    assert by_trigger["RefundTrigger.work_out_share"]["status"] == "failed"
    assert len(story) == 5
    assert "Maria Alvarez scored" in said
    assert all(f"{demo['base_url']}{step['page']}" in said for step in story)
    assert demo["admin"]["password"] in said

    # A second one is told so, on the same home and on the same port.
    again = Run(home, free_port())
    assert again.end() == 1
    assert f"already runs on {home} (process {first.process.pid})" in again.lines[-1]
    other = Run(tmp_path / "other", port)
    assert other.end() == 1
    assert f"Port {port} is taken" in other.lines[-1]

    # Stopped, it leaves nobody behind.
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 0
    assert first.lines[-1].startswith("Stopped.")
    assert processes_of(home) == []

    # The data is kept, a new port is told everywhere, and the tour shows each trace.
    port = free_port()
    second = Run(home, port, "--tour")
    second.wait_for("Ctrl-C stops it.")
    moved = json.loads((home / "demo.json").read_text())
    assert moved["base_url"] == f"http://127.0.0.1:{port}"
    assert moved["api_token"] == demo["api_token"]
    assert {execution["id"] for execution in executions} <= {
        execution["id"] for execution in get(moved, "executions/")["results"]
    }
    toured = "".join(second.lines)
    assert all(step["execution"] in toured for step in story)
    assert "Preparing the database" not in toured

    # Killed, it leaves nobody behind either, and the next one starts over the same data.
    second.process.kill()
    second.end()
    third = Run(home, port)
    third.wait_for("Ctrl-C stops it.")
    assert get(moved, f"executions/{executions[0]['id']}/")["id"] == executions[0]["id"]
    third.process.send_signal(signal.SIGTERM)
    assert third.end() == 0
    wait_for_nobody(home)


def wait_for_nobody(home: Path) -> None:
    deadline = time.monotonic() + 40
    while left := processes_of(home):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.failure
@pytest.mark.timeout(300)
def test_a_killed_up_takes_its_processes_along(tmp_path):
    home = tmp_path / "home"
    run = Run(home, free_port(), "--no-demo")
    run.wait_for("Ctrl-C stops it.")
    assert processes_of(home)

    run.process.kill()
    run.end()

    wait_for_nobody(home)


class TestPort:
    def test_a_taken_port_is_told_with_a_way_out(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]

            with pytest.raises(LocalError, match=rf"Port {port} is taken .* PORT={port + 1}"):
                module.wait_for_port(port, seconds=0)

    def test_a_free_port_is_left_free(self):
        port = free_port()

        module.wait_for_port(port, seconds=0)
        module.wait_for_port(port, seconds=0)


class TestRebase:
    def test_moves_every_address_to_the_new_port(self, tmp_path):
        demo = tmp_path / "demo.json"
        old = {
            "base_url": "http://127.0.0.1:8000",
            "admin": {"url": "http://127.0.0.1:8000/admin/"},
            "tenants": [{"portal": {"url": "http://demo.localhost:8000/"}}],
        }
        demo.write_text(json.dumps(old))

        module.rebase(demo, "http://127.0.0.1:9000")

        text = demo.read_text()
        assert "8000" not in text
        assert json.loads(text)["tenants"][0]["portal"]["url"] == "http://demo.localhost:9000/"

    def test_nothing_to_move_is_no_fault(self, tmp_path):
        module.rebase(tmp_path / "demo.json", "http://127.0.0.1:9000")


def test_the_database_is_prepared_again_for_other_migrations_or_another_database():
    mark = module.prepared_mark("postgres://a", has_demo=True)

    assert mark == module.prepared_mark("postgres://a", has_demo=True)
    assert mark != module.prepared_mark("postgres://b", has_demo=True)
    assert mark != module.prepared_mark("postgres://a", has_demo=False)


@pytest.mark.parametrize("variable", ["PORT", "JAIL", "DATABASE_URL"])
def test_a_wrong_value_stops_the_start_with_its_name(tmp_path, variable):
    environ = {**os.environ, "CIRCUITOS_HOME": str(tmp_path), variable: "nonsense://"}

    done = subprocess.run(
        [sys.executable, str(BASE_DIR / "manage.py"), "up"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout.startswith(variable)
    assert "Traceback" not in done.stdout + done.stderr
