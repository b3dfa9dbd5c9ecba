"""What holds for every lead and every tenant."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from circuitos.agents.virtual_lpr import score
from circuitos.agents.virtual_lpr.readings import words
from circuitos.agents.virtual_lpr.rules import CAPS, GROUPS, PARTS, PILLARS
from tests.circuitos.agents.leads import CENSUS, NOW, PLACE, SETTINGS, lead

COUNTS = words(
    "site_visits minutes_on_site reviews_read pages_viewed email_opens email_clicks actions_7d actions_30d"
    " employment_years company_size"
)
FLAGS = words(
    "called appointment callback_requested directions_requested download form_submitted branded_search"
    " near_me_search research_search verified_income social_engagement values_match content_pattern"
    " proactive_contact life_event"
)

counts = st.integers(0, 12) | st.floats(0, 12) | st.integers(0, 12).map(str)
flags = st.sampled_from(["Yes", "no", True, False, 1, 0, "", None, "3"])
odd = st.none() | st.text(max_size=8) | st.lists(st.integers(), max_size=2) | st.floats()
signals = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(COUNTS, counts | odd),
        **dict.fromkeys(FLAGS, flags | odd),
        "industry": st.sampled_from(["Health Care", "retail", ""]),
        "growth_stage": st.sampled_from(["growth", "seed"]),
        "reply_minutes": counts.map(lambda minutes: float(minutes) * 10),
        "last_activity_at": st.integers(-10, 100).map(
            lambda hours: (NOW - timedelta(hours=hours)).isoformat()
        ),
    },
)
censuses = st.none() | st.fixed_dictionaries(
    {
        "zip": st.just("75024"),
        "latitude": st.floats(33.0, 33.2),
        "longitude": st.just(PLACE["longitude"]),
        "affluence": st.sampled_from(["high", "medium", "low", None]),
    }
)
few_points = st.integers(0, 600).map(lambda hundredths: hundredths / 100)
tenants = st.fixed_dictionaries(
    {
        "points": st.dictionaries(
            st.sampled_from(["called", "download", "visits", "many_reviews"]), few_points
        ),
        "proxies": st.dictionaries(st.sampled_from(["income", "affluence", "life_events"]), st.booleans()),
        "caps": st.sampled_from(
            [
                {},
                {
                    "fit": 30,
                    "fit.demographic": 15,
                    "fit.psychographic": 15,
                    "intent": 50,
                    "intent.explicit": 35,
                    "intent.implicit": 15,
                },
                {"intent.explicit": 30, "intent.implicit": 10},
            ]
        ),
    }
)
quiet = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def scored(
    own: dict[str, Any], census: dict[str, Any] | None, lpr: dict[str, Any] | None = None
) -> dict[str, Any]:
    tenant = {**SETTINGS, "lpr": {**SETTINGS["lpr"], **(lpr or {})}}
    return score([lead(**own)], {"c1": {"census": census or {}}}, settings=tenant, now=NOW).rows[0]


@quiet
@given(signals, censuses, tenants)
def test_total_is_within_0_and_100_and_the_attribution_adds_up_to_it(own, census, lpr):
    found = scored(own, census, lpr)

    assert 0 <= found["lpr_score"] <= 100
    assert round(math.fsum(line["points"] for line in found["lpr_attribution"]), 2) == found["lpr_score"]
    assert found["lpr_hot"] == (found["lpr_score"] >= 70)


@quiet
@given(signals, censuses, tenants)
def test_clamps_hold_at_every_height(own, census, lpr):
    found = scored(own, census, lpr)

    caps = {**{path: cap / 100 for path, cap in CAPS.items()}, **lpr["caps"]}
    breakdown = found["lpr_breakdown"]
    assert all(0 <= points <= caps[path] for path, points in breakdown.items())
    for pillar in PILLARS:
        groups = sum(breakdown[group] for group in GROUPS if group.startswith(f"{pillar}."))
        assert breakdown[pillar] == pytest.approx(min(groups, caps[pillar]))
    for part in PARTS:
        lines = [line["points"] for line in found["lpr_attribution"] if line["rule"].startswith(f"{part}.")]
        assert sum(lines) <= caps[part] + 1e-9
    assert found["lpr_score"] == pytest.approx(sum(breakdown[pillar] for pillar in PILLARS))


@quiet
@given(signals, censuses)
def test_with_the_tables_own_figures_the_sum_is_exact(own, census):
    found = scored(own, census)

    assert sum(line["points"] for line in found["lpr_attribution"]) == found["lpr_score"]


@quiet
@given(signals, censuses, tenants, st.sampled_from(sorted(COUNTS)), st.tuples(*[st.integers(0, 20)] * 2))
def test_more_of_a_count_never_lowers_the_score(own, census, lpr, name, two):
    less, more = sorted(two)

    assert (
        scored({**own, name: less}, census, lpr)["lpr_score"]
        <= scored({**own, name: more}, census, lpr)["lpr_score"]
    )


@quiet
@given(signals, censuses, tenants, st.sampled_from(sorted(FLAGS)))
def test_a_yes_never_lowers_the_score(own, census, lpr, name):
    without = {key: value for key, value in own.items() if key != name}

    assert scored(without, census, lpr)["lpr_score"] <= scored({**own, name: "Yes"}, census, lpr)["lpr_score"]
    assert (
        scored({**own, name: "No"}, census, lpr)["lpr_score"]
        <= scored({**own, name: "Yes"}, census, lpr)["lpr_score"]
    )


@quiet
@given(signals, st.floats(0, 100), st.floats(0, 100))
def test_later_activity_never_lowers_the_score(own, sooner, later):
    assume(sooner <= later)
    recent, old = (
        scored({**own, "last_activity_at": (NOW - timedelta(hours=hours)).isoformat()}, None)["lpr_score"]
        for hours in (sooner, later)
    )

    assert recent >= old


@quiet
@given(signals, st.floats(0, 0.2), st.floats(0, 0.2))
def test_nearer_never_lowers_the_score(own, near, far):
    assume(near <= far)
    nearer, farther = (
        scored(own, {**CENSUS, "latitude": PLACE["latitude"] + degrees})["lpr_score"]
        for degrees in (near, far)
    )

    assert nearer >= farther


@quiet
@given(st.lists(signals, min_size=1, max_size=6), st.randoms())
def test_neither_order_nor_neighbours_matter(batch, random):
    leads = [lead(f"c{number}", **own) for number, own in enumerate(batch)]
    shuffled = random.sample(leads, len(leads))

    together = {found["id"]: found for found in score(leads, {}, settings=SETTINGS, now=NOW).rows}
    otherwise = {found["id"]: found for found in score(shuffled, {}, settings=SETTINGS, now=NOW).rows}

    assert together == otherwise
    assert together["c0"] == score(leads[:1], {}, settings=SETTINGS, now=NOW).rows[0]


@quiet
@given(signals, censuses)
def test_every_point_names_a_field_that_is_there(own, census):
    record = lead(**own)

    found = score([record], {"c1": {"census": census or {}}}, settings=SETTINGS, now=NOW).rows[0]

    for line in found["lpr_attribution"]:
        place, _, name = line["source"].partition(".")
        known = place in {"lpr", "census[75024]"} or own[name] == line["value"] or isinstance(own[name], list)
        assert known, line
