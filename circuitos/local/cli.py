"""What `manage.py` does before Django: `up` and `serve`, and finding the servers `up` runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from circuitos.env import BASE_DIR
from circuitos.local.home import adopt

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(name: str, arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    if name == "serve":
        from circuitos.local import serve

        return serve.main(arguments)
    from circuitos.local import up

    return up.main(arguments)


def find_servers() -> None:
    """Let every other command work on the installation that `up` runs here, unless told where to go."""
    adopt(os.environ, Path(os.environ.get("CIRCUITOS_HOME") or BASE_DIR / ".circuitos"))
