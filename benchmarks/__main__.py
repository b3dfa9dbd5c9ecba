"""All benchmarks, or those named: ``python -m benchmarks [--rounds N] [name…]``. Ends with one table.

Each runs in a process of its own, against servers of its own. The ratios are measured in one run; the
absolute figures depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
TITLES = ("measure", "ours", "baseline", "ratio", "at least", "aim")


@dataclass(frozen=True)
class Row:
    """One line of the table, as text."""

    measure: str
    ours: str
    at_least: str
    aim: str
    baseline: str = ""
    ratio: str = ""


def _ingest(told: dict[str, Any]) -> Iterator[Row]:
    last = told["rounds"][-1]
    rate = {name: f"{figures['per_second']:,.0f}/s" for name, figures in last.items()}
    ours = rate["circuitos"]
    yield Row(
        "durable webhooks, against hand-written",
        ours,
        "4 x",
        "7 x",
        rate["hand-written"],
        f"{told['against_baseline']:.1f} x",
    )
    yield Row(
        "durable webhooks, against a bare view",
        ours,
        "50 %",
        "80 %",
        rate["bare"],
        f"{told['against_bare']:.0%}",
    )
    yield Row("answer p99 at half of that load", f"{told['half_load_p99_ms']:.1f} ms", "< 25 ms", "< 10 ms")


def _latency(told: dict[str, Any]) -> Iterator[Row]:
    yield Row("one lead, webhook to score, p50", f"{told['p50_ms']:.0f} ms", "< 300 ms", "< 150 ms")
    yield Row("one lead, webhook to score, p95", f"{told['p95_ms']:.0f} ms", "< 1 s", "< 500 ms")


def _runner(told: dict[str, Any]) -> Iterator[Row]:
    def median(name: str, figure: str) -> float:
        return statistics.median(each[name][figure] for each in told["rounds"])

    baseline = f"{median('baseline', 'per_second'):,.0f}/s"
    for name, wanted in (("trivial", ("5 x", "12 x")), ("updating", ("", ""))):
        rate = f"{median(name, 'per_second'):,.0f}/s"
        ratio = f"{told['ratios'][name]:.1f} x"
        yield Row(f"governed records, {name} trigger", rate, *wanted, baseline, ratio)
    one = median("trivial", "one_ms")
    yield Row("one governed execution of one record", f"{one:.1f} ms", "< 25 ms", "< 10 ms")


def _system(told: dict[str, Any]) -> Iterator[Row]:
    wanted = {"hubspot": ("< 5 s", "< 2 s"), "gohighlevel": ("< 15 s", "< 6 s")}
    for spread in told["spreads"]:
        tenants = "one tenant" if spread["tenants"] == 1 else f"{spread['tenants']} tenants"
        for crm, limits in wanted.items():
            seconds = f"{spread[crm]['seconds']:.2f} s"
            yield Row(f"{told['leads']:,} leads to scores, {crm}, {tenants}", seconds, *limits)


def _memory(told: dict[str, Any]) -> Iterator[Row]:
    yield Row("serve, idle", f"{told['idle_mb']:.0f} MB", "< 330 MB", "< 250 MB")
    yield Row("serve, peak of a burst", f"{told['peak_mb']:.0f} MB", "< 490 MB", "< 420 MB")
    if told["box"]:
        killed = str(told["box"].get("killed", "?"))
        yield Row("killed by the kernel in a box of 512 MB", killed, "0", "0")


def _start(told: dict[str, Any]) -> Iterator[Row]:
    yield Row("make run, fresh clone to first trace", f"{told['first_seconds']:.1f} s", "< 120 s", "< 60 s")
    yield Row("make run, second start", f"{told['second_seconds']:.1f} s", "< 10 s", "< 5 s")


def _governing(told: dict[str, Any]) -> Iterator[Row]:
    for name, case in told["cases"].items():
        trigger, size = name.split(", ")
        records = "1 record" if size == "1" else f"{size} records"
        governed, ungoverned = (f"{case[side]['p50_ms']:.1f} ms" for side in ("governed", "ungoverned"))
        cost = f"+{case['cost_ms']:.1f} ms"
        yield Row(f"governing, {trigger} trigger, {records}", governed, "< +5 ms", "", ungoverned, cost)
    share, whole = f"{told['share_of_whole']:.1%}", f"{told['whole']['batch_ms']:.0f} ms"
    yield Row("governing, of 200 leads scored, claim to settle", share, "< 2 %", "", whole)


def _console(told: dict[str, Any]) -> Iterator[Row]:
    pages = told["pages"]
    name, slowest = max(pages.items(), key=lambda item: item[1]["p95_ms"])
    count = f"{told['executions']:,} executions"
    listed = pages["list"]
    yield Row(
        f"console, list of {count}, p95",
        f"{listed['p95_ms']:.0f} ms",
        "< 300 ms",
        "",
        f"{listed['few_p50_ms']:.0f} ms",
        f"{listed['ratio']:.1f} x",
    )
    yield Row(
        f"console, slowest: {name}, p95",
        f"{slowest['p95_ms']:.0f} ms",
        "< 300 ms",
        "",
        f"{slowest['few_p50_ms']:.0f} ms",
        f"{slowest['ratio']:.1f} x",
    )


def _judgment(told: dict[str, Any]) -> Iterator[Row]:
    if told["found"]:
        found = told["found"]
        alarms = f"{found['false_alarms']:.2%} false alarms"
        yield Row(f"attacks found, sources known, at {alarms}", f"{found['known']:.1%}", "90 %", "97 %")
        yield Row("attacks found, sources never seen", f"{found['unseen']:.1%}", "45 %", "75 %")
        yield Row("false alarms, messages and reviews", f"{found['false_alarms']:.2%}", "< 0.5 %", "")
        yield Row("false alarms, trigger words", f"{found['trigger_words']:.1%}", "< 3 %", "< 1 %")
    costs = told["costs"]
    yield Row(
        f"levels 6–14, a contact of {costs['record_bytes']} B",
        f"{costs['record_ms']:.2f} ms",
        "< 1 ms",
        "< 0.2 ms",
    )
    yield Row("levels 6–14, a batch of 200", f"{costs['batch_ms']:.0f} ms", "< 60 ms", "< 20 ms")


# Those with figures of their own for the table; the others print what they measured.
READERS: dict[str, Callable[[dict[str, Any]], Iterator[Row]] | None] = {
    "ingest": _ingest,
    "latency": _latency,
    "runner": _runner,
    "system": _system,
    "memory": _memory,
    "start": _start,
    "governing": _governing,
    "console": _console,
    "judgment": _judgment,
    "jail": None,
    "scoring": None,
}
IN_ROUNDS = {"ingest", "runner", "system", "governing", "console"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(READERS))
    parser.add_argument("--rounds", type=int, help="of those that measure in rounds; less is quicker")
    wanted = parser.parse_args()
    names = wanted.names or list(READERS)
    unknown = [name for name in names if name not in READERS]
    if unknown:
        parser.error(f"There is no benchmark {unknown[0]!r}; there are {', '.join(READERS)}.")
    rows: list[Row] = []
    failed = []
    for name in names:
        reader = READERS[name]
        began = time.monotonic()
        print(f"{name} …", flush=True)
        options = ["--json"] if reader else []
        if wanted.rounds and name in IN_ROUNDS:
            options += ["--rounds", str(wanted.rounds)]
        told = _run(name, options)
        if told is None:
            failed.append(name)
        elif reader is not None:
            # Before it stands what the servers it started had to say.
            rows += reader(json.loads(told[told.index("{") :]))
        else:
            print(told)
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    if rows:
        print()
        _print(rows)
    if failed:
        print(f"\nNot measured: {', '.join(failed)}. The reasons stand above.")
    return 1 if failed else 0


def _run(name: str, options: list[str]) -> str | None:
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return None if done.returncode else done.stdout


def _print(rows: list[Row]) -> None:
    table = [
        TITLES,
        *((row.measure, row.ours, row.baseline, row.ratio, row.at_least, row.aim) for row in rows),
    ]
    widths = [max(len(line[column]) for line in table) for column in range(len(TITLES))]
    for number, line in enumerate(table):
        first, *others = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        cells = [first, *(cell.strip().rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
        if not number:
            print("  ".join("-" * width for width in widths))


if __name__ == "__main__":
    sys.exit(main())
