"""Guesses: which of a CRM's fields may feed which reading of the score. A person has to confirm them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from triggers.crm.definitions import Definition

# By reading: beginnings of words that stand in a field's label or key; one group must be there whole.
_CLUES: dict[str, tuple[tuple[str, ...], ...]] = {
    "industry": (("industr",), ("sector",), ("business", "type"), ("branch",), ("niche",)),
    "company_size": (("compan", "size"), ("employee",), ("headcount",), ("team", "size"), ("staff", "count")),
    "growth_stage": (("growth",), ("compan", "stage"), ("funding",)),
    "verified_income": (("income", "verif"), ("proof", "income")),
    "employment_years": (("year", "employ"), ("year", "job"), ("job", "tenure")),
    "site_visits": (("visit",), ("session",)),
    "minutes_on_site": (("minute", "site"), ("time", "site"), ("minute", "page")),
    "social_engagement": (("social", "engag"), ("social", "interact"), ("facebook", "engag"), ("instagram",)),
    "reads_reviews": (("read", "review"), ("saw", "review")),
    "values_match": (("value", "match"), ("value", "survey"), ("fit", "survey")),
    "content_pattern": (("content", "pattern"), ("content", "match")),
    "proactive_contact": (("contact", "us", "first"), ("initiat", "contact"), ("inbound", "contact")),
    "reply_minutes": (("repl", "minute"), ("respon", "minute"), ("response", "time"), ("reply", "time")),
    "reviews_read": (("review", "read"), ("number", "review"), ("review", "count")),
    "called": (("called",), ("phone", "call"), ("inbound", "call"), ("call", "count")),
    "appointment": (("appointment",), ("booked",), ("booking",), ("consultation",), ("demo", "schedul")),
    "callback_requested": (("callback",), ("call", "back")),
    "directions_requested": (("direction",), ("map", "click"), ("route", "request")),
    "download": (("download",), ("brochure",), ("price", "list"), ("menu", "request")),
    "form_submitted": (("form", "submi"), ("contact", "form"), ("enquiry", "form"), ("inquiry", "form")),
    "branded_search": (("brand", "search"),),
    "near_me_search": (("near", "me"), ("local", "search")),
    "research_search": (("research",), ("search", "term"), ("search", "quer")),
    "pages_viewed": (("page", "view"), ("pageview",), ("page", "seen")),
    "email_opens": (("mail", "open"), ("email", "open"), ("open", "count")),
    "email_clicks": (("mail", "click"), ("email", "click"), ("link", "click")),
    "hours_since_activity": (("last", "activit"), ("last", "seen"), ("last", "engage"), ("last", "contact")),
    "actions_7d": (("action", "7"), ("activit", "week"), ("weekly", "action")),
    "actions_30d": (("action", "30"), ("activit", "month"), ("monthly", "action")),
    "life_event": (("life", "event"), ("moved", "recent"), ("new", "home")),
}
_DATES = frozenset({"date", "datetime"})
_NUMBERS = frozenset({"number", "numerical", "float", "monetory", "monetary"})
_CHOICES = frozenset({"single_options", "multiple_options", "radio", "checkbox", "enumeration"})
_FLAGS = frozenset({"bool", "boolean", "checkbox", "radio", "single_options"})
_NEVER = frozenset(
    {"file_upload", "signature", "phone", "phone_number", "textbox_list", "object_coordinates"}
)
_SPLIT = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Guess:
    """A field that may feed a reading, and what speaks for it."""

    field: Definition
    why: str


def guess(
    fields: Iterable[Definition], readings: Mapping[str, str], *, but: Collection[str]
) -> dict[str, Guess]:
    """The best field of each reading (name → kind) that is not in ``but``, where something speaks for one."""
    known = [(each, _words(each.label) | _words(each.key)) for each in fields]
    found = {}
    for reading, kind in readings.items():
        if reading in but:
            continue
        ranked = [
            (strength, -place, clue)
            for place, (field, words) in enumerate(known)
            if not field.key.startswith("lpr_") and (told := _strength(field, words, reading, kind))
            for strength, clue in [told]
        ]
        if ranked:
            _, place, clue = max(ranked)
            field = known[-place][0]
            found[reading] = Guess(field, clue)
    return found


def _strength(field: Definition, words: frozenset[str], reading: str, kind: str) -> tuple[int, str] | None:
    fit = _fit(field, kind)
    if fit is None:
        return None
    best = max(
        (clue for clue in _CLUES.get(reading, ()) if all(_has(words, stem) for stem in clue)),
        key=len,
        default=None,
    )
    if best is None:
        return None
    said = "its name" if fit == 0 else "its name and type"
    return 2 * len(best) + fit, said


def _fit(field: Definition, kind: str) -> int | None:
    """1: the type speaks for it; 0: it may be; None: it cannot be."""
    type_ = field.type
    if type_ in _NEVER:
        return None
    if kind == "moment":
        return 1 if type_ in _DATES else None
    if kind == "number":
        return None if type_ in _DATES or type_ in {"bool", "boolean"} else int(type_ in _NUMBERS)
    if kind == "flag":
        is_yes_no = {option.lower() for option in field.options} >= {"yes", "no"}
        return int(type_ in _FLAGS or is_yes_no)
    if type_ in _DATES and kind == "word":
        return None
    return int(type_ in _CHOICES)


def _has(words: frozenset[str], stem: str) -> bool:
    return stem in words if len(stem) <= 2 else any(word.startswith(stem) for word in words)


def _words(text: str) -> frozenset[str]:
    return frozenset(filter(None, _SPLIT.split(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).lower())))
