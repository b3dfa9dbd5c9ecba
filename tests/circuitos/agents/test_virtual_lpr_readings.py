"""What people and tools type, and what we read in it."""

from __future__ import annotations

from typing import Any

import pytest

from circuitos.agents.virtual_lpr import changed_signals
from circuitos.agents.virtual_lpr.readings import FROM_FIELDS, TARGETS, flag, mention, moment, number, word
from tests.circuitos.agents.leads import earned, row


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("4", 4),
        (" 4.5 ", 4.5),
        ("1,200", 1200),
        ("1,5", 1.5),
        ("11-50", 11),
        ("500+", 500),
        ("> 20", 20),
        ("5 min", 5),
        (True, 1),
        (0, 0),
        ("many", None),
        ("-3", None),
        (-3, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ("9" * 5000, None),
        ([4], None),
        ({}, None),
    ],
)
def test_number(value: Any, expected: float | None):
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Yes", 1),
        ("TRUE", 1),
        ("1", 1),
        (1, 1),
        (True, 1),
        ("3", 1),
        ("booked", 1),
        ("2026-07-15T10:00:00Z", 1),
        (["a"], 1),
        ("No", 0),
        ("0", 0),
        (0, 0),
        (False, 0),
        ("cancelled", 0),
        ("no show", 0),
        ("perhaps", None),
        ([], None),
        (float("nan"), None),
        ("nan", None),
    ],
)
def test_flag(value: Any, expected: float | None):
    assert flag(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("menu.pdf", 1), ("no", 0), ("Yes", 1), (2, 1), (0, 0)])
def test_mention_counts_any_text_but_no(value: Any, expected: float):
    assert mention(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-07-15T10:00:00Z", "2026-07-15T10:00:00+00:00"),
        ("2026-07-15T05:00:00-05:00", "2026-07-15T05:00:00-05:00"),
        ("2026-07-15", "2026-07-15T00:00:00"),
        (1784109600, "2026-07-15T10:00:00+00:00"),
        ("1784109600000", "2026-07-15T10:00:00+00:00"),
    ],
)
def test_moment(value: Any, expected: str):
    found = moment(value)

    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize("value", ["soon", True, [], "9" * 300, 1e300, float("nan"), "²"])
def test_no_moment(value: Any):
    assert moment(value) is None


def test_words_are_compared_without_case_hyphens_and_underscores():
    assert word("COMPUTER_Software") == word("computer  software") == word("Computer-Software")


def test_blank_is_missing_and_zero_is_not():
    assert "site_visits" in row(site_visits="")["lpr_missing"]
    assert "site_visits" in row(site_visits="  ")["lpr_missing"]
    assert "site_visits" in row(site_visits=None)["lpr_missing"]
    assert "site_visits" not in row(site_visits="0")["lpr_missing"]


def test_what_cannot_be_read_is_missing():
    scored = row(site_visits="lots", called="who knows", last_activity_at="yesterday")

    assert scored["lpr_score"] == 0
    assert {"site_visits", "called", "last_activity_at"} <= set(scored["lpr_missing"])


@pytest.mark.parametrize(
    "name", ["site_visits", "Site Visits", "siteVisits", "site-visits", "Website visits"]
)
def test_names_are_met_half_way(name: str):
    assert earned(**{name: 3}) == 2


def test_the_first_of_several_names_wins_in_any_order():
    assert earned(site_visits=0, visits=9) == earned(visits=9, site_visits=0) == 0


def test_a_better_name_that_cannot_be_read_leaves_it_to_the_next():
    assert earned(site_visits="?", visits=3) == 2


@pytest.mark.parametrize("place", ["custom_fields", "extra"])
def test_fields_are_read_from_every_map_of_the_record(place: str):
    scored = row({"id": "c1", place: {"called": "Yes"}})

    assert [line["source"] for line in scored["lpr_attribution"]] == [f"{place}.called"]


def test_custom_fields_as_the_list_a_crm_sends():
    scored = row({"id": "c1", "custom_fields": [{"key": "called", "value": "Yes"}, {"id": "x"}, "odd"]})

    assert scored["lpr_score"] == 15


@pytest.mark.parametrize("odd", ["text", 7, [], [[]], {"called": {"deep": [1]}}, {"called": ""}, {"": "Yes"}])
def test_odd_custom_fields_do_not_break_a_score(odd: Any):
    assert 0 <= row({"id": "c1", "custom_fields": odd})["lpr_score"] <= 15


def test_names_are_documented_once():
    first_names = [reading.names[0] for reading in FROM_FIELDS]

    assert len(set(first_names)) == len(first_names)


def test_remembered_names_are_bounded():
    for number_ in range(TARGETS.LIMIT + 10):
        assert TARGETS[f"unknown {number_}"] == ()

    assert len(TARGETS) <= TARGETS.LIMIT + 1


class TestChangedSignals:
    def test_only_scoring_fields_count(self):
        old = {"id": "c1", "email": "a@x.test", "custom_fields": {"called": "No", "hobby": "chess"}}
        new = {"id": "c1", "email": "b@x.test", "custom_fields": {"called": "Yes", "hobby": "go"}}

        assert changed_signals(new, old) == ["custom_fields.called"]

    def test_our_own_scores_do_not_ask_for_another(self):
        old = {"id": "c1", "custom_fields": {"called": "Yes"}}

        assert changed_signals({**old, "lpr_score": 15.0, "lpr_scored_at": "now"}, old) == []

    def test_a_field_that_went_away_counts(self):
        assert changed_signals({"id": "c1"}, {"id": "c1", "custom_fields": {"called": "Yes"}}) == [
            "custom_fields.called"
        ]

    def test_a_lead_that_moved_counts(self):
        assert changed_signals({"postal_code": "75024"}, {"postal_code": "10001"}) == ["postal_code"]

    def test_without_an_old_image_every_signal_is_new(self):
        assert changed_signals({"called": "Yes", "site_visits": 1}, None) == ["called", "site_visits"]

    def test_blank_for_absent_is_no_change(self):
        assert changed_signals({"called": ""}, {"called": None}) == []
