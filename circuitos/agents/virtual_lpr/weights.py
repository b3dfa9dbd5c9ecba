"""Weights: the rule table's figures as one tenant has set them, checked.

A tenant's settings may hold, all optional::

    {"latitude": 33.07, "longitude": -96.81,        # of the business: gives the distance
     "industry": "dental",                          # credit, housing, employment: no proxies
     "lpr": {"points": {"called": 12, "recency": [8, 5, 2]},    # by signal, in points
             "at": {"distance": [1, 3, 10]},                    # by signal, the thresholds
             "caps": {"fit": 30, "intent": 50, …},              # by path
             "thresholds": {"hot": 70, "nurture": 40, "A": 80, "B": 65, "C": 40},
             "proxies": {"age": false, "income": true, "affluence": true, "life_events": true},
             "ideal_industries": ["dental"], "ideal_company_size": {"min": 10, "max": 500},
             "growth_stages": ["growth"], "season": {"peak": [1, 9], "high": [5]},
             "fields": {"site_visits": "besuche"},              # by reading, the CRM's field; "" = none
             "least_signals": 5}}                               # with fewer: not enough data

Whatever breaks the promises of the score (0 to 100, never less for a stronger signal) is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from circuitos.agents.virtual_lpr.readings import FIELD_OF, TARGETS, Targets, word, words
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, PILLARS, SIGNALS, VERSION
from circuitos.script.errors import CircuitError

if TYPE_CHECKING:
    from collections.abc import Mapping

THRESHOLDS = {"hot": 70.0, "nurture": 40.0, "A": 80.0, "B": 65.0, "C": 40.0}
PROXIES = ("age", "income", "affluence", "life_events")
GROWTH_STAGES = words("growth growing scale scaling scaleup expansion expanding") | {
    "high growth",
    "scale up",
}
IDEAL_COMPANY_SIZE = {"min": 10.0, "max": math.inf}
# Businesses for which the law forbids deciding by such proxies (credit, housing, employment).
# A word of the tenant's industry is enough: leaving a proxy out by mistake harms nobody.
REGULATED = words(
    "credit lender lending loan loans mortgage mortgages bank banking housing apartments realtor rental"
    " rentals leasing employment recruiter recruiting recruitment staffing"
)
REGULATED_PHRASES = ("real estate", "property management", "human resources")
KEYS = words(
    "points at caps thresholds proxies ideal_industries ideal_company_size growth_stages season fields"
    " least_signals"
)
LEAST_SIGNALS = 5
NOT_ENOUGH = "not enough data"  # in place of a grade
LONGEST_FIELD = 200


class BadSettings(CircuitError):
    """The tenant's scoring settings cannot be used; the sentence says which and why."""

    code = "lpr.bad-settings"


@dataclass(frozen=True, slots=True)
class Weights:
    """The table as the tenant has set it. Points and caps in hundredths, in the order of ``SIGNALS``."""

    version: str
    points: tuple[tuple[int, ...], ...]
    at: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    caps: dict[str, int]
    hot: int
    nurture: int
    grades: tuple[tuple[int, str], ...]  # (at least, grade), best first
    off: frozenset[str]  # proxies that are switched off
    place: tuple[float, float] | None
    zone: ZoneInfo
    industries: frozenset[str]
    growth_stages: frozenset[str]
    size: tuple[float, float]
    seasons: dict[int, int] | None  # month → 2 peak, 1 high
    targets: Targets  # which readings a field name feeds
    least_signals: int  # a lead with fewer has no grade

    def grade(self, total: int, *, signals: int) -> str:
        """The grade of a total in hundredths, from so many signals that have a value."""
        if signals < self.least_signals:
            return NOT_ENOUGH
        return next((grade for least, grade in self.grades if total >= least), "D")


def weights_of(settings: Mapping[str, Any], *, timezone: str = "UTC") -> Weights:
    """The tenant's weights. Raises ``BadSettings`` with a sentence that names the setting."""
    own = settings.get("lpr") or {}
    if not isinstance(own, dict):
        raise BadSettings("lpr is not a mapping.")
    told = {name: settings.get(name) for name in ("latitude", "longitude", "industry")}
    # Every batch asks; the checking is done once for the same settings.
    return _weights(json.dumps([own, told, timezone], sort_keys=True, default=str))


