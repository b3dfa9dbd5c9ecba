"""Reads a batch of leads into one table of figures, remembering where each figure came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitos.agents.virtual_lpr import readings as r

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from circuitos.agents.virtual_lpr.weights import Weights

EARTH_MILES = 3958.8
UNITED_STATES = frozenset({"US", "USA", "UNITED STATES", "PR"})
AFFLUENCE = {"high": 2.0, "medium": 1.0, "low": 0.0}
DISTANCE, AFFLUENT, SEASON = (r.INDEX[name] for name in r.DERIVED)


@dataclass(slots=True)
class Read:
    """What was found on the leads: the values by reading and lead, and where each came from."""

    values: NDArray[np.float64]  # [reading, lead], NaN = missing
    seen: list[dict[int, tuple[str, Any]]]  # by lead: reading → (source, value as it came)
    has_zip: list[bool]


def read(
    records: Sequence[Mapping[str, Any]], enriched: Mapping[str, Any], *, weights: Weights, now: datetime
) -> Read:
    """Read every lead's fields, census facts and the season into one table."""
    size = len(records)
    values = np.full((len(r.NAMES), size), np.nan)
    places = np.full((2, size), np.nan)
    rows: list[int] = []
    columns: list[int] = []
    found: list[float] = []
    seen: list[dict[int, tuple[str, Any]]] = []
    has_zip: list[bool] = []
    for column, record in enumerate(records):
        ranks: dict[int, int] = {}
        own: dict[int, tuple[str, Any]] = {}
        for name, source, value in r.fields(record):
            for index, rank in r.TARGETS[name]:
                if ranks.get(index, 99) <= rank:
                    continue
                figure = _figure(index, value, weights, now)
                if figure is None:
                    continue
                ranks[index] = rank
                own[index] = (source, value)
                rows.append(index)
                columns.append(column)
                found.append(figure)
        facts = _census(record, enriched)
        has_zip.append(bool(record.get("postal_code")))
        if facts:
            source = f"census[{facts.get('zip', '')}]"
            if weights.place and facts.get("latitude") is not None and facts.get("longitude") is not None:
                places[:, column] = facts["latitude"], facts["longitude"]
                own[DISTANCE] = (source, None)
            affluence = facts.get("affluence")
            if affluence in AFFLUENCE:
                values[AFFLUENT, column] = AFFLUENCE[affluence]
                own[AFFLUENT] = (f"{source}.affluence", affluence)
        seen.append(own)
    # A later, better name was appended after the one it replaces, and numpy lets the last one win.
    values[rows, columns] = found
    if weights.place:
        values[DISTANCE] = haversine(weights.place, places)
    if weights.seasons is not None:
        values[SEASON] = weights.seasons.get(now.astimezone(weights.zone).month, 0)
    return Read(values, seen, has_zip)


def _figure(index: int, value: Any, weights: Weights, now: datetime) -> float | None:
    """The value of a reading as the figure its signals are tested by."""
    reading = r.FROM_FIELDS[index]
    parsed = r.parse(reading.kind, value)
    if parsed is None:
        return None
    if isinstance(parsed, datetime):
        hours = (
            now - (parsed if parsed.tzinfo else parsed.replace(tzinfo=weights.zone))
        ).total_seconds() / 3600
        return max(hours, 0.0) if hours >= -r.AHEAD_HOURS else None
    if isinstance(parsed, str):
        if reading.name == "growth_stage":
            return float(parsed in weights.growth_stages)
        return float(parsed in weights.industries) if weights.industries else None
    if reading.name == "company_size":
        return float(weights.size[0] <= parsed <= weights.size[1])
    return parsed


def _census(record: Mapping[str, Any], enriched: Mapping[str, Any]) -> Mapping[str, Any] | None:
    country = record.get("country")
    if country and str(country).strip().upper() not in UNITED_STATES:
        return None  # five digits are a postal code in many countries
    facts = enriched.get(str(record.get("id", "")))
    if not facts:
        return None
    census = facts.get("census", facts)
    return census if isinstance(census, dict) else None


def haversine(place: tuple[float, float], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle miles from ``place`` to each column (latitude, longitude) of ``places``, in degrees."""
    latitude, longitude = np.radians(place)
    latitudes, longitudes = np.radians(places)
    half = (
        np.sin((latitudes - latitude) / 2) ** 2
        + np.cos(latitude) * np.cos(latitudes) * np.sin((longitudes - longitude) / 2) ** 2
    )
    miles: NDArray[np.float64] = 2 * EARTH_MILES * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return miles
