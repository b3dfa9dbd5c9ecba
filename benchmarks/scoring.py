"""Lead scoring: the vectorised batch against a plain loop over leads that reads the same table.

    python -m benchmarks.scoring [--leads N]

Both give the same totals, or this stops. The loop is what one writes first: it goes over the rule table for
every lead and keeps a line for every point, but asks the same parsers for the same fields.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from circuitos.agents.virtual_lpr import readings as r
from circuitos.agents.virtual_lpr import score
from circuitos.agents.virtual_lpr.gather import haversine
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, PILLARS, SIGNALS, STRONGEST_ONLY
from circuitos.agents.virtual_lpr.weights import Weights, weights_of

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "latitude": 33.08,
    "longitude": -96.8,
    "lpr": {"ideal_industries": ["dental"], "season": {"peak": [7]}},
}
ROUNDS = 5


def leads(number: int) -> list[dict[str, Any]]:
    """Leads as CRMs send them: about half of the signals, as text, numbers and flags."""
    random.seed(7)
    choose, count = random.choice, random.randint
    return [
        {
            "id": f"c{index}",
            "first_name": "Ada",
            "email": f"ada{index}@example.test",
            "postal_code": "75024",
            "country": "US",
            "industry": choose(["dental", "retail", None]),
            "created_at": (NOW - timedelta(hours=count(0, 100))).isoformat(),
            "custom_fields": {
                "site_visits": str(count(0, 9)),
                "minutes_on_site": count(0, 9),
                "called": choose(["Yes", "No", ""]),
                "appointment": choose([True, False, None]),
                "downloads": choose(["menu.pdf", ""]),
                "form_submitted": choose(["Membership", ""]),
                "pages_viewed": count(0, 20),
                "email_opens": count(0, 9),
                "email_clicks": count(0, 5),
                "actions_7d": count(0, 8),
                "reviews_read": count(0, 9),
                "company_size": choose(["11-50", "1-10", "200"]),
            },
        }
        for index in range(number)
    ]


def census(batch: list[dict[str, Any]]) -> dict[str, Any]:
    """Facts about places at up to ten miles."""
    random.seed(11)
    return {
        lead["id"]: {
            "census": {
                "zip": "75024",
                "latitude": 33.08 + random.random() / 7,
                "longitude": -96.8,
                "affluence": random.choice(["high", "medium", "low"]),
            }
        }
        for lead in batch
    }


def plain(batch: list[dict[str, Any]], enriched: dict[str, Any]) -> list[dict[str, Any]]:
    """The same scores, lead by lead and rule by rule."""
    weights = weights_of(SETTINGS)
    return [_one(lead, enriched[lead["id"]]["census"], weights) for lead in batch]


def _one(lead: dict[str, Any], facts: dict[str, Any], weights: Weights) -> dict[str, Any]:
    values = _values(lead, facts, weights)
    lines, by_part = [], dict.fromkeys(PARTS, 0)
    for row, signal in enumerate(SIGNALS):
        if signal.reading not in values or signal.proxy in weights.off:
            continue
        value, source = values[signal.reading]
        for at, points in zip(weights.at[row], weights.points[row], strict=True):
            if (
                (signal.test == "at_least" and value >= at)
                or (signal.test == "at_most" and value <= at)
                or (signal.test == "below" and value < at)
            ):
                if signal.part in STRONGEST_ONLY:
                    by_part[signal.part] = max(by_part[signal.part], points)
                else:
                    by_part[signal.part] += points
                lines.append({"rule": signal.name, "points": points / 100, "source": source})
                break
    left = {part: min(points, CAPS[part]) for part, points in by_part.items()}
    for paths, below in ((GROUPS, PARTS), (PILLARS, GROUPS)):
        for path in paths:
            left[path] = min(sum(left[child] for child in below if child.startswith(f"{path}.")), CAPS[path])
    missing = [name for name in r.NAMES if name not in values]
    total = sum(left[pillar] for pillar in PILLARS) / 100
    return {"id": lead["id"], "lpr_score": total, "lpr_attribution": lines, "lpr_missing": missing}


def _values(lead: dict[str, Any], facts: dict[str, Any], weights: Weights) -> dict[str, tuple[float, str]]:
    values: dict[str, tuple[float, str]] = {}
    for reading in r.FROM_FIELDS:
        for name in reading.names:
            for place in (lead, lead["custom_fields"]):
                parsed = r.parse(reading.kind, place.get(name)) if name in place else None
                if parsed is None or reading.name in values:
                    continue
                if isinstance(parsed, datetime):
                    parsed = max((NOW - parsed).total_seconds() / 3600, 0.0)
                elif isinstance(parsed, str):
                    parsed = float(parsed in (weights.industries | weights.growth_stages))
                elif reading.name == "company_size":
                    parsed = float(weights.size[0] <= parsed <= weights.size[1])
                values[reading.name] = (parsed, name)
    assert weights.place
    place_of_lead = np.array([[facts["latitude"]], [facts["longitude"]]])
    values["distance_miles"] = (float(haversine(weights.place, place_of_lead)[0]), "census")
    values["affluence"] = ({"high": 2.0, "medium": 1.0, "low": 0.0}[facts["affluence"]], "census")
    values["season"] = (2.0, "settings")
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=10_000)
    number = parser.parse_args().leads
    batch = leads(number)
    enriched = census(batch)
    times: dict[str, list[float]] = {"plain loop": [], "one batch": [], "batches of 200": []}
    for _ in range(ROUNDS):
        gc.collect()
        began = time.perf_counter()
        expected = plain(batch, enriched)
        times["plain loop"].append(time.perf_counter() - began)

        gc.collect()
        began = time.perf_counter()
        rows = score(batch, enriched, settings=SETTINGS, now=NOW).rows
        times["one batch"].append(time.perf_counter() - began)
        if [row["lpr_score"] for row in rows] != [row["lpr_score"] for row in expected]:
            raise SystemExit("The two do not agree on the scores.")

        gc.collect()
        began = time.perf_counter()
        for start in range(0, number, 200):
            score(batch[start : start + 200], enriched, settings=SETTINGS, now=NOW)
        times["batches of 200"].append(time.perf_counter() - began)
    loop = statistics.median(times["plain loop"])
    print(f"{number} leads, median of {ROUNDS} rounds")
    for name, taken in times.items():
        seconds = statistics.median(taken)
        print(
            f"  {name:15} {seconds:6.3f} s  {seconds / number * 1e6:6.1f} µs a lead  {loop / seconds:4.1f} ×"
        )


if __name__ == "__main__":
    main()
