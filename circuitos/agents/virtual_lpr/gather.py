"""Reads a batch of leads into one table of figures, remembering where each figure came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from circuitos.agents.virtual_lpr import readings as r

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from circuitos.agents.virtual_lpr.weights import Weights

EARTH_MILES = 3958.8
UNITED_STATES = frozenset({"US", "USA", "UNITED STATES", "PR"})
AFFLUENCE = {"high": 2.0, "medium": 1.0, "low": 0.0}
_PLAIN = frozenset({str, int, float, bool})
ACTIVITY = "activity"  # as an enrichment is called
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
    rows: list[int] = []
    columns: list[int] = []
    found: list[float] = []
    seen: list[dict[int, tuple[str, Any]]] = []
    has_zip: list[bool] = []
    places: list[tuple[int, float, float]] = []
    figures = _Figures(weights, now)
    targets = weights.targets
    for column, record in enumerate(records):
        own, figure_of = _told(record, enriched, targets=targets, figures=figures)
        rows.extend(figure_of)
        columns.extend([column] * len(figure_of))
        found.extend(figure_of.values())
        facts = _census(record, enriched)
        has_zip.append(bool(record.get("postal_code")))
        if facts:
            source = f"census[{facts.get('zip', '')}]"
            latitude, longitude, affluence = map(facts.get, ("latitude", "longitude", "affluence"))
            if weights.place and latitude is not None and longitude is not None:
                places.append((column, latitude, longitude))
                own[DISTANCE] = (source, None)
            if affluence in AFFLUENCE:
                rows.append(AFFLUENT)
                columns.append(column)
                found.append(AFFLUENCE[affluence])
                own[AFFLUENT] = (f"{source}.affluence", affluence)
        seen.append(own)
    values[rows, columns] = found
    if weights.place and places:
        at, latitudes, longitudes = zip(*places, strict=True)
        values[DISTANCE, at] = haversine(weights.place, np.array([latitudes, longitudes]))
    if weights.seasons is not None:
        values[SEASON] = weights.seasons.get(now.astimezone(weights.zone).month, 0)
    return Read(values, seen, has_zip)


def _told(
    record: Mapping[str, Any], enriched: Mapping[str, Any], *, targets: r.Targets, figures: _Figures
) -> tuple[dict[int, tuple[str, Any]], dict[int, float]]:
    """What its fields say, and where they do not, the mirror: by reading, (source, value) and figure."""
    own: dict[int, tuple[str, Any]] = {}
    figure_of: dict[int, float] = {}
    ranks: dict[int, int] = {}
    for fed, source, value in r.fields(record, targets):
        is_plain = type(value) in _PLAIN
        for index, rank in fed:
            if index in ranks and ranks[index] <= rank:
                continue
            figure = figures[index, value] if is_plain else figures.work_out(index, value)
            if figure is None:
                continue
            ranks[index] = rank
            own[index] = (source, value)
            figure_of[index] = figure
    for index, source, value in _activity(record, enriched):
        figure = figures.work_out(index, value)
        # The lead's own field wins, but for when it was active last: there the newer one does.
        if figure is None or (index in figure_of and (index != r.RECENCY or figure_of[index] <= figure)):
            continue
        own[index] = (source, value)
        figure_of[index] = figure
    return own, figure_of


class _Figures(dict[tuple[int, Any], float | None]):
    """Values as the figures that signals are tested by, each worked out once a batch: most of them repeat."""

    def __init__(self, weights: Weights, now: datetime) -> None:
        super().__init__()
        self.weights = weights
        self.now = now

    def __missing__(self, key: tuple[int, Any]) -> float | None:
        figure = self[key] = self.work_out(*key)
        return figure

    def work_out(self, index: int, value: Any) -> float | None:
        reading = r.FROM_FIELDS[index]
        parsed = r.parse(reading.kind, value)
        if isinstance(parsed, datetime):
            moment = parsed if parsed.tzinfo else parsed.replace(tzinfo=self.weights.zone)
            hours = (self.now - moment).total_seconds() / 3600
            return max(hours, 0.0) if hours >= -r.AHEAD_HOURS else None
        if isinstance(parsed, str):
            if reading.name == "growth_stage":
                return float(parsed in self.weights.growth_stages)
            return float(parsed in self.weights.industries) if self.weights.industries else None
        if parsed is not None and reading.name == "company_size":
            return float(self.weights.size[0] <= parsed <= self.weights.size[1])
        return parsed


def _census(record: Mapping[str, Any], enriched: Mapping[str, Any]) -> Mapping[str, Any] | None:
    country = record.get("country")
    if country and str(country).strip().upper() not in UNITED_STATES:
        return None  # five digits are a postal code in many countries
    facts = enriched.get(str(record.get("id", "")))
    if not facts:
        return None
    census = facts.get("census", None if ACTIVITY in facts else facts)
    return census if isinstance(census, dict) else None


def _activity(record: Mapping[str, Any], enriched: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    """What the mirror tells of the lead: reading, the record it was read from, value."""
    facts = (enriched.get(str(record.get("id", ""))) or {}).get(ACTIVITY)
    if not isinstance(facts, dict):
        return
    for name, fact in facts.items():
        index = r.INDEX.get(name, len(r.FROM_FIELDS))
        if index < len(r.FROM_FIELDS) and isinstance(fact, dict) and fact.get("value") is not None:
            yield index, str(fact.get("source") or ACTIVITY), fact["value"]


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
