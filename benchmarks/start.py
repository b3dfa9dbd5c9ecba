"""How long `make run` takes: in a fresh clone until it shows the first trace, and the second time.

    python -m benchmarks.start [--json]

The clone has no `.venv`, so the first start installs all packages, from wherever pip is set up to take them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.installation import ROOT, free_port

# What `up` says when the story has run, and last, below the traces and addresses.
INSTALLED, SHOWN = "CircuitOS starts on", "Ctrl-C stops it."
LONGEST = 600.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    told = measure()
    if wanted.json:
        json.dump(told, sys.stdout, indent=1)
        return
    print(
        f"make run, fresh clone to first trace  {told['first_seconds']:5.1f} s   (under 120, aim 60),"
        f" {told['install_seconds']:.1f} s of it to install"
    )
    print(f"make run, second start                {told['second_seconds']:5.1f} s   (under 10, aim 5)")


def measure() -> dict[str, float]:
    """Seconds of a first and a second start."""
    with tempfile.TemporaryDirectory(prefix="fresh clone ", ignore_cleanup_errors=True) as folder:
        clone = Path(folder, "circuitos")
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        names = {"DATABASE_URL", "REDIS_URL", "CIRCUITOS_HOME", "CIRCUITOS_SCRIPTS", "VIRTUAL_ENV"}
        environ = {name: value for name, value in os.environ.items() if name not in names}
        environ["PORT"] = str(free_port())
        first = _start(clone, environ)
        second = _start(clone, environ)
    return {
        "first_seconds": first[SHOWN],
        "install_seconds": first[INSTALLED],
        "second_seconds": second[SHOWN],
    }


def _start(clone: Path, environ: dict[str, str]) -> dict[str, float]:
    """When each line was seen, in seconds after the command was given."""
    begun = time.monotonic()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    seen: dict[str, float] = {}
    said = []
    assert process.stdout is not None
    try:
        for line in process.stdout:
            said.append(line)
            for wanted in (INSTALLED, SHOWN):
                if wanted in line:
                    seen[wanted] = time.monotonic() - begun
            if SHOWN in seen or time.monotonic() - begun > LONGEST:
                break
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    if SHOWN not in seen:
        raise SystemExit("".join(said[-30:]))
    return seen


if __name__ == "__main__":
    main()
