"""Readings: the values a score is made from, found under any of their names and parsed tolerantly.

CRMs and workflow tools send what people typed: "Yes", "4", "1,200", "11-50". A value that cannot be read
counts as missing, never as zero points earned.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


Kind = Literal["flag", "mention", "number", "moment", "word"]

YES = words(
    "yes y true t on x checked done booked confirmed scheduled requested submitted completed verified met"
)
NO = words(
    "no n false f off none never null nil n/a na - cancelled canceled declined unchecked unverified no-show"
) | {
    "no show",
    "not yet",
}
NUMBER = re.compile(r"[<>~≥≤+]?\s*(\d+(?:\.\d+)?|\.\d+)")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?:\D|$))")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# An activity dated up to a day ahead is a clock or a time zone; further ahead it is no date of an activity.
AHEAD_HOURS = 24.0
MILLISECONDS = 1e11  # epoch figures above this are milliseconds: as seconds they would lie beyond year 5000


@dataclass(frozen=True, slots=True)
class Reading:
    """One input. ``names``: the field names it is read from, the first that can be read wins."""

    name: str
    kind: Kind
    names: tuple[str, ...]


def _reading(name: str, kind: Kind, more: str = "", *, first: str | None = None) -> Reading:
    return Reading(name, kind, (first or name, *more.split()))


# Names are compared in snake_case, so "Site Visits" and "siteVisits" are site_visits.
FROM_FIELDS: tuple[Reading, ...] = (
    _reading("industry", "word", "business_type sector vertical"),
    _reading(
        "company_size",
        "number",
        "employees employee_count number_of_employees numberofemployees num_employees team_size headcount",
    ),
    _reading("growth_stage", "word", "company_stage funding_stage"),
    _reading("verified_income", "flag", "income_verified"),
    _reading("employment_years", "number", "years_employed years_in_employment years_at_job"),
    _reading(
        "site_visits",
        "number",
        "website_visits visits visit_count num_visits sessions hs_analytics_num_visits",
    ),
    _reading("minutes_on_site", "number", "time_on_site_minutes minutes_on_website time_on_site"),
    _reading("social_engagement", "flag", "social_engaged social_interactions engaged_on_social"),
    _reading("reads_reviews", "flag", "read_reviews reviews_read reviews_viewed"),
    _reading("values_match", "flag", "explicit_values_match survey_match values_survey_match"),
    _reading("content_pattern", "flag", "content_match content_pattern_match"),
    _reading("proactive_contact", "flag", "contacted_us initiated_contact inbound_contact"),
    _reading("reply_minutes", "number", "response_minutes reply_time_minutes response_time_minutes"),
    _reading("reviews_read", "number", "reviews_viewed number_of_reviews_read"),
    _reading("called", "flag", "called_us phone_call inbound_call calls call_count phone_calls"),
    _reading(
        "appointment",
        "flag",
        "appointment_booked appointment_scheduled booked_appointment has_appointment appointments",
    ),
    _reading("callback_requested", "flag", "callback requested_callback call_back_requested"),
    _reading(
        "directions_requested", "flag", "directions requested_directions directions_clicked map_directions"
    ),
    _reading(
        "download",
        "mention",
        "downloads downloaded menu_download menu_downloaded price_download pricing_download"
        " prices_downloaded price_list_download brochure_download downloaded_menu downloaded_pricing",
    ),
    _reading(
        "form_submitted",
        "mention",
        "form_submission form_submissions contact_form contact_form_submitted forms_submitted",
    ),
    _reading("branded_search", "mention", "brand_search searched_brand"),
    _reading("near_me_search", "mention", "near_me best_near_me best_near_me_search local_search"),
    _reading("research_search", "mention", "research researched research_query"),
    _reading("pages_viewed", "number", "page_views pageviews pages hs_analytics_num_page_views"),
    _reading("email_opens", "number", "emails_opened opens hs_email_open"),
    _reading("email_clicks", "number", "emails_clicked clicks link_clicks hs_email_click"),
    # A lead that never did anything else was at least active when it came in.
    _reading(
        "hours_since_activity",
        "moment",
        "last_activity last_activity_date last_seen_at last_seen last_engagement_at last_visit_at created_at",
        first="last_activity_at",
    ),
    _reading("actions_7d", "number", "actions7d actions_last_7_days actions_7_days weekly_actions"),
    _reading("actions_30d", "number", "actions30d actions_last_30_days actions_30_days monthly_actions"),
    _reading("life_event", "flag", "life_event_verified verified_life_event"),
)
# Not read from a field of the lead: worked out from the census, the tenant's settings and the clock.
DERIVED = ("distance_miles", "affluence", "season")
NAMES: tuple[str, ...] = (*(reading.name for reading in FROM_FIELDS), *DERIVED)
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
# What the mirror knows of a lead may say more of these than its own field.
RECENCY = INDEX["hours_since_activity"]
# What missing_data says when a reading has no value: the field that would have given it.
FIELD_OF: dict[str, str] = {reading.name: reading.names[0] for reading in FROM_FIELDS}


CHOSEN = -1  # the rank of a field that a tenant has chosen: before all names


class Targets(dict[str, tuple[tuple[int, int], ...]]):
    """Which readings (index, rank) a field name feeds. Remembers names it met, as batches repeat them.

    ``chosen`` are a tenant's fields by reading: such a field comes before those found by name, and "" means
    that no field feeds the reading.
    """

    LIMIT = 20_000

    def __init__(self, chosen: Mapping[str, str] | None = None) -> None:
        super().__init__()
        found = chosen or {}
        self._chosen: dict[str, set[int]] = {}
        self._none = {INDEX[reading] for reading, name in found.items() if not name}
        for reading, name in found.items():
            self._chosen.setdefault(snake(name), set()).add(INDEX[reading])

    def __missing__(self, name: str) -> tuple[tuple[int, int], ...]:
        if len(self) > self.LIMIT:  # names are the tenants' own; a hostile body must not grow us for ever
            self.clear()
        canonical = snake(name)
        chosen = self._chosen.get(canonical, ())
        targets = tuple(
            (index, CHOSEN if index in chosen else reading.names.index(canonical))
            for index, reading in enumerate(FROM_FIELDS)
            if index not in self._none and (index in chosen or canonical in reading.names)
        )
        self[name] = targets
        return targets


class _Sources(dict[tuple[str, str], str]):
    """What a field of a map is called in the attribution."""

    def __missing__(self, key: tuple[str, str]) -> str:
        if len(self) > Targets.LIMIT:
            self.clear()
        source = self[key] = ".".join(key)
        return source


TARGETS = Targets()
_SOURCES = _Sources()
# Where a record keeps what is no documented field of its object.
MAPS = ("custom_fields", "extra")


def snake(name: str) -> str:
    """``"Site Visits"``, ``"siteVisits"`` and ``"site-visits"`` as ``site_visits``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^0-9a-z]+", "_", spaced.lower()).strip("_")


