"""The warm parent of runners: imports the scripts once, inside the jail, and forks a runner per execution.

Started by exec as ``python -m governor.jail.zygote <control fd>,<page fd>,<tell fd> <strict|basic> <script
folder>…`` with a clean environment. It ends when its supervisor does.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import mmap
import os
import socket
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuitos.script import loading
from circuitos.script.batch import PAGE_BYTES, here
from governor.jail import landlock, process, rehearsal, runner, seccomp
from governor.jail.findings import CAPABILITIES, LANDLOCK, SECCOMP
from governor.jail.wire import pack, unpack

ROOT = Path(__file__).resolve().parent.parent.parent
_MESSAGE = 64 * 1024
_ABOVE_THE_RUNNERS = 10
# What nearly every run needs: imported here once, not by each runner for itself.
_WARM = ("asyncio", "concurrent.futures.thread", "inspect", "json", "pydantic", "zoneinfo")


@dataclass(frozen=True)
class Walls:
    """What of the jail stands: the machine whose filters are installed (None: none), and what is missing."""

    machine: str | None
    missing: dict[str, str]  # wall: why


def main(arguments: list[str]) -> None:
    """Confine, import, then fork on demand until the supervisor is gone."""
    control_fd, page_fd, tell_fd = map(int, arguments[0].split(","))
    control = socket.socket(fileno=control_fd)
    page = mmap.mmap(page_fd, PAGE_BYTES)
    os.close(page_fd)
    tell = fcntl.fcntl(tell_fd, fcntl.F_DUPFD_CLOEXEC, _ABOVE_THE_RUNNERS)
    os.close(tell_fd)
    tasks = os.open("/proc/self/task", os.O_RDONLY | os.O_DIRECTORY)
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    null = os.open(os.devnull, os.O_WRONLY)
    process.one_arena()
    threading.stack_size(process.THREAD_STACK_BYTES)
    try:
        walls = confine(is_strict=arguments[1] == "strict", scripts=arguments[2:])
        for name in _WARM:
            importlib.import_module(name)
        loading.load_scripts(arguments[2:])
        rehearsal.play()
    except BaseException as error:  # the supervisor tells it; a script may throw anything
        _send(control, {"t": "failed", "detail": _say(error), "traceback": traceback.format_exc()[-8000:]})
        return
    # What lives now lives as long as the zygote: runners' collectors must not touch (and so copy) it.
    here.page = page
    gc.collect()
    gc.freeze()
    gc.set_threshold(*process.CALM)
    _send(control, {"t": "ready", "strict": walls.machine is not None, "missing": walls.missing})
    os.dup2(null, 1)
    os.dup2(null, 2)
    _serve(control, walls, tasks=tasks, statm=statm, tell=tell)


def confine(*, is_strict: bool, scripts: list[str]) -> Walls:
    """Raise every wall this kernel has around this process and its children."""
    process.hide()
    missing: dict[str, str] = {}
    if not is_strict:
        return Walls(None, {SECCOMP: "strict mode is switched off by JAIL"})
    readable = landlock.readable_paths(scripts, root=ROOT)
    try:
        process.drop_capabilities()
    except process.JailUnavailable as error:
        missing[CAPABILITIES] = str(error)
    try:
        landlock.restrict(readable)
    except process.JailUnavailable as error:
        missing[LANDLOCK] = str(error)
    try:
        machine = seccomp.machine()
        seccomp.install(seccomp.zygote_filter(machine))
    except process.JailUnavailable as error:
        return Walls(None, {**missing, SECCOMP: str(error)})
    return Walls(machine, missing)


def _serve(control: socket.socket, walls: Walls, *, tasks: int, statm: int, tell: int) -> None:
    program = None if walls.machine is None else seccomp.runner_filter(walls.machine)
    if program is None:
        process.adopt_orphans()
    while True:
        data, fds, _, _ = socket.recv_fds(control, _MESSAGE, 1)
        if not data:
            return  # the supervisor is gone; the runners die with us
        message = unpack(data[4:])
        if message["t"] == "reap":
            _, status, usage = os.wait4(message["pid"], 0)
            if program is None:
                process.end_children()
            cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000, 3)
            _send(control, {"t": "reaped", "status": status, "cpu_ms": cpu_ms, "peak_kb": usage.ru_maxrss})
            continue
        if len(os.listdir(tasks)) != 1:
            # A forked lock that another thread held would never open again.
            _send(control, {"t": "failed", "detail": "a script started a thread at import"})
            return
        warm_bytes = int(os.pread(statm, 64, 0).split()[0]) * _page()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            runner.become(fds[0], tell, parent=parent, warm_bytes=warm_bytes, program=program)
        os.close(fds[0])
        _send(control, {"t": "forked", "pid": pid})


def _page() -> int:
    return os.sysconf("SC_PAGESIZE")


def _send(control: socket.socket, message: dict[str, Any]) -> None:
    control.send(pack(message))


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:2000]


if __name__ == "__main__":
    main(sys.argv[1:])
