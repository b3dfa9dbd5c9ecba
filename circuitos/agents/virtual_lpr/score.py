"""The score: a whole batch at once, with every point accounted for. Pure: no clock, no network, no tenant.

Two promises, both tested: the points of a lead's attribution add up to its total, and a stronger signal
never lowers a score. Where a part, group or pillar is full, a line of the attribution with negative points
says what its cap took away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitos.agents.virtual_lpr import readings as r
from circuitos.agents.virtual_lpr.attribution import attributions, missing_data
from circuitos.agents.virtual_lpr.gather import read
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, PILLARS, SIGNALS, STRONGEST_ONLY
from circuitos.agents.virtual_lpr.weights import Weights, weights_of
from circuitos.script.errors import CircuitError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from circuitos.agents.virtual_lpr.gather import Read

# Confidence by the share of readings that have a value, in percent.
CONFIDENCE = ((90, "very high"), (70, "high"), (50, "medium"), (0, "low"))

_PATHS = tuple(CAPS)
_SHOWN = (*PILLARS, *GROUPS)
_MEMBERS = {part: [row for row, signal in enumerate(SIGNALS) if signal.part == part] for part in PARTS}
_CHILDREN = {
    path: [child for child in CAPS if child.rpartition(".")[0] == path] for path in (*GROUPS, *PILLARS)
}


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of a batch, in its order. ``rows`` is what ``CircuitDB.update`` takes."""

    totals: NDArray[np.float64]
    is_hot: NDArray[np.bool_]
    rows: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Earned:
    """Points in hundredths, by signal or path, and lead."""

    points: NDArray[np.int32]  # [signal, lead] before caps
    steps: NDArray[np.int8]  # [signal, lead] which step gave them
    lost: NDArray[np.int32]  # [path, lead] what the cap took away
    left: dict[str, NDArray[np.int32]]  # path → [lead] after caps


def score(
    records: Sequence[Mapping[str, Any]],
    enriched: Mapping[str, Any] | None,
    *,
    settings: Mapping[str, Any],
    now: datetime,
    timezone: str = "UTC",
) -> Scores:
    """Score a batch of leads.

    ``enriched`` holds census facts by record id, bare or under ``"census"``; ``settings`` are the tenant's
    (``weights.py`` says which count); ``now`` is aware. Raises ``BadSettings``.
    """
    if now.tzinfo is None:
        raise CircuitError("now has no time zone.", code="lpr.bad-clock")
    weights = weights_of(settings, timezone=timezone)
    found = read(records, enriched or {}, weights=weights, now=now)
    return _rows(records, found, earn(found, weights), weights=weights, now=now)


def earn(found: Read, weights: Weights) -> Earned:
    """The points of every lead, before and after caps."""
    points, steps = _points(found.values, weights)
    lost = np.zeros((len(_PATHS), points.shape[1]), dtype=np.int32)
    left: dict[str, NDArray[np.int32]] = {}
    for path in (*PARTS, *GROUPS, *PILLARS):
        members = _MEMBERS.get(path)
        below = points[members] if members else np.stack([left[child] for child in _CHILDREN[path]])
        filled = below.sum(axis=0, dtype=np.int32)
        cap = weights.caps[path]
        lost[_PATHS.index(path)] = np.maximum(filled - cap, 0)
        left[path] = np.minimum(filled, cap)
    return Earned(points, steps, lost, left)


def _points(values: NDArray[np.float64], weights: Weights) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Points by signal and lead, before caps, and which step of the signal gave them."""
    size = values.shape[1]
    earned = np.zeros((len(SIGNALS), size), dtype=np.int32)
    steps = np.zeros((len(SIGNALS), size), dtype=np.int8)
    for row, signal in enumerate(SIGNALS):
        if signal.proxy in weights.off:
            continue
        value = values[r.INDEX[signal.reading]]
        # From the weakest step to the strongest: the strongest passed remains. NaN passes none.
        for step in range(len(signal.at) - 1, -1, -1):
            at = weights.at[row][step]
            if signal.test == "at_least":
                passed = value >= at
            elif signal.test == "at_most":
                passed = value <= at
            else:
                passed = value < at
            earned[row, passed] = weights.points[row][step]
            steps[row, passed] = step
    for part in STRONGEST_ONLY:
        members = _MEMBERS[part]
        block = earned[members]
        strongest = np.arange(len(members))[:, None] == block.argmax(axis=0)
        earned[members] = np.where(strongest, block, 0)
    return earned, steps


def _rows(
    records: Sequence[Mapping[str, Any]],
    found: Read,
    earned: Earned,
    *,
    weights: Weights,
    now: datetime,
) -> Scores:
    totals = np.stack([earned.left[pillar] for pillar in PILLARS]).sum(axis=0, dtype=np.int32)
    hot = totals >= weights.hot
    lines = attributions(found, earned, weights=weights, now=now)
    missing, shares = missing_data(found, weights)
    live = _live(found, weights)
    breakdowns = np.stack([earned.left[path] for path in _SHOWN], axis=1) / 100
    at = now.isoformat()
    rows = []
    for record, total, is_hot, breakdown, attribution, absent, share, signals in zip(
        records,
        totals.tolist(),
        hot.tolist(),
        breakdowns.tolist(),
        lines,
        missing,
        shares,
        live,
        strict=True,
    ):
        priority, action = "low", "educate"
        if is_hot:
            priority, action = "critical", "immediate follow-up"
        elif total >= weights.nurture:
            priority, action = "normal", "nurture"
        elif signals < weights.least_signals:
            # Little is known of it, which is no reason to leave it.
            priority, action = "normal", "complete the data"
        confidence = next(level for least, level in CONFIDENCE if share >= least)
        rows.append(
            {
                "id": str(record.get("id", "")),
                "lpr_score": total / 100,
                "lpr_grade": weights.grade(total, signals=signals),
                "lpr_hot": is_hot,
                "lpr_priority": priority,
                "lpr_confidence": confidence,
                "lpr_needs_review": confidence == "low",
                "lpr_next_action": action,
                "lpr_breakdown": dict(zip(_SHOWN, breakdown, strict=True)),
                "lpr_attribution": attribution,
                "lpr_missing": absent,
                "lpr_weights_version": weights.version,
                "lpr_scored_at": at,
            }
        )
    return Scores(totals / 100, hot, rows)


def _live(found: Read, weights: Weights) -> list[int]:
    """By lead, how many signals have a value; those switched off have none."""
    used = [r.INDEX[signal.reading] for signal in SIGNALS if signal.proxy not in weights.off]
    count: list[int] = (~np.isnan(found.values[used])).sum(axis=0).tolist()
    return count
