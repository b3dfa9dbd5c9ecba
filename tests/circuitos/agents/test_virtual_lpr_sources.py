"""Where readings come from: the tenant's own fields, the mirror; and when they are too few."""

from __future__ import annotations

from typing import Any

import pytest

from circuitos.agents.virtual_lpr import NOT_ENOUGH, BadSettings, changed_signals, score
from circuitos.agents.virtual_lpr.rules import SIGNALS
from circuitos.agents.virtual_lpr.weights import weights_of
from tests.circuitos.agents.leads import CENSUS, NOW, PERFECT, SETTINGS, lead, points, row

MANY = {"besuche": 5, "site_visits": 1}


def active(record: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """The score of a lead of which the mirror knows this."""
    told = {name: {"value": value, "source": f"Message {name}"} for name, value in facts.items()}
    enriched = {record["id"]: {"activity": told, "census": {}}}
    return score([record], enriched, settings={}, now=NOW).rows[0]


def sources(scored: dict[str, Any]) -> dict[str, str]:
    return {line["rule"].rpartition(".")[2]: line["source"] for line in scored["lpr_attribution"]}


class TestChosenFields:
    def test_a_chosen_field_comes_before_the_names(self):
        chosen = {"lpr": {"fields": {"site_visits": "besuche"}}}

        scored = row(settings=chosen, **MANY)

        assert sources(scored)["visits"] == "custom_fields.besuche"
        assert "visits" not in points(row(**MANY))

    def test_is_found_in_any_spelling(self):
        scored = row(settings={"lpr": {"fields": {"called": "Hat angerufen"}}}, hatAngerufen="yes")

        assert points(scored)["called"] == 15

    def test_an_empty_choice_takes_the_reading_out(self):
        scored = row(settings={"lpr": {"fields": {"called": ""}}}, called="yes", appointment="no")

        assert "called" not in points(scored)
        assert "called" in scored["lpr_missing"]

    def test_of_another_tenant_it_means_nothing(self):
        row(settings={"lpr": {"fields": {"site_visits": "besuche"}}}, **MANY)

        assert "visits" not in points(row(settings={"lpr": {"fields": {"called": "x"}}}, **MANY))

    @pytest.mark.parametrize("fields", [{"shoe_size": "x"}, {"called": 5}, {"called": "x" * 201}, ["called"]])
    def test_what_cannot_be_is_refused(self, fields):
        with pytest.raises(BadSettings, match=r"lpr\.fields"):
            weights_of({"lpr": {"fields": fields}})

    def test_a_change_of_a_chosen_field_asks_for_a_new_score(self):
        new, old = lead(besuche=5), lead(besuche=1)
        settings = {"lpr": {"fields": {"site_visits": "besuche"}}}

        assert changed_signals(new, old) == []
        assert changed_signals(new, old, settings=settings) == ["custom_fields.besuche"]


class TestActivity:
    def test_gives_what_no_field_does_and_names_its_record(self):
        scored = active(lead(), called=True, email_clicks=3)

        assert points(scored) == {"called": 15, "email_clicks": 4}
        assert sources(scored)["called"] == "Message called"
        assert sum(line["points"] for line in scored["lpr_attribution"]) == scored["lpr_score"]

    def test_the_leads_own_field_wins(self):
        scored = active(lead(called="no"), called=True)

        assert scored["lpr_score"] == 0

    def test_of_recency_the_newer_counts(self):
        old, new = "2026-07-13T12:00:00+00:00", "2026-07-15T11:00:00+00:00"

        assert points(active(lead(last_activity_at=old), hours_since_activity=new)) == {"recency": 8}
        assert points(active(lead(last_activity_at=new), hours_since_activity=old)) == {"recency": 8}
        assert sources(active(lead(last_activity_at=new), hours_since_activity=old)) == {
            "recency": "custom_fields.last_activity_at"
        }

    @pytest.mark.parametrize("facts", [None, [], {"census": 1}, {"called": 1}, {"shoe": {"value": 3}}])
    def test_whatever_stands_there_breaks_nothing(self, facts):
        enriched = {"c1": {"activity": facts}}

        assert score([lead()], enriched, settings={}, now=NOW).rows[0]["lpr_score"] == 0


class TestNotEnoughData:
    @pytest.mark.parametrize(("live", "grade"), [(4, NOT_ENOUGH), (5, "D")])
    def test_below_the_least_there_is_no_grade(self, live, grade):
        # Each of these feeds one signal.
        names = ("called", "callback_requested", "download", "branded_search", "reads_reviews")

        scored = row(**dict.fromkeys(names[:live], "no"))

        assert scored["lpr_grade"] == grade

    def test_does_not_read_as_a_bad_lead(self):
        scored = row()

        assert (scored["lpr_priority"], scored["lpr_next_action"]) == ("normal", "complete the data")

    @pytest.mark.parametrize(("least", "grade"), [(0, "D"), (1, NOT_ENOUGH)])
    def test_is_set_by_the_tenant(self, least, grade):
        assert row(settings={"lpr": {"least_signals": least}})["lpr_grade"] == grade

    def test_a_lead_of_which_all_is_known_has_enough(self):
        settings = {**SETTINGS, "lpr": {**SETTINGS["lpr"], "least_signals": len(SIGNALS)}}

        assert row(lead(**PERFECT), census=CENSUS, settings=settings)["lpr_grade"] == "A"

    @pytest.mark.parametrize("least", [-1, 36, 2.5, True, "5"])
    def test_a_number_that_cannot_be_is_refused(self, least):
        with pytest.raises(BadSettings, match="least_signals"):
            weights_of({"lpr": {"least_signals": least}})

    def test_is_part_of_the_version(self):
        assert weights_of({"lpr": {"least_signals": 0}}).version != weights_of({}).version
