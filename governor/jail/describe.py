"""Says what scripts declare: ``python -m governor.jail.describe <strict|basic> <folder>…`` prints JSON.

Run as a child with a clean environment, so that no script is ever imported by web or worker.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

from circuitos.script import loading
from circuitos.script.declare import enrichers
from circuitos.script.errors import BadScript
from governor.jail import zygote


def describe(entries: list[str], *, mode: str) -> dict[str, Any]:
    """``{"specs", "enrichers"}``, or ``{"error": {"code", "detail", "file", "line", "traceback"}}``.

    The walls are the zygote's: what a script may not do at import shows now, not when the first event comes.
    """
    zygote.confine(is_strict=mode == "strict", scripts=entries)
    try:
        specs = loading.load_scripts(entries)
        _refuse_threads()
    except BadScript as error:
        return {"error": {"code": error.code, "detail": error.detail, **error.data}}
    return {"specs": specs, "enrichers": sorted(enrichers)}


def _refuse_threads() -> None:
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        raise BadScript(f"A script started a thread while it was imported ({others[0]}).")


def main(mode: str, *entries: str) -> None:
    """Describe; what scripts print while they are imported goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    described = json.dumps(describe(list(entries), mode=mode)).encode()
    with os.fdopen(answers, "wb") as stream:
        stream.write(described)


if __name__ == "__main__":
    main(*sys.argv[1:])