@lru_cache(maxsize=256)
def _weights(text: str) -> Weights:
    own, told, timezone = json.loads(text)
    if unknown := sorted(set(own) - KEYS):
        raise BadSettings(f"lpr.{unknown[0]} is no setting; there are {', '.join(sorted(KEYS))}.")
    points, at = _steps(_mapping(own, "points"), _mapping(own, "at"))
    caps = _caps(_mapping(own, "caps"))
    for signal, steps in zip(SIGNALS, points, strict=True):
        if steps[0] > caps[signal.part]:
            raise BadSettings(
                f"lpr.points.{signal.name} is more than {signal.part} holds, {caps[signal.part] / 100:g}."
            )
    thresholds = _thresholds(_mapping(own, "thresholds"))
    changed = {name: own[name] for name in sorted(own) if own[name] or own[name] == 0}
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    return Weights(
        version=f"{VERSION}+{digest}" if changed else VERSION,
        points=points,
        at=at,
        labels=tuple(
            tuple(
                label.format(at=f"{step:g}")
                for label, step in zip(cycle(signal.label.split("|")), steps, strict=False)
            )
            for signal, steps in zip(SIGNALS, at, strict=True)
        ),
        caps=caps,
        hot=thresholds["hot"],
        nurture=thresholds["nurture"],
        grades=tuple((thresholds[grade], grade) for grade in "ABC"),
        off=_switched_off(_mapping(own, "proxies"), told["industry"]),
        place=_place(told["latitude"], told["longitude"]),
        zone=_zone(timezone),
        industries=_words(own, "ideal_industries", frozenset()),
        growth_stages=_words(own, "growth_stages", GROWTH_STAGES),
        size=_size(_mapping(own, "ideal_company_size")),
        seasons=_seasons(_mapping(own, "season")),
        targets=_targets(_mapping(own, "fields")),
        least_signals=_least_signals(own.get("least_signals")),
    )


def targets_of(settings: Mapping[str, Any]) -> Targets:
    """Which readings a field name feeds, as the tenant has chosen. Raises ``BadSettings``."""
    own = settings.get("lpr")
    chosen = own.get("fields") if isinstance(own, dict) else None
    return _chosen_targets(json.dumps(chosen, sort_keys=True, default=str)) if chosen else TARGETS


@lru_cache(maxsize=256)
def _chosen_targets(text: str) -> Targets:
    return _targets(_mapping({"fields": json.loads(text)}, "fields"))


def _targets(own: Mapping[str, Any]) -> Targets:
    if unknown := sorted(set(own) - set(FIELD_OF)):
        raise BadSettings(f"lpr.fields.{unknown[0]} is no reading.")
    for reading, name in own.items():
        if not isinstance(name, str) or len(name) > LONGEST_FIELD:
            raise BadSettings(f"lpr.fields.{reading} must be the name of a field, or empty for none.")
    return Targets(own) if own else TARGETS


def _least_signals(own: Any) -> int:
    if own is None:
        return LEAST_SIGNALS
    if isinstance(own, bool) or not isinstance(own, int) or not 0 <= own <= len(SIGNALS):
        raise BadSettings(f"lpr.least_signals is {own!r}; write a whole number from 0 to {len(SIGNALS)}.")
    return own


def _steps(
    own_points: Mapping[str, Any], own_at: Mapping[str, Any]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[float, ...], ...]]:
    names = {signal.name for signal in SIGNALS}
    for section, own in (("points", own_points), ("at", own_at)):
        if unknown := sorted(set(own) - names):
            raise BadSettings(f"lpr.{section}.{unknown[0]} is no signal.")
    all_points, all_at = [], []
    for signal in SIGNALS:
        points, at = signal.points, signal.at
        if signal.name in own_points:
            points = tuple(
                _hundredths(f"lpr.points.{signal.name}", value) for value in _list(own_points[signal.name])
            )
        if signal.name in own_at:
            at = tuple(_number(f"lpr.at.{signal.name}", value) for value in _list(own_at[signal.name]))
        if len(points) != len(signal.points) or len(at) != len(signal.at):
            raise BadSettings(f"lpr: {signal.name} has {len(signal.at)} step(s); give as many.")
        # Strongest first: points never rise along the steps, thresholds only towards the weaker side.
        if list(points) != sorted(points, reverse=True):
            raise BadSettings(f"lpr.points.{signal.name}: a stronger step may not give fewer points.")
        if list(at) != sorted(set(at), reverse=signal.test == "at_least"):
            raise BadSettings(f"lpr.at.{signal.name}: the thresholds are not in order, strongest first.")
        all_points.append(points)
        all_at.append(at)
    return tuple(all_points), tuple(all_at)


