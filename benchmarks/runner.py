"""Governed records a second, claim to settle, against one Celery task a record; and what one execution costs.

Both work through a full backlog with the same Celery worker settings on the same PostgreSQL and Valkey.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuitos.local.testing import start_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
# What the database promises here is what it promises in production.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
TENANTS = 4
SCRIPTS = {
    "trivial": "pass",
    "updating": (
        "CircuitDB.update('Contact', [{'id': record.id, 'score': 7} for record in context.new_records])"
    ),
}
SCRIPT = '''
"""A trigger that does next to nothing."""
from circuitos import CircuitDB, CircuitTrigger, trigger


class Bench(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def handle(self, context):
        {body}
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=12_000)
    parser.add_argument("--baseline-records", type=int, default=3_000)
    parser.add_argument("--children", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, body in SCRIPTS.items():
            scripts = Path(folder, name)
            scripts.mkdir()
            (scripts / "bench.py").write_text(SCRIPT.format(body=body))
        rounds = [_round(Path(folder), wanted) for _ in range(wanted.rounds)]
    # The machine may have been busier in one round than in another; within a round it is one machine.
    ratios = {
        name: statistics.median(told[name]["per_second"] / told["baseline"]["per_second"] for told in rounds)
        for name in SCRIPTS
    }
    if wanted.json:
        json.dump({"rounds": rounds, "ratios": ratios}, sys.stdout, indent=1)
        return

    def median(name: str, figure: str) -> float:
        return statistics.median(told[name][figure] for told in rounds)

    print(f"one Celery task a record            {median('baseline', 'per_second'):8,.0f} records/s")
    for name in SCRIPTS:
        print(
            f"governed, {name:9} trigger         {median(name, 'per_second'):8,.0f} records/s"
            f"   {ratios[name]:.1f} x   (at least 5, aim 12)\n"
            f"  one record, claim to settle       {median(name, 'one_ms'):8.1f} ms   (under 25, aim 10)\n"
            f"  of which outside the jail         {median(name, 'one_outside_ms'):8.1f} ms\n"
            f"  200 records, claim to settle      {median(name, 'batch_ms'):8.1f} ms\n"
            f"  of which outside the jail         {median(name, 'batch_outside_ms'):8.1f} ms"
        )


def _round(folder: Path, wanted: argparse.Namespace) -> dict[str, Any]:
    told = {
        "baseline": with_servers(
            folder, lambda environ: _baseline(environ, wanted.baseline_records, wanted.children)
        )
    }
    for name in SCRIPTS:

        def ours(environ: Mapping[str, str], scripts: Path = folder / name) -> dict[str, Any]:
            return _ours(environ, scripts, wanted.records, wanted.children)

        told[name] = with_servers(folder, ours)
    return told


def with_servers(folder: Path, measure: Callable[[Mapping[str, str]], dict[str, Any]]) -> dict[str, Any]:
    with start_servers(settings=DURABLE) as servers:
        return measure(
            {
                **os.environ,
                "DEBUG": "1",
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
                "CIRCUITOS_HOME": str(folder),
                "PYTHONWARNINGS": "ignore",
            }
        )


def _baseline(environ: Mapping[str, str], records: int, children: int) -> dict[str, Any]:
    environ = {**environ, "DJANGO_SETTINGS_MODULE": "benchmarks.task_per_record.settings"}
    run_module(environ, "benchmarks.runner_steps", "fill-baseline", str(records))
    with _Worker("benchmarks.task_per_record.tasks", environ, children):
        return _wait(environ, "wait-baseline", records)


def _ours(environ: Mapping[str, str], scripts: Path, records: int, children: int) -> dict[str, Any]:
    environ = {
        **environ,
        "DJANGO_SETTINGS_MODULE": "circuitos.settings",
        "CIRCUITOS_SCRIPTS": str(scripts),
    }
    run_module(environ, "manage", "migrate_schemas", "--shared")
    told = json.loads(run_module(environ, "benchmarks.runner_steps", "measure-steps"))
    run_module(environ, "benchmarks.runner_steps", "fill", str(records), str(TENANTS))
    with _Worker("circuitos.celery", environ, children):
        run_module(environ, "benchmarks.runner_steps", "ring")
        return told | _wait(environ, "wait", records)


class _Worker:
    """A Celery prefork worker, the same for both."""

    def __init__(self, app: str, environ: Mapping[str, str], children: int) -> None:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-q",
            "-A",
            app,
            "worker",
            "-P",
            "prefork",
            "-c",
            str(children),
        ]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]
        self._command, self._environ = command, environ

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, env=self._environ, cwd=ROOT, start_new_session=True)

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


def _wait(environ: Mapping[str, str], step: str, records: int) -> dict[str, Any]:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        told: dict[str, Any] = json.loads(run_module(environ, "benchmarks.runner_steps", step))
        if told["done"] >= records:
            return {"seconds": told["seconds"], "per_second": told["done"] / told["seconds"]}
        time.sleep(1)
    raise SystemExit(f"Not done: {told}")


def run_module(environ: Mapping[str, str], module: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def median_ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


if __name__ == "__main__":
    main()
