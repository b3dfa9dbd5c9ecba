"""A tenant's own figures: what they change, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from circuitos.agents.virtual_lpr.weights import BadSettings, weights_of
from tests.circuitos.agents.leads import CENSUS, PERFECT, SETTINGS, points, row


class TestOwnFigures:
    def test_points_and_thresholds_of_a_tenant(self):
        settings = {"lpr": {"points": {"called": 12, "recency": [5, 2.25, 1]}, "at": {"visits": 2}}}

        scored = row(settings=settings, called="Yes", site_visits=2, last_activity_at="2026-07-14T12:00:00Z")

        assert points(scored) == {"called": 12, "visits": 3, "recency": 2.25}
        assert scored["lpr_attribution"][1]["label"] == "2 visits or more (intent)"

    def test_version_names_the_figures(self):
        plain, own, same, other = (
            weights_of(settings).version
            for settings in (
                {},
                {"lpr": {"points": {"called": 12}}},
                {"lpr": {"points": {"called": 12}, "caps": {}}},
                {"lpr": {"points": {"called": 11}}},
            )
        )

        assert plain == "lpr-1"
        assert own == same
        assert own.startswith("lpr-1+")
        assert own != other

    def test_ideal_company_size_is_a_range(self):
        settings = {"lpr": {"ideal_company_size": {"max": 100}}}

        by_size = {size: row(settings=settings, company_size=size)["lpr_score"] for size in (9, 10, 100, 101)}

        assert by_size == {9: 0, 10: 3, 100: 3, 101: 0}

    def test_caps_of_a_tenant_hold_and_are_accounted_for(self):
        caps = {"fit": 40, "fit.demographic": 25, "fit.psychographic": 15}

        scored = row(
            settings={
                **SETTINGS,
                "lpr": {**SETTINGS["lpr"], "caps": {**caps, "fit.demographic.company": 13}},
            },
            census=CENSUS,
            **PERFECT,
        )

        assert scored["lpr_breakdown"]["fit.psychographic"] == 15
        lost = [line for line in scored["lpr_attribution"] if line["rule"] == "fit.psychographic.cap"]
        assert [(line["points"], line["source"], line["value"]) for line in lost] == [
            (-5, "lpr.caps.fit.psychographic", 15)
        ]


class TestProxies:
    def test_are_marked_where_they_give_points(self):
        scored = row(settings=SETTINGS, census=CENSUS, **PERFECT)

        marked = {line["proxy"] for line in scored["lpr_attribution"] if "proxy" in line}
        assert marked == {"income", "affluence", "life_events"}

    def test_switched_off_gives_none_and_says_so(self):
        settings = {"lpr": {"proxies": {"income": False}}}

        scored = row(settings=settings, verified_income="Yes", life_event="Yes")

        assert scored["lpr_score"] == 4
        shown = [line for line in scored["lpr_attribution"] if line.get("proxy") == "income"]
        assert [(line["points"], line["label"]) for line in shown] == [
            (0, "not used: switched off as a proxy")
        ]

    def test_switched_off_is_not_missed(self):
        assert "verified_income" not in row(settings={"lpr": {"proxies": {"income": False}}})["lpr_missing"]

    @pytest.mark.parametrize(
        "industry",
        ["credit", "Housing", "employment", "Real Estate", "mortgage broker", "staffing_agency", "Bank"],
    )
    def test_credit_housing_and_employment_businesses_use_none(self, industry: str):
        settings = {**SETTINGS, "industry": industry, "lpr": {"proxies": {"income": True}}}

        scored = row(settings=settings, census=CENSUS, verified_income="Yes", life_event="Yes")

        assert {line["points"] for line in scored["lpr_attribution"] if "proxy" in line} == {0}

    @pytest.mark.parametrize("industry", ["dental", "restaurant", "", None, 7])
    def test_others_use_them_unless_they_say_otherwise(self, industry: Any):
        assert weights_of({"industry": industry}).off == frozenset()

    def test_age_is_never_read(self):
        assert row(date_of_birth="1990-01-01", age=36)["lpr_score"] == 0


@pytest.mark.parametrize(
    ("lpr", "named"),
    [
        ({"pionts": {}}, "lpr.pionts"),
        ([], "lpr is not"),
        ({"points": []}, None),
        ({"points": 7}, "lpr.points"),
        ({"points": {"caled": 3}}, "lpr.points.caled"),
        ({"points": {"called": "many"}}, "lpr.points.called"),
        ({"points": {"called": True}}, "lpr.points.called"),
        ({"points": {"called": -1}}, "lpr.points.called"),
        ({"points": {"called": float("nan")}}, "lpr.points.called"),
        ({"points": {"called": 16}}, "lpr.points.called"),  # more than its part holds
        ({"points": {"called": [1, 2]}}, "called has 1 step"),
        ({"points": {"recency": [3, 6, 8]}}, "lpr.points.recency"),  # not monotone
        ({"at": {"recency": [24, 2, 72]}}, "lpr.at.recency"),
        ({"at": {"actions_7d": [3, 5]}}, "lpr.at.actions_7d"),
        ({"at": {"recency": [2, 2, 72]}}, "lpr.at.recency"),
        ({"caps": {"fitt": 40}}, "lpr.caps.fitt"),
        ({"caps": {"fit": 50}}, "add up to 100"),
        ({"caps": {"fit.demographic": 25}}, "the groups of fit"),
        ({"caps": {"timing.urgency.recency": 2}}, "lpr.points.recency|timing.urgency"),
        ({"thresholds": {"warm": 3}}, "lpr.thresholds.warm"),
        ({"thresholds": {"A": 60}}, "C, B and A"),
        ({"thresholds": {"hot": 30}}, "nurture"),
        ({"thresholds": {"hot": 101}}, "lpr.thresholds.hot"),
        ({"proxies": {"height": False}}, "lpr.proxies.height"),
        ({"proxies": {"age": "no"}}, "lpr.proxies.age"),
        ({"season": {"low": [1]}}, "lpr.season.low"),
        ({"season": {"peak": [13]}}, "lpr.season.peak"),
        ({"ideal_industries": "dental"}, "lpr.ideal_industries"),
        ({"growth_stages": [1]}, "lpr.growth_stages"),
        ({"ideal_company_size": {"min": 5, "max": 1}}, "min is above max"),
        ({"ideal_company_size": {"least": 5}}, "lpr.ideal_company_size.least"),
    ],
)
def test_settings_that_break_the_score_are_refused(lpr: Any, named: str | None):
    if named is None or lpr == []:
        assert weights_of({"lpr": lpr}).version == "lpr-1"  # empty is none
        return
    with pytest.raises(BadSettings, match=named):
        weights_of({"lpr": lpr})


@pytest.mark.parametrize(
    "settings",
    [{"latitude": 91, "longitude": 0}, {"latitude": "x", "longitude": 0}, {"latitude": 0, "longitude": 181}],
)
def test_a_place_that_is_none_is_refused(settings: dict[str, Any]):
    with pytest.raises(BadSettings):
        weights_of(settings)


def test_half_a_place_is_no_place():
    assert weights_of({"latitude": 33.0}).place is None


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(BadSettings, match="Mars/Olympus"):
        weights_of({}, timezone="Mars/Olympus")
