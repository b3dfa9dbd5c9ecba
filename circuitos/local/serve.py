"""`manage.py serve`: production in one container. Web, worker, beat, and Valkey when there is no REDIS_URL.

This process stays small: it loads nothing but the supervision.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from circuitos import env as environment
from circuitos.local import home as homes
from circuitos.local import programs
from circuitos.local.home import LocalError
from circuitos.local.supervise import Interrupted, Supervisor
from circuitos.local.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "0.0.0.0"  # noqa: S104 - a container's port is published, or not, by its platform
WORKERS = 1  # in 512 MB; WORKERS=2 where there is more


def main(arguments: Sequence[str]) -> int:
    """Run until the platform stops it. Returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="manage.py serve", description=__doc__)
    parser.add_argument("--workers", type=int, default=int(os.environ.get("WORKERS") or WORKERS))
    parser.add_argument("--host", default=HOST)
    options = parser.parse_args(arguments)
    supervisor = Supervisor()
    try:
        _start(supervisor, host=options.host, workers=options.workers)
        while True:
            supervisor.pump(60.0)
    except Interrupted:
        return 0
    except (environment.BadEnvironment, LocalError) as error:
        supervisor.say(str(error))
        return 1
    finally:
        supervisor.stop(programs.ORDER)


def _start(supervisor: Supervisor, *, host: str, workers: int) -> None:
    found = environment.read(os.environ)
    environment.refuse_insecure(found)
    environ = programs.default_environ()
    if not found.redis_url:
        # It keeps nothing, so any private folder does; a container's home may be read-only.
        folder = tempfile.mkdtemp(prefix="circuitos-")
        valkey = Valkey(homes.prepare(Path(folder)))
        supervisor.start(valkey.program())
        if not supervisor.wait_until(valkey.is_ready, seconds=20):
            raise LocalError("Valkey does not start; its lines stand above.")
        environ["REDIS_URL"] = valkey.url
    supervisor.start(programs.web(environ, host=host, port=found.port))
    supervisor.start(programs.worker(environ, concurrency=workers))
    supervisor.start(programs.beat(environ))
