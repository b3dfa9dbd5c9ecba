"""What governing costs: an execution in the strict jail through the broker, against the same one ungoverned.

    python -m benchmarks.governing [--rounds N] [--whole] [--json]

Governed: ``governor.broker.run`` with everything on: the runner forked from the zygote, its walls (Landlock,
seccomp, rlimits), the batch sent over the socket, every request counted, checked and recorded, the watcher,
the verdict. Ungoverned (``benchmarks.ungoverned``): a process with the same scripts forks a child, which
inherits the batch, runs the same handler by the same SDK with a function that says yes, and reports by a
pipe. Both fork, since whoever runs scripts apart from himself must; what it costs not even to fork is told
beside it. Rounds of both alternate, so that a busy machine is as busy for one as for the other.

Nothing here needs a database. ``--whole`` starts one, and tells what share of a batch, claim to settle,
the cost is.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.governing_batches import (
    NOTHING,
    NOW,
    SCORING,
    SCRIPT,
    SHIPPED,
    TENANT,
    UPDATES,
    Spec,
    batch_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.governing_batches import Batch

ROOT = Path(__file__).resolve().parent.parent
CASES = ((NOTHING, 1), (NOTHING, 200), (UPDATES, 1), (UPDATES, 200), (SCORING, 1), (SCORING, 200))
BLOCK = 10  # rounds of one side before it is the other's turn
GOVERNED, FORKED, BARE = "governed", "ungoverned", "in-process"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help=f"blocks of {BLOCK} executions of each side")
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    told: dict[str, Any] = {"cases": measure(wanted.rounds)}
    if wanted.whole or wanted.json:
        told["whole"] = _whole()
        scoring = told["cases"][f"{SCORING}, 200"]
        told["share_of_whole"] = scoring["cost_ms"] / told["whole"]["batch_ms"]
    if wanted.json:
        json.dump(told, sys.stdout, indent=1)
        return
    for name, case in told["cases"].items():
        sides = "   ".join(
            f"{side} {case[side]['p50_ms']:6.2f} (p95 {case[side]['p95_ms']:6.2f})"
            for side in (GOVERNED, FORKED, BARE)
        )
        print(f"{name:14} {sides}   costs {case['cost_ms']:5.2f} ms, {case['share']:.1%}   (at most 5 ms)")
    if "whole" in told:
        print(
            f"scoring 200 leads, claim to settle: {told['whole']['batch_ms']:.1f} ms, "
            f"of which governing {told['share_of_whole']:.1%}   (at most 2 %)"
        )


def measure(rounds: int) -> dict[str, Any]:
    """Each case's times on both sides, alternating; the cost is the median of the blocks' differences."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
    os.environ.setdefault("DEBUG", "1")
    import django

    django.setup()
    from governor.jail.process import CALM
    from governor.jail.supervisor import Zygote

    told = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "bench.py").write_text(SCRIPT)
        scripts = [str(SHIPPED), folder]
        with closing(Zygote(scripts)) as zygote, closing(Ungoverned(scripts)) as other:
            zygote.start()
            gc.collect()
            gc.freeze()  # as the worker does, and as both zygotes do
            gc.set_threshold(*CALM)
            assert zygote.is_strict, "The jail is not strict here; its cost would be another's."
            for trigger, size in CASES:
                told[f"{trigger}, {size}"] = _case(zygote, other, trigger, size, rounds)
    return told


def _case(zygote: Any, other: Ungoverned, trigger: str, size: int, rounds: int) -> dict[str, Any]:
    batch = batch_of(trigger, size)
    times: dict[str, list[float]] = {GOVERNED: [], FORKED: [], BARE: []}
    costs = []
    _govern(zygote, batch, BLOCK)  # warm
    other.run(trigger, size, BLOCK, is_forked=True)
    for number in range(rounds):
        if number % 2:
            plain = other.run(trigger, size, BLOCK, is_forked=True)
            governed = _govern(zygote, batch, BLOCK)
        else:
            governed = _govern(zygote, batch, BLOCK)
            plain = other.run(trigger, size, BLOCK, is_forked=True)
        times[GOVERNED] += governed
        times[FORKED] += plain
        times[BARE] += other.run(trigger, size, BLOCK, is_forked=False)
        costs.append(statistics.median(governed) - statistics.median(plain))
    cost = statistics.median(costs)
    return {
        **{side: _figures(taken) for side, taken in times.items()},
        "cost_ms": cost,
        "share": cost / statistics.median(times[FORKED]),
    }


def _figures(times: list[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {"p50_ms": statistics.median(ordered), "p95_ms": ordered[len(ordered) * 95 // 100]}


def _govern(zygote: Any, batch: Batch, rounds: int) -> list[float]:
    """Milliseconds of each governed run."""
    from governor.broker import Job, run

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
            spec=Spec(batch.name, batch.module, batch.class_name, batch.method),
            object="Contact",
            operation="insert",
            records=batch.records,
            olds=[None] * len(batch.records),
            old_known=[True] * len(batch.records),
            seed=7,
            now=NOW,
            settings=batch.settings,
        )
        began = time.perf_counter()
        result = run(job, zygote=zygote, heartbeat=lambda: True)
        times.append((time.perf_counter() - began) * 1000)
        assert result.error is None, result.error
    return times


class Ungoverned:
    """The process of the other side."""

    def __init__(self, scripts: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ungoverned", *scripts],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, trigger: str, size: int, rounds: int, *, is_forked: bool) -> list[float]:
        """Milliseconds of each ungoverned run."""
        assert self._process.stdin
        assert self._process.stdout
        wanted = {"trigger": trigger, "size": size, "rounds": rounds, "is_forked": is_forked}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        told: list[float] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate()


def _whole() -> dict[str, float]:
    """Batches of the shipped scoring, claim to settle, on a database that promises what it must."""
    from benchmarks.runner import run_module, with_servers

    def steps(environ: Mapping[str, str]) -> dict[str, Any]:
        environ = {**environ, "DJANGO_SETTINGS_MODULE": "circuitos.settings"}
        run_module(environ, "manage", "migrate_schemas", "--shared")
        told: dict[str, Any] = json.loads(run_module(environ, "benchmarks.runner_steps", "measure-scoring"))
        return told

    with tempfile.TemporaryDirectory() as folder:
        return with_servers(Path(folder), steps)


if __name__ == "__main__":
    main()