def fields(
    record: Mapping[str, Any], targets: Targets = TARGETS
) -> Iterator[tuple[tuple[tuple[int, int], ...], str, Any]]:
    """Every (readings fed, source, value) of a record, its maps last; ``None`` and "" are no values."""
    for name, value in record.items():
        if value is not None and value != "" and (fed := targets[name]) and name not in MAPS:
            yield fed, name, value
    for name in MAPS:
        held = record.get(name)
        if not held:
            continue
        for own, value in _pairs(held):
            if value is not None and value != "" and (fed := targets[own]):
                yield fed, _SOURCES[name, own], value


def _pairs(held: Any) -> Iterable[tuple[str, Any]]:
    """A map's items; a list of ``{id|key|name, value}``, as CRMs send it, is met half-way."""
    if isinstance(held, dict):
        return held.items()
    items = [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []
    return [
        (
            str(item.get("key") or item.get("name") or item.get("id")),
            item.get("value", item.get("field_value")),
        )
        for item in items
    ]


def parse(kind: Kind, value: Any) -> float | str | datetime | None:
    """The value as a number, a word or a moment; None when it is blank or cannot be read."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
    found: float | str | datetime | None = _PARSERS[kind](value)
    return found


def flag(value: Any) -> float | None:
    """1.0 for yes, 0.0 for no. A count is yes above zero, a date is the day it happened."""
    if isinstance(value, list | tuple | dict):
        return 1.0 if value else None
    if isinstance(value, str):
        word = value.lower()
        if word in YES:
            return 1.0
        if word in NO:
            return 0.0
        if DATE.match(value):
            return 1.0
        try:
            count = float(value)
        except ValueError:
            return None
    else:
        figure = number(value)
        count = math.nan if figure is None else figure
    return float(count > 0) if math.isfinite(count) else None


def mention(value: Any) -> float | None:
    """As ``flag``, but any other text counts too: the name of the form, the words searched for."""
    found = flag(value)
    return 1.0 if found is None and isinstance(value, str) else found


def number(value: Any) -> float | None:
    """A figure ≥ 0. Of a range ("11-50") the lower end; "1,200" is 1200; None if there is none."""
    if isinstance(value, (int, float)):
        try:
            figure = float(value)
        except OverflowError:
            return None
    elif isinstance(value, str):
        match = NUMBER.match(THOUSANDS.sub("", value).replace(",", "."))
        if match is None:
            return None
        figure = float(match[1])
    else:
        return None
    return figure if math.isfinite(figure) and figure >= 0 else None


def moment(value: Any) -> datetime | None:
    """A date and time: ISO 8601, or seconds or milliseconds since 1970. May be without a zone."""
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            if not value.isdigit():
                return datetime.fromisoformat(value)
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return datetime.fromtimestamp(value / 1000 if value > MILLISECONDS else value, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None


def word(value: Any) -> str | None:
    """A text, folded for comparison."""
    return (
        " ".join(re.split(r"[\s_-]+", value.casefold())).strip() or None if isinstance(value, str) else None
    )


_PARSERS: dict[Kind, Any] = {
    "flag": flag,
    "mention": mention,
    "number": number,
    "moment": moment,
    "word": word,
}
