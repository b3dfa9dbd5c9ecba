"""The shipped ZIP table: looked up in a memory-mapped file, so a process pays for the pages it reads."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent / "zips.bin"
HEADER = 9  # magic (5), number of rows (4)
ROW = 13  # ZIP, latitude, longitude, population (3 bytes each), percentile (1); big-endian, sorted by ZIP
UNKNOWN_POPULATION = 0xFFFFFF
UNKNOWN_PERCENTILE = 0xFF


@dataclass(frozen=True, slots=True)
class Zip:
    """What the table knows of one ZIP code. ``wages_percentile`` is 0–99, higher is wealthier."""

    code: str
    latitude: float
    longitude: float
    population: int | None
    wages_percentile: int | None


def find(code: str) -> Zip | None:
    """The ZIP code's row, or None. ``code`` is five digits."""
    table, rows = _table()
    wanted = int(code).to_bytes(3, "big")
    low, high = 0, rows
    while low < high:
        middle = (low + high) // 2
        start = HEADER + middle * ROW
        if table[start : start + 3] < wanted:
            low = middle + 1
        else:
            high = middle
    row = table[HEADER + low * ROW : HEADER + (low + 1) * ROW]
    if low == rows or row[:3] != wanted:
        return None
    population = int.from_bytes(row[9:12], "big")
    return Zip(
        code=code,
        latitude=(int.from_bytes(row[3:6], "big") - 900_000) / 10_000,
        longitude=(int.from_bytes(row[6:9], "big") - 1_800_000) / 10_000,
        population=None if population == UNKNOWN_POPULATION else population,
        wages_percentile=None if row[12] == UNKNOWN_PERCENTILE else row[12],
    )


@cache
def _table() -> tuple[mmap.mmap, int]:
    with PATH.open("rb") as file:
        table = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return table, int.from_bytes(table[5:HEADER], "big")
