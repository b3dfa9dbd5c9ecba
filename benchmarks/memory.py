"""What `manage.py serve` (web, worker, beat, Valkey) takes of a 512 MB box: idle, and at the peak of a burst.

    python -m benchmarks.memory [--leads N] [--json]

In the burst a thousand leads come at once while one runner holds its 128 MB. PostgreSQL stands outside, as
in production. Memory is the sum of the processes' shares (PSS); where a memory cgroup can be made (as root),
`serve` also runs inside one of 512 MB, and what the kernel counts and kills is told.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import load
from benchmarks.installation import ROOT, Installation, Sender, lead

if TYPE_CHECKING:
    from collections.abc import Iterator

BOX_MB = 512
CONNECTIONS = 64
MB = 1_048_576
CGROUPS = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
# Held for as long as the burst takes. A page is resident when it is written to.
SCRIPT = '''
"""Takes nearly all the memory that a runner may have."""
import time
from circuitos import CircuitTrigger, trigger


class Hungry(CircuitTrigger):
    @trigger("Note", ["afterInsert"])
    def hold(self, context):
        held = [b"x" * 1_048_576 for _ in range(120)]
        time.sleep(2)
'''


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--detail", action="store_true", help="tell the memory of each process")
    wanted = parser.parse_args()
    told = measure(wanted.leads, is_detailed=wanted.detail)
    if wanted.json:
        json.dump(told, sys.stdout, indent=1)
        return
    print(f"serve, idle (sum of PSS)             {told['idle_mb']:5.0f} MB   (under 330, aim 250)")
    print(f"serve, peak of a burst (sum of PSS)  {told['peak_mb']:5.0f} MB   (under 490, aim 420)")
    if told["box"]:
        print(f"in a box of {BOX_MB} MB: {told['box']}")
    print(f"events: {told['statuses']}")


def measure(leads: int, *, is_detailed: bool = False) -> dict[str, Any]:
    """Start `serve`, in a box where one can be had, and send it a burst."""
    with Installation(tenants=1) as installation:
        scripts = Path(installation.folder.name, "scripts")
        scripts.mkdir()
        (scripts / "hungry.py").write_text(SCRIPT)
        installation.environ["CIRCUITOS_SCRIPTS"] = str(scripts)
        del installation.environ["REDIS_URL"]  # then it brings its own Valkey
        with _box() as box, _serve(installation, box) as pid:
            sender = Sender(installation.tenants[0])
            _send(installation, [sender.gohighlevel(lead("first"))])
            installation.wait_until_done()
            time.sleep(3)
            idle, told = _pss(pid), _read(box) if box else {}
            if is_detailed:
                _tell(pid)
            sampler = _Sampler(pid)
            salt = secrets.token_hex(4)
            burst = [sender.gohighlevel(lead(f"{salt}{number:04d}", number)) for number in range(leads)]
            _send(installation, [sender.gohighlevel(_note(salt)), *burst])
            installation.wait_until_done()
            peak = sampler.stop()
            if is_detailed:
                _tell(pid)
            return {
                "idle_mb": idle / MB,
                "peak_mb": peak / MB,
                "box": {"idle_mb": told["now_mb"], **_read(box)} if box else {},
                "statuses": installation.statuses(),
            }


def _send(installation: Installation, made: list[bytes]) -> None:
    connections = min(CONNECTIONS, len(made))
    sent = load.run(made, port=installation.port, connections=connections, seconds=60, rate=0)
    if set(sent["statuses"]) != {"202"}:  # type: ignore[call-overload]  # a dictionary of counts
        raise SystemExit(f"Not all were accepted: {sent}")


def _note(name: str) -> dict[str, Any]:
    return {"type": "NoteCreate", "webhookId": f"wh-{name}", "id": name, "contactId": name, "body": "x"}


@contextlib.contextmanager
def _serve(installation: Installation, box: Path | None) -> Iterator[int]:
    def enter() -> None:
        if box is not None:
            (box / "cgroup.procs").write_text(str(os.getpid()))

    log = Path(installation.folder.name, "serve.log")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--host", "127.0.0.1"],
            cwd=ROOT,
            env=installation.environ,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=enter,  # noqa: PLW1509  # one thread so far
        )
    try:
        installation.wait_for_web()
        yield process.pid
    except BaseException:
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _Sampler:
    """The highest sum seen, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak = pid, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._over.set()
        self._thread.join()
        return self._peak

    def _run(self) -> None:
        while not self._over.wait(0.1):
            self._peak = max(self._peak, _pss(self._pid))


def _pss(pid: int) -> int:
    return sum(_pss_of(one) for one in _family(pid))


def _pss_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in lines.splitlines() if line.startswith("Pss:"))


def _family(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        try:
            waiting += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
            for thread in Path(f"/proc/{one}/task").iterdir():
                if thread.name != str(one):
                    waiting += map(int, (thread / "children").read_text().split())
        except OSError:
            continue
    return found


def _tell(pid: int) -> None:
    for one in _family(pid):
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{one}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            print(f"  {_pss_of(one) / MB:6.1f} MB  {one} {command[-110:]}")


@contextlib.contextmanager
def _box() -> Iterator[Path | None]:
    """A memory cgroup of 512 MB; None where this process may not make one."""
    box = None
    for root in CGROUPS:
        candidate = root / f"circuitos-bench-{os.getpid()}"
        try:
            candidate.mkdir()
        except OSError:
            continue
        limit = next(
            (name for name in ("memory.limit_in_bytes", "memory.max") if (candidate / name).exists()), None
        )
        if limit is not None:
            (candidate / limit).write_text(str(BOX_MB * MB))
            box = candidate
            break
        candidate.rmdir()
    try:
        yield box
    finally:
        if box is not None:
            for _ in range(50):
                try:
                    box.rmdir()
                except OSError:
                    time.sleep(0.1)
                else:
                    break


def _read(box: Path) -> dict[str, Any]:
    """What the kernel counted (pages of files among it, which it drops when it needs room) and killed."""
    told: dict[str, Any] = {}
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if (box / name).exists():
            told["peak_mb"] = round(int((box / name).read_text()) / MB)
    for name in ("memory.usage_in_bytes", "memory.current"):
        if (box / name).exists():
            told["now_mb"] = round(int((box / name).read_text()) / MB)
    for name in ("memory.oom_control", "memory.events"):
        if (box / name).exists():
            lines = dict(line.split() for line in (box / name).read_text().splitlines())
            told["killed"] = int(lines.get("oom_kill", 0))
    stat = dict(line.split() for line in (box / "memory.stat").read_text().splitlines())
    for name in ("rss", "anon", "cache", "file"):
        if name in stat:
            told[f"{name}_mb"] = round(int(stat[name]) / MB)
    return told


if __name__ == "__main__":
    main()
