"""What the portal's home shows of the apps above: each registers its figures when it is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenants.models import Tenant


@dataclass(frozen=True)
class Figure:
    """A number with its name, as the home page shows it.

    ``share`` (per cent) draws a bar in the ``tone`` good, close or full; ``page`` names where to read more.
    """

    label: str
    value: str
    share: int | None = None
    tone: str = "good"
    note: str = ""
    page: str = ""


_sources: dict[str, Callable[[Tenant], list[Figure]]] = {}


def register(name: str, source: Callable[[Tenant], list[Figure]]) -> None:
    """Add a source of figures. A name can be taken once."""
    if name in _sources:
        raise ValueError(f"Figures named {name!r} are registered already.")
    _sources[name] = source


def figures(tenant: Tenant) -> list[Figure]:
    """All figures of a tenant, in the order registered."""
    return [figure for source in _sources.values() for figure in source(tenant)]
