"""`serve`: production in one container, on keys of its own, small."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from django.core.management import call_command

from circuitos.env import BASE_DIR
from tests.circuitos.test_local_up import free_port

KEY = "a:" + base64.b64encode(b"k" * 32).decode()


@pytest.mark.failure
@pytest.mark.timeout(300)
def test_serves_with_a_valkey_of_its_own_and_stops_when_told(child_environ):
    port = free_port()
    environ = {
        **child_environ,
        "ENVIRONMENT": "production",
        "DEBUG": "0",
        "SECRET_KEY": "s" * 50,
        "FIELD_ENCRYPTION_KEYS": KEY,
        "ALLOWED_HOSTS": "*",
        "PORT": str(port),
    }
    del environ["REDIS_URL"]
    process = subprocess.Popen(
        [sys.executable, str(BASE_DIR / "manage.py"), "serve", "--host", "127.0.0.1"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz", {"postgres", "redis", "worker", "beat", "jail"})
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=90)[0]

    assert process.returncode == 0, said
    assert "Traceback" not in said


def wait_for(address: str, parts: set[str]) -> None:
    deadline = time.monotonic() + 90
    seen: dict[str, str] = {}
    while any(seen.get(part) != "ok" for part in parts):
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                seen = json.load(answer)["parts"]
        except OSError:
            continue


@pytest.mark.parametrize("missing", ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "DATABASE_URL"])
def test_refuses_to_start_on_defaults(monkeypatch, capsys, missing):
    sound = {
        "SECRET_KEY": "s" * 50,
        "FIELD_ENCRYPTION_KEYS": KEY,
        "DATABASE_URL": "postgres://u@nowhere.test/x",
    }
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.delenv("DEBUG", raising=False)
    for name, value in sound.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(missing)

    with pytest.raises(SystemExit):
        call_command("serve")

    assert f"{missing} is not set" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["circuitos.wsgi", "circuitos.celery"])
def test_split_processes_refuse_as_well(target):
    environ = {name: value for name, value in os.environ.items() if name not in {"SECRET_KEY", "DEBUG"}}
    source = {
        "circuitos.wsgi": "import circuitos.wsgi",
        "circuitos.celery": "import circuitos.celery as ours; ours.signals.worker_init.send(None)",
    }

    done = subprocess.run(
        [sys.executable, "-c", source[target]],
        env={**environ, "ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "SECRET_KEY is not set" in done.stderr


def test_up_as_a_command_tells_what_is_wrong(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PORT", "none")

    with pytest.raises(SystemExit):
        call_command("up")

    assert capsys.readouterr().out.startswith("PORT is 'none'")
