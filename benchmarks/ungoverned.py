"""The other side of ``benchmarks.governing``: the same handler over the same batch, and nobody who counts.

    python -m benchmarks.ungoverned <script folder>…

A process with the same scripts and SDK loaded as a zygote reads lines ``{"trigger", "size", "rounds",
"is_forked"}`` and answers each with the milliseconds of every round. A round forks, runs the handler in the
child, and has its outcomes and changes back over a pipe; or does without the fork. Requests of the script are
answered by a function call: nothing is counted, checked, timed, recorded or journalled, and no wall stands.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.governing_batches import NOW, Batch, batch_of
from circuitos.script.budget import DEFAULTS
from circuitos.script.execute import execute
from circuitos.script.loading import find_handler, load_scripts
from governor import enrichment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# As the zygote does.
WARM = ("asyncio", "concurrent.futures.thread", "inspect", "json", "pydantic", "zoneinfo")


class Answering:
    """A channel that says yes: what it is told to change it keeps, and places come from the shipped table."""

    def __init__(self) -> None:
        self.limits: dict[str, list[float]] = {name: [0, most] for name, most in DEFAULTS.items()}
        self.changes: list[Any] = []
        self.lines: list[Any] = []

    def request(self, op: str, args: dict[str, Any], *, at: str = "") -> Any:
        if op == "enrich":
            zips = {
                each["id"]: enrichment.zip_of(each.get("postal_code"), each.get("country"))
                for each in args["records"]
            }
            return look_up(zips)
        if op == "records.update":
            self.changes += args["rows"]
            return [{"id": row["id"], "ok": True, "errors": []} for row in args["rows"]]
        self.changes.append(args)
        return {"id": "1", "ok": True, "errors": []}

    def request_async(self, op: str, args: dict[str, Any], *, at: str = "") -> Awaitable[Any]:
        async def answer() -> Any:
            return self.request(op, args, at=at)

        return answer()

    def notify(self, kind: str, payload: dict[str, Any]) -> None:
        self.lines.append((kind, payload))


def look_up(zips: dict[str, str | None]) -> Any:
    """What the broker answers without a key for the census: facts by record."""
    wanted = sorted({code for code in zips.values() if code})
    facts = enrichment.combine(wanted, {}, enrichment.Live(), base_url="").facts
    return {record_id: (facts.get(code) or {}) if code else {} for record_id, code in zips.items()}


def work(batch: Batch) -> tuple[Any, ...]:
    """Run the handler over the batch, in this process."""
    channel = Answering()
    start = {**batch.start(), "limits": channel.limits, "now": NOW.isoformat()}
    handler = find_handler(batch.module, batch.class_name, batch.method)
    done = execute(handler, start, channel)
    assert done["error"] is None, done["error"]
    return done, channel.changes, channel.lines


def fork_and_work(batch: Batch) -> Any:
    """Run it in a child, whose report comes over a pipe."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode(work(batch)))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = msgspec.msgpack.decode(pipe.read())
    os.waitpid(pid, 0)
    return told


def main() -> None:
    for name in WARM:
        importlib.import_module(name)
    load_scripts(sys.argv[1:])
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        wanted = json.loads(line)
        batch = batch_of(wanted["trigger"], wanted["size"])
        run: Callable[[Batch], Any] = fork_and_work if wanted["is_forked"] else work
        times = []
        for _ in range(wanted["rounds"]):
            began = time.perf_counter()
            run(batch)
            times.append((time.perf_counter() - began) * 1000)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