def _caps(own: Mapping[str, Any]) -> dict[str, int]:
    if unknown := sorted(set(own) - set(CAPS)):
        raise BadSettings(f"lpr.caps.{unknown[0]} is no pillar, group or part.")
    caps = {**CAPS, **{path: _hundredths(f"lpr.caps.{path}", value) for path, value in own.items()}}
    if sum(caps[pillar] for pillar in PILLARS) != 10_000:
        raise BadSettings("lpr.caps: fit, intent and timing do not add up to 100.")
    for pillar in PILLARS:
        below = sum(caps[group] for group in GROUPS if group.startswith(f"{pillar}."))
        if below != caps[pillar]:
            raise BadSettings(
                f"lpr.caps: the groups of {pillar} add up to {below / 100:g}, not to {caps[pillar] / 100:g}."
            )
    for group in GROUPS:
        below = sum(caps[part] for part in PARTS if part.startswith(f"{group}."))
        if below < caps[group]:
            raise BadSettings(
                f"lpr.caps: the parts of {group} add up to {below / 100:g}: it can never be filled."
            )
    return caps


def _thresholds(own: Mapping[str, Any]) -> dict[str, int]:
    if unknown := sorted(set(own) - set(THRESHOLDS)):
        raise BadSettings(f"lpr.thresholds.{unknown[0]} is none; there are {', '.join(THRESHOLDS)}.")
    found = {
        name: _hundredths(f"lpr.thresholds.{name}", value) for name, value in {**THRESHOLDS, **own}.items()
    }
    if not found["C"] < found["B"] < found["A"] <= 10_000:
        raise BadSettings("lpr.thresholds: C, B and A must rise and stay within 100.")
    if not found["nurture"] < found["hot"] <= 10_000:
        raise BadSettings("lpr.thresholds: nurture must be below hot, and hot within 100.")
    return found


def _switched_off(own: Mapping[str, Any], industry: Any) -> frozenset[str]:
    if unknown := sorted(set(own) - set(PROXIES)):
        raise BadSettings(f"lpr.proxies.{unknown[0]} is no proxy; there are {', '.join(PROXIES)}.")
    for name, value in own.items():
        if not isinstance(value, bool):
            raise BadSettings(f"lpr.proxies.{name} must be true or false.")
    if _is_regulated(str(industry or "")):
        return frozenset(PROXIES)  # no setting switches them on again
    return frozenset(name for name in PROXIES if own.get(name, True) is False)


def _is_regulated(industry: str) -> bool:
    spelled = re.findall(r"[a-z]+", industry.casefold())
    return not REGULATED.isdisjoint(spelled) or any(
        phrase in " ".join(spelled) for phrase in REGULATED_PHRASES
    )


def _place(latitude: Any, longitude: Any) -> tuple[float, float] | None:
    if latitude in {None, ""} or longitude in {None, ""}:
        return None
    place = _number("latitude", latitude), _number("longitude", longitude)
    if abs(place[0]) > 90 or abs(place[1]) > 180:
        raise BadSettings("latitude and longitude are no place on earth.")
    return place


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadSettings(f"{name!r} is no time zone.") from None


def _seasons(own: Mapping[str, Any]) -> dict[int, int] | None:
    if unknown := sorted(set(own) - {"peak", "high"}):
        raise BadSettings(f"lpr.season.{unknown[0]} is none; there are peak and high.")
    months: dict[int, int] = {}
    for name, strength in (("high", 1), ("peak", 2)):
        for month in _list(own.get(name, [])):
            if isinstance(month, bool) or not isinstance(month, int) or not 1 <= month <= 12:
                raise BadSettings(f"lpr.season.{name}: {month!r} is no month; write 1 to 12.")
            months[month] = strength
    return months if own else None


def _size(own: Mapping[str, Any]) -> tuple[float, float]:
    if unknown := sorted(set(own) - {"min", "max"}):
        raise BadSettings(f"lpr.ideal_company_size.{unknown[0]} is none; there are min and max.")
    low, high = (
        _number(f"lpr.ideal_company_size.{name}", own[name])
        if own.get(name) is not None
        else IDEAL_COMPANY_SIZE[name]
        for name in ("min", "max")
    )
    if low > high:
        raise BadSettings("lpr.ideal_company_size: min is above max.")
    return low, high


def _words(own: Mapping[str, Any], name: str, default: frozenset[str]) -> frozenset[str]:
    found = own.get(name)
    if found is None:
        return default
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise BadSettings(f"lpr.{name} must be a list of words.")
    return frozenset(filter(None, map(word, found)))


def _mapping(own: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = own.get(name) or {}
    if not isinstance(found, dict):
        raise BadSettings(f"lpr.{name} must be a mapping.")
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, bool):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadSettings(f"{name} is {value!r}, not a number.") from None
    if not math.isfinite(found):
        raise BadSettings(f"{name} is {value!r}, not a number.")
    return found


def _hundredths(name: str, value: Any) -> int:
    found = _number(name, value)
    if not 0 <= found <= 100:
        raise BadSettings(f"{name} is {value!r}; write 0 to 100.")
    return round(found * 100)
