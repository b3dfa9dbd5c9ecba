"""Tries to break out of the jail, and tells what held: ``python -m governor.jail.selftest [--json]``.

The escapes run as scripts do, behind the same walls. What shows only in the broker's books is judged here.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from governor.jail import landlock
from governor.jail.findings import (
    BROKER,
    CAPABILITIES,
    ESCAPED,
    HELD,
    LANDLOCK,
    LIMITS,
    SECCOMP,
    Findings,
    Row,
)
from governor.jail.supervisor import ROOT, Zygote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circuitos.env import Env
    from governor.job import RunResult

SCRIPT = "governor.jail.escapes.script"
_EXECUTION = UUID(int=0)
_RECORD = {"id": "self-test"}
_MOST_WRITTEN = 2
_MOST_LINES = 50
_MEMORY_MB = 16
_WALL_MS = 40
_ENOUGH_MS = 5_000


class _Spec(NamedTuple):
    name: str
    module: str
    class_name: str
    method: str


class _Lie(NamedTuple):
    """A handler of ``Lies``, and what its run must have come to."""

    method: str
    name: str
    limits: dict[str, int]
    is_held: Callable[[RunResult], bool]


def _stopped_at(limit: str) -> Callable[[RunResult], bool]:
    return lambda result: result.error is not None and result.error.limit == limit and not result.changes


def _failed_with(code: str) -> Callable[[RunResult], bool]:
    return lambda result: result.error is not None and result.error.code == code and not result.changes


def _has_counted_three(result: RunResult) -> bool:
    return result.usage["records_written"][0] == 3


def _has_few_lines(result: RunResult) -> bool:
    return len(result.entries) <= _MOST_LINES + 1  # and one that says how many were dropped


_WRITES = {"records_written": _MOST_WRITTEN}
_MEMORY = {"memory_mb": _MEMORY_MB}
_is_bad_wire = _failed_with("governor.bad-wire")
LIES = (
    _Lie("swallows", "swallowing a limit", _WRITES, _stopped_at("records_written")),
    _Lie("patches", "patching the SDK", _WRITES, _stopped_at("records_written")),
    _Lie("foreign", "an outcome of a foreign record", {}, _is_bad_wire),
    _Lie("twice", "a second report", {}, lambda result: not result.changes),
    _Lie("answers", "a forged answer", {}, _is_bad_wire),
    _Lie("huge", "an oversized frame", {}, _is_bad_wire),
    _Lie("garbage", "a frame of garbage", {}, _is_bad_wire),
    _Lie("numbered", "a request of a forged number", {}, _has_counted_three),
    _Lie("floods", "a flood of log lines", {"log_lines": _MOST_LINES}, _has_few_lines),
    _Lie("lingers", "work after the report", {}, lambda result: not result.changes),
    _Lie("hoards", "swallowing MemoryError", _MEMORY, _stopped_at("memory_mb")),
    _Lie("deaf", "ignoring signals and exceptions", {"wall_ms": _WALL_MS}, _stopped_at("wall_ms")),
    _Lie("multiplies", "a bomb of threads", _MEMORY, lambda result: result.error is not None),
)


def examine(found: Env, *, at: datetime) -> Findings:
    """Try every escape that ``found.jail`` has a wall against. Raises ``JailBroken``; opens no database."""
    began = time.monotonic()
    with _silently(), closing(Zygote([SCRIPT], mode=found.jail, is_quiet=True)) as zygote:
        zygote.start()
        rows = [*_refusals(zygote, found), *_lies(zygote)]
        missing = {} if found.jail == "basic" else dict(zygote.walls_missing)
        machine = platform.machine() if zygote.is_strict else ""
    return Findings(
        mode=found.jail,
        at=at,
        took_ms=round((time.monotonic() - began) * 1000, 1),
        rows=tuple(rows),
        kernel=f"{platform.system()} {platform.release()}",
        machine=machine,
        landlock=landlock.version(),
        missing=missing,
    )


@contextmanager
def _silently() -> Iterator[None]:
    """What fails here fails on purpose."""
    broker = logging.getLogger("governor.broker")
    before = broker.level
    broker.setLevel(logging.WARNING)
    try:
        yield
    finally:
        broker.setLevel(before)


def _refusals(zygote: Zygote, found: Env) -> list[Row]:
    """What the kernel refuses, told by the script that tried. In a basic jail only limits are walls."""
    walls = [LIMITS] if found.jail == "basic" else [SECCOMP, LANDLOCK, CAPABILITIES, LIMITS]
    hints = {**_hints(found), "walls": walls}
    result = _run(zygote, "Tries", "all", {"wall_ms": _ENOUGH_MS, "memory_mb": 64}, hints)
    if result.error is not None:
        return [Row("telling what was tried", ESCAPED, f"{result.error.code}: {result.error.detail}"[:300])]
    rows = []
    for entry in result.entries:
        verdict, detail, wall, is_grave = entry["data"]
        rows.append(Row(str(entry["message"]), str(verdict), str(detail), str(wall), bool(is_grave)))
    return rows


def _lies(zygote: Zygote) -> list[Row]:
    return [_judged(zygote, lie) for lie in LIES]


def _judged(zygote: Zygote, lie: _Lie) -> Row:
    result = _run(zygote, "Lies", lie.method, {"wall_ms": _ENOUGH_MS, **lie.limits}, {})
    came_to = "it returned" if result.error is None else result.error.limit or result.error.code
    return Row(lie.name, HELD if lie.is_held(result) else ESCAPED, came_to, BROKER)


def _run(
    zygote: Zygote, class_name: str, method: str, limits: dict[str, int], hints: dict[str, Any]
) -> RunResult:
    from governor.broker import Job, run  # it needs Django's models, this module's readers do not

    job = Job(
        tenant_id=0,
        schema="",
        tenant={"slug": "self-test", "name": "", "tier": "", "timezone": "UTC", "settings": {}},
        execution=_EXECUTION,
        root=_EXECUTION,
        spec=_Spec(f"{class_name}.{method}", SCRIPT, class_name, method),
        mode="dry",
        object="Contact",
        operation="insert",
        records=[dict(_RECORD)],
        olds=[None],
        old_known=[False],
        limits=limits,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        settings=hints,
    )
    return run(job, zygote=zygote, heartbeat=lambda: True)


def _hints(found: Env) -> dict[str, Any]:
    """Where there is something to steal. Who breaks out would guess it."""
    from circuitos.env import database

    host = str(database(found.database_url)["HOST"]) if found.database_url else ""
    try:
        secrets = [str(path) for path in found.home.iterdir() if path.is_file() and path.stem != "jail"]
    except OSError:
        secrets = []
    return {
        "supervisor": os.getpid(),
        "project": str(ROOT),
        "home": str(found.home.resolve()),
        "secrets": secrets,
        "socket_folder": host if host.startswith("/") else "",
        "user_home": str(Path("~").expanduser()),
    }


def main(arguments: list[str]) -> int:
    """Test this machine's jail and print it; 1 when no script would run."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "circuitos.settings")
    django.setup()
    from circuitos.env import env

    findings = examine(env(), at=datetime.now(UTC))
    if "--json" in arguments:
        print(json.dumps({**findings.summary(), **findings.as_dict()}, indent=2))  # noqa: T201
    else:
        for row in sorted(findings.rows, key=lambda row: row.verdict):
            print(f"{row.verdict:>14}  {row.name}: {row.detail}")  # noqa: T201
        print(f"\n{findings.kernel}, Landlock {findings.landlock or 'none'}: {findings.sentence}")  # noqa: T201
        print(f"{findings.took_ms:g} ms")  # noqa: T201
    return 1 if findings.refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
