"""The account of a score: a line for every point, and the fields that would have told more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from circuitos.agents.virtual_lpr import readings as r
from circuitos.agents.virtual_lpr.gather import DISTANCE, SEASON
from circuitos.agents.virtual_lpr.rules import CAPS, SIGNALS

if TYPE_CHECKING:
    from datetime import datetime

    from circuitos.agents.virtual_lpr.gather import Read
    from circuitos.agents.virtual_lpr.score import Earned
    from circuitos.agents.virtual_lpr.weights import Weights

SHOWN_CHARACTERS = 80  # of a value

_PATHS = tuple(CAPS)
_CAP_RULES = tuple(
    (f"{path}.cap", f"{path.rpartition('.')[2].replace('_', ' ')} is full", f"lpr.caps.{path}")
    for path in _PATHS
)
# Of every signal: its rule, its reading and its proxy.
_ROWS = tuple((f"{signal.part}.{signal.name}", r.INDEX[signal.reading], signal.proxy) for signal in SIGNALS)
_SHORT = frozenset({bool, int, float, type(None)})


def attributions(
    read: Read, earned: Earned, *, weights: Weights, now: datetime
) -> list[list[dict[str, Any]]]:
    """By lead, the lines that make up its total: signals in the table's order, then caps."""
    lines: list[list[dict[str, Any]]] = [[] for _ in read.seen]
    season = ("lpr.season", now.astimezone(weights.zone).strftime("%B"))
    leads, signals = np.nonzero(earned.points.T)
    # The loop below runs about ten times a lead; what it needs is looked up before.
    for lead, row, points, step in zip(
        leads.tolist(),
        signals.tolist(),
        (earned.points[signals, leads] / 100).tolist(),
        earned.steps[signals, leads].tolist(),
        strict=True,
    ):
        rule, index, proxy = _ROWS[row]
        source, value = season if index == SEASON else read.seen[lead][index]
        if index == DISTANCE:
            value = f"{read.values[DISTANCE, lead]:.1f} miles"
        elif type(value) not in _SHORT:
            value = _shown(value)
        line = {
            "rule": rule,
            "label": weights.labels[row][step],
            "points": points,
            "source": source,
            "value": value,
        }
        if proxy:
            line["proxy"] = proxy
        lines[lead].append(line)
    for proxy_row, signal in enumerate(SIGNALS):
        if signal.proxy in weights.off:
            _show_switched_off(lines, read, proxy_row)
    leads, paths = np.nonzero(earned.lost.T)
    for lead, row, points in zip(
        leads.tolist(), paths.tolist(), (earned.lost[paths, leads] / 100).tolist(), strict=True
    ):
        rule, label, source = _CAP_RULES[row]
        cap = weights.caps[_PATHS[row]] / 100
        lines[lead].append({"rule": rule, "label": label, "points": -points, "source": source, "value": cap})
    return lines


def _show_switched_off(lines: list[list[dict[str, Any]]], read: Read, row: int) -> None:
    """A line without points where a proxy would have been read: what was left out stays visible."""
    rule, index, proxy = _ROWS[row]
    for own, line in zip(read.seen, lines, strict=True):
        if index in own:
            source, value = own[index]
            line.append(
                {
                    "rule": rule,
                    "label": "not used: switched off as a proxy",
                    "points": 0.0,
                    "source": source,
                    "value": _shown(value),
                    "proxy": proxy,
                }
            )


def missing_data(read: Read, weights: Weights) -> tuple[list[list[str]], list[float]]:
    """By lead, the fields that would have told more, and the share of readings it has, in percent."""
    used = [
        index
        for index, name in enumerate(r.NAMES)
        if any(signal.reading == name and signal.proxy not in weights.off for signal in SIGNALS)
    ]
    absent = np.isnan(read.values[used]).T
    lists: dict[tuple[bytes, bool], tuple[list[str], float]] = {}
    missing, shares = [], []
    # Leads of one source lack the same fields: the list of names is made once for each pattern.
    for pattern, lead, has_zip in zip(np.packbits(absent, axis=1), absent, read.has_zip, strict=True):
        key = (pattern.tobytes(), has_zip)
        known = lists.get(key)
        if known is None:
            names = [_field(used[place], weights, has_zip=has_zip) for place in np.flatnonzero(lead).tolist()]
            known = list(dict.fromkeys(names)), 100 * (len(used) - len(names)) / len(used)
            lists[key] = known
        missing.append(known[0].copy())
        shares.append(known[1])
    return missing, shares


def _field(index: int, weights: Weights, *, has_zip: bool) -> str:
    """What would have to be filled for a reading to have a value."""
    name = r.NAMES[index]
    if name == "season":
        return "settings.lpr.season"
    if name == "industry" and not weights.industries:
        return "settings.lpr.ideal_industries"
    if name == "distance_miles" and weights.place is None:
        return "settings.latitude"
    if name in r.DERIVED:
        return "census" if has_zip else "postal_code"
    return r.FIELD_OF[name]


def _shown(value: Any) -> Any:
    """A value as the attribution shows it."""
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"{value[:SHOWN_CHARACTERS]}…"
    if isinstance(value, list | tuple | dict):
        return f"{len(value)} entries"
    return value
