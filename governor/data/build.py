"""Builds ``zips.bin``, the shipped table of US ZIP codes, from two public CSV files.

    python -m governor.data.build zcta_latlng.csv zip_population_wages.csv

The sources and their licences stand in ``NOTICE.md`` beside this file.
"""

from __future__ import annotations

import csv
import struct
import sys
from bisect import bisect_right
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).parent / "zips.bin"
MAGIC = b"CZIP\x01"
# ZIP, latitude and longitude (unsigned, shifted, 1/10,000 degree), population, percentile of wages.
WIDTHS = (3, 3, 3, 3, 1)
UNKNOWN_POPULATION = 0xFFFFFF
UNKNOWN_PERCENTILE = 0xFF


def build(coordinates: Path, wages: Path) -> bytes:
    """The table as bytes: a header (magic, number of rows), then rows sorted by ZIP code."""
    places = {row["GEOID"]: (float(row["LAT"]), float(row["LONG"])) for row in _rows(coordinates)}
    facts = {row["Zipcode"]: row for row in _rows(wages)}
    for code, row in facts.items():
        if code not in places and row["Latitude"]:
            places[code] = (float(row["Latitude"]), float(row["Longitude"]))
    ranked = sorted(float(row["Wealthy"]) for row in facts.values() if row["Wealthy"])

    packed = [MAGIC, struct.pack(">I", len(places))]
    for code in sorted(places):
        latitude, longitude = places[code]
        row = facts.get(code, {})
        population = int(float(row["Population"])) if row.get("Population") else UNKNOWN_POPULATION
        percentile = UNKNOWN_PERCENTILE
        if row.get("Wealthy"):
            percentile = min(99, bisect_right(ranked, float(row["Wealthy"])) * 100 // len(ranked))
        values = (
            int(code),
            round((latitude + 90) * 10_000),
            round((longitude + 180) * 10_000),
            population,
            percentile,
        )
        packed += [value.to_bytes(width, "big") for value, width in zip(values, WIDTHS, strict=True)]
    return b"".join(packed)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    TARGET.write_bytes(build(Path(sys.argv[1]), Path(sys.argv[2])))
