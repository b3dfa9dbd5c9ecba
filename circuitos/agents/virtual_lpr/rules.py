"""The rule table of the Virtual LPR, as data: FIT 40 + INTENT 40 + TIMING 20 = 100 points.

Points are in hundredths throughout, so that sums are exact. Change a tenant's figures in its settings
(``weights.py``), not here; a change here is a new ``VERSION``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

VERSION = "lpr-1"

Steps = float | tuple[float, ...]
Test = Literal["at_least", "at_most", "below"]
# Proxies for protected classes. Each is a switch of the tenant; see weights.py.
Proxy = Literal["age", "income", "affluence", "life_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One row of the table. Its strongest step comes first; a lead gets the first step it passes.

    ``reading`` names the input (``readings.py``); ``at`` are the thresholds, ``points`` what each gives, in
    hundredths. ``label`` is what the attribution says, with the threshold as ``{at}``; one for all steps, or
    one a step between bars.
    """

    name: str
    part: str  # "pillar.group.part"
    reading: str
    test: Test = "at_least"
    at: tuple[float, ...]
    points: tuple[int, ...]
    label: str
    proxy: Proxy | None = None


# Cap of every pillar, group and part, in hundredths. A child's points are clamped before its parent's.
CAPS: dict[str, int] = {
    "fit": 4000,
    "fit.demographic": 2000,
    "fit.demographic.company": 800,
    "fit.demographic.location": 600,
    "fit.demographic.financial": 600,
    "fit.psychographic": 2000,
    "fit.psychographic.behaviour": 800,
    "fit.psychographic.values": 600,
    "fit.psychographic.decision": 600,
    "intent": 4000,
    "intent.explicit": 2500,
    "intent.explicit.contact": 1500,
    "intent.explicit.information": 1000,
    "intent.explicit.search": 1000,
    "intent.implicit": 1500,
    "intent.implicit.digital": 800,
    "intent.implicit.engagement": 700,
    "timing": 2000,
    "timing.urgency": 1200,
    "timing.urgency.recency": 800,
    "timing.urgency.frequency": 400,
    "timing.readiness": 800,
    "timing.readiness.season": 400,
    "timing.readiness.life_event": 400,
}
PILLARS = tuple(path for path in CAPS if path.count(".") == 0)
GROUPS = tuple(path for path in CAPS if path.count(".") == 1)
PARTS = tuple(path for path in CAPS if path.count(".") == 2)

# In these parts the strongest signal counts, in all others the sum.
STRONGEST_ONLY = frozenset(
    {
        "intent.explicit.contact",
        "intent.explicit.information",
        "intent.explicit.search",
        "timing.urgency.frequency",
    }
)

_COMPANY, _LOCATION, _FINANCIAL = (f"fit.demographic.{part}" for part in ("company", "location", "financial"))
_BEHAVIOUR, _VALUES, _DECISION = (f"fit.psychographic.{part}" for part in ("behaviour", "values", "decision"))
_CONTACT, _INFORMATION, _SEARCH = (f"intent.explicit.{part}" for part in ("contact", "information", "search"))
_DIGITAL, _ENGAGEMENT = "intent.implicit.digital", "intent.implicit.engagement"
_RECENCY, _FREQUENCY = "timing.urgency.recency", "timing.urgency.frequency"
_SEASON, _LIFE = "timing.readiness.season", "timing.readiness.life_event"


def _signal(part: str, name: str, points: Steps, label: str, *, reading: str = "", **more: Any) -> Signal:
    """A row in the table's own units: points, and single figures where there is one step."""
    steps = points if isinstance(points, tuple) else (points,)
    at = more.pop("at", 1)
    return Signal(
        name=name,
        part=part,
        reading=reading or name,
        points=tuple(round(step * 100) for step in steps),
        at=at if isinstance(at, tuple) else (at,),
        label=label,
        **more,
    )


SIGNALS: tuple[Signal, ...] = (
    _signal(_COMPANY, "industry", 3, "industry of the ideal customer"),
    _signal(_COMPANY, "company_size", 3, "size of the ideal customer"),
    _signal(_COMPANY, "growth_stage", 2, "company in growth"),
    _signal(
        _LOCATION,
        "distance",
        (4, 3, 1.5),
        "within {at} miles",
        reading="distance_miles",
        test="at_most",
        at=(0.5, 2, 5),
    ),
    _signal(_LOCATION, "affluence", 2, "affluent neighbourhood", at=2, proxy="affluence"),
    _signal(_FINANCIAL, "verified_income", 4, "income verified", proxy="income"),
    _signal(
        _FINANCIAL,
        "stable_employment",
        2,
        "{at} years or more in employment",
        reading="employment_years",
        at=2,
    ),
    _signal(_BEHAVIOUR, "repeat_visits", 2, "{at} visits or more (behaviour)", reading="site_visits", at=3),
    _signal(
        _BEHAVIOUR,
        "time_on_site",
        2,
        "{at} minutes or more on site (behaviour)",
        reading="minutes_on_site",
        at=3,
    ),
    _signal(_BEHAVIOUR, "social_engagement", 2, "engaged on social media"),
    _signal(_BEHAVIOUR, "reads_reviews", 2, "reads reviews"),
    _signal(_VALUES, "values_match", 4, "values match, by survey or form"),
    _signal(_VALUES, "content_pattern", 2, "content pattern matches"),
    _signal(_DECISION, "proactive_contact", 2, "got in touch first"),
    _signal(
        _DECISION,
        "quick_reply",
        1,
        "replies in less than {at} minutes",
        reading="reply_minutes",
        test="below",
        at=60,
    ),
    _signal(_DECISION, "many_reviews", 3, "{at} reviews or more read", reading="reviews_read", at=5),
    _signal(_CONTACT, "called", 15, "called"),
    _signal(_CONTACT, "appointment", 15, "made an appointment"),
    _signal(_CONTACT, "callback", 12, "asked to be called back", reading="callback_requested"),
    _signal(_CONTACT, "directions", 10, "asked for directions", reading="directions_requested"),
    _signal(_INFORMATION, "download", 8, "downloaded menu or prices"),
    _signal(_INFORMATION, "contact_form", 6, "sent the contact form", reading="form_submitted"),
    _signal(_SEARCH, "branded_search", 8, "searched for the brand"),
    _signal(_SEARCH, "near_me_search", 5, "searched for the best near them"),
    _signal(_SEARCH, "research_search", 2, "researched by search"),
    _signal(_DIGITAL, "visits", 3, "{at} visits or more (intent)", reading="site_visits", at=5),
    _signal(_DIGITAL, "pages", 3, "{at} pages or more seen", reading="pages_viewed", at=10),
    _signal(_DIGITAL, "minutes", 2, "{at} minutes or more on site (intent)", reading="minutes_on_site", at=5),
    _signal(_ENGAGEMENT, "email_opens", 3, "{at} e-mails or more opened", at=5),
    _signal(_ENGAGEMENT, "email_clicks", 4, "{at} clicks or more in e-mails", at=3),
    _signal(
        _RECENCY,
        "recency",
        (8, 6, 3),
        "active within {at} hours",
        reading="hours_since_activity",
        test="at_most",
        at=(2, 24, 72),
    ),
    _signal(_FREQUENCY, "actions_7d", (4, 2), "{at} actions or more in 7 days", at=(5, 3)),
    _signal(_FREQUENCY, "actions_30d", 1, "{at} actions or more in 30 days", at=5),
    _signal(_SEASON, "season", (4, 2), "peak season|high season", at=(2, 1)),
    _signal(_LIFE, "life_event", 4, "verified life event", proxy="life_events"),
)
