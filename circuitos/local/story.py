"""The demo's story."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuitos.local.up import Up


def tell(up: Up, *, is_tour: bool) -> None:
    """Tell it."""
    up.supervisor.say(f"Admin {up.base_url}/admin/")
