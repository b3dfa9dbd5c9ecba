"""The commands that start before Django: `up` and `serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(name: str, arguments: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    if name == "serve":
        from circuitos.local import serve

        return serve.main(arguments)
    from circuitos.local import up

    return up.main(arguments)
