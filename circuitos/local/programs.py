"""The processes of an installation: web, worker and beat, the same under `up` and `serve`."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

from circuitos.env import BASE_DIR
from circuitos.local.process import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ORDER = ("web", "worker", "beat", "valkey", "postgres")  # of stopping: who takes work in goes first
BLOCKING_THREADS = 32
# glibc keeps an arena a thread; two are enough, and tens of megabytes less.
FRUGAL = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1"}
# Django's system checks would load every page's code into the worker; web and `check` run them.
NO_CHECKS = {"CELERY_SKIP_CHECKS": "1"}


def web(environ: Mapping[str, str], *, host: str, port: int) -> Program:
    """granian with one process of threads: sync views, and many requests to a group commit."""
    # Static files come from the packages' own folders where none were collected.
    calm = ["-W", "ignore:No directory at"]
    command = [
        sys.executable,
        *calm,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "circuitos.wsgi:application",
        "--no-ws",
    ]
    command += ["--host", host, "--port", str(port), "--workers", "1", "--runtime-threads", "1"]
    command += ["--blocking-threads", str(BLOCKING_THREADS), "--log-level", "warning"]
    return _program("web", command, environ, grace=15.0, is_noise=_is_thread_advice)


def worker(environ: Mapping[str, str], *, concurrency: int) -> Program:
    """Celery's prefork worker; each child is a supervisor of jailed runs."""
    command = _python("circuitos.worker", "--concurrency", str(concurrency))
    return _program("worker", command, {**environ, **NO_CHECKS}, grace=15.0)


def beat(environ: Mapping[str, str]) -> Program:
    """Celery's beat; it keeps nothing."""
    return _program("beat", _python("circuitos.beat"), environ, grace=5.0)


def manage(name: str, arguments: Sequence[str], environ: Mapping[str, str]) -> Program:
    """One run of ``manage.py``, shown under ``name``."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), *arguments]
    return _program(name, command, environ, grace=10.0, is_kept=False)


def module(name: str, dotted: str, environ: Mapping[str, str]) -> Program:
    """One run of a module of ours, shown under ``name``."""
    return _program(name, _python(dotted), environ, grace=10.0, is_kept=False)


def _python(dotted: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", dotted, *arguments]


def _program(
    name: str,
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    grace: float,
    is_kept: bool = True,
    is_noise: Callable[[str], bool] = lambda line: False,
) -> Program:
    return Program(
        name=name,
        command=command,
        environ={**FRUGAL, **environ},
        only_environ=True,
        cwd=str(BASE_DIR),
        stop_signal=signal.SIGTERM,
        grace=grace,
        is_kept=is_kept,
        is_noise=is_noise,
    )


def _is_thread_advice(line: str) -> bool:
    # The threads wait together for one commit; granian cannot know and warns about their number.
    return "Python threads, which seems quite high" in line


def default_environ() -> dict[str, str]:
    """What every process of ours inherits."""
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "circuitos.settings"}
