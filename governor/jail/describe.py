"""Says what scripts declare: ``python -m governor.jail.describe <folder>…`` prints JSON and ends.

Run as a child with a clean environment, so that no script is ever imported by web or worker.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from circuitos.script import loading
from circuitos.script.declare import enrichers
from circuitos.script.errors import BadScript


def describe(entries: list[str]) -> dict[str, Any]:
    """``{"specs", "enrichers"}``, or ``{"error": {"code", "detail", "file", "line", "traceback"}}``."""
    try:
        specs = loading.load_scripts(entries)
    except BadScript as error:
        return {"error": {"code": error.code, "detail": error.detail, **error.data}}
    return {"specs": specs, "enrichers": sorted(enrichers)}


def main(entries: list[str]) -> None:
    """Describe; what scripts print while they are imported goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    described = json.dumps(describe(entries)).encode()
    with os.fdopen(answers, "wb") as stream:
        stream.write(described)


if __name__ == "__main__":
    main(sys.argv[1:])
