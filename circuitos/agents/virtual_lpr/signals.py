"""Whether a lead changed in a way that matters to its score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos.agents.virtual_lpr.readings import TARGETS, Targets, fields
from circuitos.agents.virtual_lpr.weights import targets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where the census facts come from: a lead that moved is nearer or farther.
PLACE = ("postal_code", "country")


def changed_signals(
    new: Mapping[str, Any], old: Mapping[str, Any] | None, *, settings: Mapping[str, Any] | None = None
) -> list[str]:
    """The fields feeding the score whose values differ, sorted; all of them when ``old`` is not known.

    With the tenant's ``settings`` the fields it has chosen count as well.
    The score's own ``lpr_*`` fields are not among them, so a stored score never asks for another.
    """
    targets = targets_of(settings) if settings else TARGETS
    now, before = _inputs(new, targets), _inputs(old or {}, targets)
    return sorted(name for name in {*now, *before} if now.get(name) != before.get(name))


def _inputs(record: Mapping[str, Any], targets: Targets) -> dict[str, Any]:
    inputs = {source: value for _, source, value in fields(record, targets)}
    inputs.update({name: record[name] for name in PLACE if record.get(name)})
    return inputs
