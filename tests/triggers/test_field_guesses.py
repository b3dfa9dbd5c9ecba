"""Definitions as CRMs send them, and the guesses made of them."""

from __future__ import annotations

import pytest

from circuitos.agents.virtual_lpr.readings import FROM_FIELDS
from triggers.crm import definitions, score_fields
from triggers.crm.definitions import Definition, NoDefinitions
from triggers.field_guesses import _CLUES, guess

KINDS = {reading.name: reading.kind for reading in FROM_FIELDS}


def field(label, type_="text", *, key="", options=()):
    return Definition("Contact", label, key or label.lower().replace(" ", "_"), label, type_, options)


def guessed(*fields):
    return {name: each.field.label for name, each in guess(fields, KINDS, but=()).items()}


class TestDefinitions:
    def test_highlevels_are_named_by_their_key(self):
        document = {
            "customFields": [
                {"id": "Kx3", "name": "Besuche", "fieldKey": "contact.site_visits", "dataType": "NUMERICAL"},
                {"id": "a1", "name": "Same", "dataType": "TEXT", "model": "contact"},
                {"id": "a2", "name": "Same", "dataType": "RADIO", "picklistOptions": ["Yes", "No"]},
                {"id": "a3", "name": "Size", "fieldKey": "opportunity.size", "model": "opportunity"},
                {"id": "a4", "name": "Else", "model": "business"},
                {"id": 7}, "odd", {"id": "../x", "name": "No"},
            ]
        }  # fmt: skip

        found = definitions.gohighlevel(document)

        assert [(each.object, each.id, each.key) for each in found] == [
            ("Contact", "Kx3", "site_visits"),
            ("Contact", "a1", "same"),
            ("Contact", "a2", "same_2"),
            ("Opportunity", "a3", "size"),
        ]
        assert (found[0].type, found[0].label, found[2].options) == ("numerical", "Besuche", ("Yes", "No"))

    def test_hubspots_have_our_names_where_we_have_one(self):
        document = {
            "results": [
                {"name": "zip", "label": "Postal code", "type": "string"},
                {"name": "visits_count", "label": "Visits", "type": "number"},
                {"name": "hidden", "label": "Hidden", "hidden": True},
            ]
        }

        found = definitions.hubspot(document, "Contact")

        assert [each.place for each in found] == ["postal_code", "custom_fields.visits_count"]

    @pytest.mark.parametrize("document", [None, [], {"customFields": {}}, {"message": "no"}])
    def test_what_is_no_list_is_said(self, document):
        with pytest.raises(NoDefinitions):
            definitions.gohighlevel(document)


class TestGuess:
    def test_by_name_label_and_type(self):
        found = guessed(
            field("How many website visits", "numerical"),
            field("Last engagement date", "date"),
            field("Has booked a consultation", "single_options", options=("Yes", "No")),
            field("Number of e-mail opens", "number"),
            field("Favourite colour"),
        )

        assert found == {
            "site_visits": "How many website visits",
            "hours_since_activity": "Last engagement date",
            "appointment": "Has booked a consultation",
            "email_opens": "Number of e-mail opens",
        }

    def test_a_type_that_cannot_be_speaks_against_it(self):
        assert guessed(field("Website visits", "date"), field("Last activity", "numerical")) == {}
        assert guessed(field("Download", "file_upload")) == {}

    def test_the_better_fit_wins(self):
        assert guessed(field("Visits note"), field("Visits", "numerical"))["site_visits"] == "Visits"

    def test_what_is_known_already_is_not_guessed(self):
        assert guess([field("Visits", "number")], KINDS, but={"site_visits"}) == {}

    def test_a_score_of_ours_feeds_no_score(self):
        assert guessed(field("Appointment", key="lpr_appointment")) == {}

    def test_every_reading_can_be_guessed(self):
        assert set(_CLUES) == set(KINDS)


def test_the_fields_a_score_needs_are_those_it_writes():
    from tests.circuitos.agents.leads import row

    assert set(score_fields.SCORE_FIELDS) == set(row()) - {"id"}
