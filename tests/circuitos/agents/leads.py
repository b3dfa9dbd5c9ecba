"""Leads to score: the empty one, the perfect one, and what the tests ask of a score."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from circuitos.agents.virtual_lpr import score

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)
# Half a mile is 0.00723 degrees of latitude.
PLACE = {"latitude": 33.0779, "longitude": -96.811}
CENSUS = {"zip": "75024", **PLACE, "affluence": "high", "source": "zip-table"}
SETTINGS: dict[str, Any] = {
    **PLACE,
    "industry": "dental",
    "lpr": {"ideal_industries": ["Health Care"], "season": {"peak": [7], "high": [8]}},
}
# Every signal at its strongest.
PERFECT: dict[str, Any] = {
    "industry": "health care",
    "company_size": 50,
    "growth_stage": "Growth",
    "verified_income": True,
    "employment_years": 2,
    "site_visits": 5,
    "minutes_on_site": 5,
    "social_engagement": "yes",
    "values_match": "Yes",
    "content_pattern": 1,
    "proactive_contact": "true",
    "reply_minutes": "59",
    "reviews_read": 5,
    "called": "Yes",
    "appointment": "Yes",
    "callback_requested": "Yes",
    "directions_requested": "Yes",
    "download": "menu.pdf",
    "form_submitted": "Membership",
    "branded_search": "Yes",
    "near_me_search": "Yes",
    "research_search": "Yes",
    "pages_viewed": 10,
    "email_opens": 5,
    "email_clicks": 3,
    "last_activity_at": "2026-07-15T10:00:00Z",
    "actions_7d": 5,
    "actions_30d": 5,
    "life_event": "yes",
}


def lead(record_id: str = "c1", *, postal_code: str | None = "75024", **signals: Any) -> dict[str, Any]:
    return {"id": record_id, "postal_code": postal_code, "country": "US", "custom_fields": signals}


def row(
    record: dict[str, Any] | None = None,
    *,
    census: dict[str, Any] | None = None,
    settings: dict[str, Any] | None = None,
    now: datetime = NOW,
    timezone: str = "UTC",
    **signals: Any,
) -> dict[str, Any]:
    """The score of one lead."""
    record = record or lead(**signals)
    enriched = {record["id"]: {"census": census}} if census else {}
    return score([record], enriched, settings=settings or {}, now=now, timezone=timezone).rows[0]


def points(scored: dict[str, Any]) -> dict[str, float]:
    """The lines of an attribution by the last part of their rule."""
    return {line["rule"].rpartition(".")[2]: line["points"] for line in scored["lpr_attribution"]}


def earned(**signals: Any) -> float:
    """The total of a lead with these signals and nothing else."""
    return float(row(postal_code=None, **signals)["lpr_score"])
