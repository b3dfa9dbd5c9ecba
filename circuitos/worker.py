"""The worker: Celery's prefork pool, each child a supervisor of jailed runs. ``python -m circuitos.worker``

Celery's command line does the same and needs 12 MB more, which in a small box are a tenth of all.
"""

from __future__ import annotations

import argparse
import sys
import warnings

from celery.exceptions import CPendingDeprecationWarning

from circuitos.celery import app


def main(arguments: list[str]) -> int:
    """Work until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m circuitos.worker", description=__doc__)
    parser.add_argument("--concurrency", type=int, default=2, help="children, each with one batch at a time")
    options = parser.parse_args(arguments)
    # Root inside a container is usual; the warning is for pickle, which nothing here takes.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # Told at each lost connection, of a setting we have chosen.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    app.set_current()
    worker = app.Worker(
        pool_cls="prefork",
        concurrency=options.concurrency,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
