"""The jail: one governed execution against a bare ``os.fork()`` of a process of the same size.

    python -m benchmarks.jail [--rounds N]

Needs no database: the handlers ask for nothing but one update, which stays in the broker.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.governing_batches import TENANT, Spec

SCRIPT = """
from circuitos import CircuitDB, CircuitTrigger, trigger
from pydantic import BaseModel

class BenchTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def nothing(self, context):
        pass

    @trigger("Contact", ["afterInsert"])
    def updates(self, context):
        CircuitDB.update("Contact", [{"id": record.id, "score": 7} for record in context.new_records])

    @trigger("Contact", ["afterInsert"])
    async def updates_async(self, context):
        await CircuitDB.update("Contact", [{"id": record.id, "score": 7} for record in context.new_records])
"""
# What a runner has loaded, in a process that does nothing but fork and bury.
BARE_FORK = """
import gc, os, sys, time
import asyncio, inspect, json, pydantic, msgspec
from pydantic import BaseModel
import circuitos.script
gc.collect(); gc.freeze()
times = []
for _ in range(int(sys.argv[1])):
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    times.append(time.perf_counter() - start)
print(sorted(times)[len(times) // 2])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
    os.environ.setdefault("DEBUG", "1")
    import django

    django.setup()
    from governor.jail.supervisor import Zygote

    told = subprocess.run(
        [sys.executable, "-c", BARE_FORK, str(rounds)], check=True, capture_output=True, text=True
    )
    bare = float(told.stdout) * 1000
    print(f"bare fork, exit and wait of a process of that size   p50 {bare:6.2f} ms")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench_script.py").write_text(SCRIPT)
        for mode in ("strict", "basic"):
            with closing(Zygote([folder], mode=mode)) as zygote:
                began = time.perf_counter()
                zygote.start()
                print(f"{mode}: zygote ready in {(time.perf_counter() - began) * 1000:.0f} ms")
                for method, size in (
                    ("nothing", 1),
                    ("updates", 1),
                    ("updates", 200),
                    ("updates_async", 200),
                ):
                    times = sorted(measure(zygote, method, size=size, rounds=rounds))
                    middle, slow = statistics.median(times), times[len(times) * 95 // 100]
                    name = f"{mode}, {method}, {size} record{'s' if size > 1 else ''}"
                    ratio = f"{middle / bare:4.1f} × bare fork"
                    print(f"{name:40} p50 {middle:6.2f} ms   p95 {slow:6.2f} ms   {ratio}")


def measure(zygote: Any, method: str, *, size: int, rounds: int) -> list[float]:
    """Milliseconds of each run."""
    from governor.broker import Job, run

    records = [{"id": f"c{n}", "first_name": "Ada", "email": f"ada{n}@example.test"} for n in range(size)]
    spec = Spec(f"BenchTrigger.{method}", "bench_script", "BenchTrigger", method)
    times = []
    gc.collect()
    for _ in range(rounds):
        code = uuid4()
        job = Job(
            tenant_id=1,
            schema="t_bench",
            tenant=TENANT,
            execution=code,
            root=code,
            spec=spec,
            object="Contact",
            operation="insert",
            records=records,
            olds=[None] * size,
            old_known=[True] * size,
            now=datetime.now(UTC),
        )
        began = time.perf_counter()
        result = run(job, zygote=zygote, heartbeat=lambda: True)
        times.append((time.perf_counter() - began) * 1000)
        assert result.error is None, result.error
    return times


if __name__ == "__main__":
    main()
