"""Scores worked by hand from the rule table."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from circuitos.agents.virtual_lpr import score
from circuitos.agents.virtual_lpr.gather import haversine
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, PILLARS, SIGNALS
from circuitos.script.errors import CircuitError
from tests.circuitos.agents.leads import CENSUS, NOW, PERFECT, PLACE, SETTINGS, earned, lead, points, row


class TestTable:
    def test_pillars_are_40_40_20(self):
        assert [CAPS[pillar] for pillar in PILLARS] == [4000, 4000, 2000]

    def test_groups_add_up_to_their_pillars_and_parts_fill_their_groups(self):
        for pillar in PILLARS:
            assert sum(CAPS[group] for group in GROUPS if group.startswith(pillar)) == CAPS[pillar]
        for group in GROUPS:
            assert sum(CAPS[part] for part in PARTS if part.startswith(f"{group}.")) >= CAPS[group]

    def test_no_signal_gives_more_than_its_part_holds(self):
        assert all(max(signal.points) <= CAPS[signal.part] for signal in SIGNALS)


class TestGoldenCases:
    def test_perfect_lead_has_100_and_explicit_intent_is_capped(self):
        scored = row(census=CENSUS, settings=SETTINGS, **PERFECT)

        assert scored["lpr_score"] == 100
        # called 15 + download 8 + branded search 8 = 31 of 25.
        assert points(scored)["cap"] == -6
        assert scored["lpr_breakdown"] == {
            "fit": 40,
            "intent": 40,
            "timing": 20,
            "fit.demographic": 20,
            "fit.psychographic": 20,
            "intent.explicit": 25,
            "intent.implicit": 15,
            "timing.urgency": 12,
            "timing.readiness": 8,
        }
        assert (scored["lpr_grade"], scored["lpr_hot"], scored["lpr_priority"]) == ("A", True, "critical")
        assert scored["lpr_next_action"] == "immediate follow-up"
        assert (scored["lpr_confidence"], scored["lpr_missing"]) == ("very high", [])

    def test_empty_lead_has_0_and_says_all_that_is_missing(self):
        scored = row({"id": "c1"})

        assert (scored["lpr_score"], scored["lpr_grade"], scored["lpr_hot"]) == (0, "not enough data", False)
        assert (scored["lpr_next_action"], scored["lpr_confidence"]) == ("complete the data", "low")
        assert scored["lpr_needs_review"] is True
        assert scored["lpr_attribution"] == []
        assert {"called", "site_visits", "last_activity_at", "postal_code"} <= set(scored["lpr_missing"])
        assert {"settings.latitude", "settings.lpr.season", "settings.lpr.ideal_industries"} <= set(
            scored["lpr_missing"]
        )

    def test_a_caller_with_a_few_visits_near_by(self):
        scored = row(
            census=CENSUS,
            settings=PLACE,
            called="Yes",
            site_visits="4",
            email_opens="7",
            last_activity_at="2026-07-14T20:00:00Z",  # 16 hours ago
        )

        # distance 4 + affluence 2 + visits 2 | called 15 + opens 3 | within 24 h 6
        assert scored["lpr_score"] == 32
        assert points(scored) == {
            "distance": 4,
            "affluence": 2,
            "repeat_visits": 2,
            "called": 15,
            "email_opens": 3,
            "recency": 6,
        }
        assert scored["lpr_next_action"] == "educate"

    def test_every_line_names_what_it_was_read_from(self):
        scored = row(
            {
                "id": "c1",
                "postal_code": "75024",
                "industry": "Health-Care",
                "custom_fields": {"Site Visits": "3"},
            },
            census=CENSUS,
            settings=SETTINGS,
        )

        sources = {line["rule"].rpartition(".")[2]: line["source"] for line in scored["lpr_attribution"]}
        assert sources == {
            "industry": "industry",
            "distance": "census[75024]",
            "affluence": "census[75024].affluence",
            "repeat_visits": "custom_fields.Site Visits",
            "season": "lpr.season",
        }


class TestSteps:
    @pytest.mark.parametrize(
        ("signals", "expected"),
        [
            ({"site_visits": 2}, 0),
            ({"site_visits": 3}, 2),
            ({"site_visits": 5}, 5),  # 2 behaviour + 3 intent
            ({"minutes_on_site": 2.9}, 0),
            ({"minutes_on_site": 3}, 2),
            ({"minutes_on_site": 5}, 4),
            ({"reviews_read": 1}, 2),  # reads reviews
            ({"reviews_read": 5}, 5),
            ({"reply_minutes": 60}, 0),
            ({"reply_minutes": 59}, 1),
            ({"employment_years": 1.9}, 0),
            ({"employment_years": 2}, 2),
            ({"pages_viewed": 9}, 0),
            ({"pages_viewed": 10}, 3),
            ({"email_opens": 4}, 0),
            ({"email_clicks": 3}, 4),
            ({"actions_7d": 3}, 2),
            ({"actions_7d": 5}, 4),
            ({"actions_30d": 5}, 1),
            ({"actions_7d": 5, "actions_30d": 9}, 4),  # the strongest, not the sum
            ({"called": 1, "appointment": 1, "callback_requested": 1, "directions_requested": 1}, 15),
            ({"callback_requested": 1, "directions_requested": 1}, 12),
            ({"directions_requested": 1}, 10),
            ({"download": 1, "form_submitted": 1}, 8),
            ({"form_submitted": 1}, 6),
            ({"near_me_search": 1, "research_search": 1}, 5),
            ({"research_search": 1}, 2),
            ({"company_size": 9}, 0),
            ({"company_size": 10}, 3),
            ({"growth_stage": "scale-up"}, 2),
            ({"life_event": "verified"}, 4),
        ],
    )
    def test_points(self, signals: dict[str, Any], expected: float):
        assert earned(**signals) == expected

    @pytest.mark.parametrize(
        ("hours", "expected"), [(0, 8), (2, 8), (2.01, 6), (24, 6), (24.01, 3), (72, 3), (72.01, 0), (-1, 8)]
    )
    def test_recency(self, hours: float, expected: float):
        assert earned(last_activity_at=(NOW - timedelta(hours=hours)).isoformat()) == expected

    def test_activity_in_the_far_future_is_no_activity(self):
        scored = row(last_activity_at=(NOW + timedelta(days=2)).isoformat())

        assert scored["lpr_score"] == 0
        assert "last_activity_at" in scored["lpr_missing"]

    def test_a_new_lead_was_active_when_it_came(self):
        scored = row({"id": "c1", "created_at": "2026-07-15T11:59:00+00:00"})

        assert scored["lpr_score"] == 8
        assert scored["lpr_attribution"][0]["source"] == "created_at"

    def test_a_time_without_a_zone_is_the_tenants(self):
        scored = row(last_activity_at="2026-07-15 06:30:00", timezone="America/Chicago")  # 11:30 UTC

        assert points(scored)["recency"] == 8

    @pytest.mark.parametrize(("month", "expected"), [(7, 4), (8, 2), (9, 0)])
    def test_season(self, month: int, expected: float):
        scored = row(postal_code=None, settings=SETTINGS, now=NOW.replace(month=month))

        assert scored["lpr_score"] == expected
        labels = {0: [], 2: ["high season"], 4: ["peak season"]}
        assert [line["label"] for line in scored["lpr_attribution"]] == labels[expected]

    def test_season_is_the_tenants_month(self):
        last_hour_of_june_in_dallas = datetime.fromisoformat("2026-07-01T03:00:00+00:00")

        scored = row(
            postal_code=None, settings=SETTINGS, now=last_hour_of_june_in_dallas, timezone="America/Chicago"
        )

        assert scored["lpr_score"] == 0


class TestDistance:
    def test_haversine_of_known_places(self):
        new_york, los_angeles = (40.7128, -74.0060), np.array([[34.0522], [-118.2437]])

        assert haversine(new_york, los_angeles)[0] == pytest.approx(2445.6, abs=0.5)

    # A degree of latitude is 3958.8 · π / 180 = 69.094 miles.
    @pytest.mark.parametrize(
        ("miles", "expected"),
        [(0, 4), (0.499, 4), (0.501, 3), (1.999, 3), (2.001, 1.5), (4.999, 1.5), (5.001, 0)],
    )
    def test_points_by_distance(self, miles: float, expected: float):
        census = {
            "zip": "75024",
            "latitude": PLACE["latitude"] + miles / 69.094,
            "longitude": PLACE["longitude"],
        }

        assert row(census=census, settings=PLACE)["lpr_score"] == expected

    def test_five_digits_abroad_are_no_zip_code(self):
        record = {**lead(), "country": "DE"}

        scored = row(record, census=CENSUS, settings=PLACE)

        assert scored["lpr_score"] == 0
        assert "census" in scored["lpr_missing"]

    def test_without_census_facts_the_lead_is_scored_and_they_are_missing(self):
        scored = row(settings=PLACE, called="Yes")

        assert scored["lpr_score"] == 15
        assert "census" in scored["lpr_missing"]

    def test_only_high_affluence_gives_points(self):
        by_affluence = {
            level: row(census={**CENSUS, "affluence": level})["lpr_score"]
            for level in ("high", "medium", "low", None)
        }

        assert by_affluence == {"high": 2, "medium": 0, "low": 0, None: 0}


class TestVerdict:
    @pytest.mark.parametrize(
        ("total", "grade", "is_hot", "action"),
        [
            (80, "A", True, "immediate follow-up"),
            (79.5, "B", True, "immediate follow-up"),
            (70, "B", True, "immediate follow-up"),
            (69.5, "B", False, "nurture"),
            (65, "B", False, "nurture"),
            (64.5, "C", False, "nurture"),
            (40, "C", False, "nurture"),
            (39.5, "D", False, "educate"),
        ],
    )
    def test_thresholds(self, total: float, grade: str, is_hot: bool, action: str):
        """A lead of that total, made by giving recency, distance and a call their points."""
        settings = {
            **PLACE,
            "lpr": {
                "caps": {
                    "fit": 0,
                    "fit.demographic": 0,
                    "fit.psychographic": 0,
                    "intent": 100,
                    "intent.explicit": 100,
                    "intent.implicit": 0,
                    "intent.explicit.contact": 100,
                    "timing": 0,
                    "timing.urgency": 0,
                    "timing.readiness": 0,
                },
                "points": {"called": total},
                "least_signals": 1,
            },
        }

        scored = row(settings=settings, called="Yes")

        assert scored["lpr_score"] == total
        assert (scored["lpr_grade"], scored["lpr_hot"], scored["lpr_next_action"]) == (grade, is_hot, action)

    @pytest.mark.parametrize(
        ("absent", "confidence"),
        [(0, "very high"), (3, "very high"), (4, "high"), (9, "high"), (10, "medium"), (17, "low")],
    )
    def test_confidence_is_the_share_of_readings(self, absent: int, confidence: str):
        # 33 readings: 30 from fields, distance, affluence, season. reviews_read answers for two.
        others = [name for name in PERFECT if name != "reviews_read"]
        kept = {name: PERFECT[name] for name in [*others[absent:], "reviews_read"]}

        scored = row(census=CENSUS, settings=SETTINGS, **kept)

        assert len(scored["lpr_missing"]) == absent
        assert scored["lpr_confidence"] == confidence


class TestBatch:
    def test_ten_thousand_leads_score_as_they_do_alone(self):
        names = list(PERFECT)
        leads = [
            lead(f"c{number}", **{name: PERFECT[name] for name in names[number % 7 : number % 23]})
            for number in range(10_000)
        ]
        enriched = {record["id"]: {"census": CENSUS} for record in leads[::2]}

        scores = score(leads, enriched, settings=SETTINGS, now=NOW)

        assert [scored["id"] for scored in scores.rows] == [record["id"] for record in leads]
        for number in (0, 1, 22, 4711, 9999):
            alone = score([leads[number]], enriched, settings=SETTINGS, now=NOW)
            assert scores.rows[number] == alone.rows[0]
        assert [scored["lpr_score"] for scored in scores.rows] == scores.totals.tolist()

    def test_no_leads_are_no_rows(self):
        assert score([], {}, settings={}, now=NOW).rows == []

    def test_rows_share_nothing_that_one_could_change_for_another(self):
        first, second = score([lead("a"), lead("b")], None, settings={}, now=NOW).rows

        first["lpr_missing"].clear()

        assert second["lpr_missing"]

    def test_a_clock_without_a_zone_is_refused(self):
        with pytest.raises(CircuitError, match="time zone"):
            score([lead()], {}, settings={}, now=NOW.replace(tzinfo=None))


def test_importing_the_agent_brings_numpy_and_nothing_heavier():
    code = (
        "import sys, circuitos.agents.virtual_lpr;"
        "print([name for name in ('django', 'celery', 'redis', 'pydantic') if name in sys.modules])"
    )

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"
