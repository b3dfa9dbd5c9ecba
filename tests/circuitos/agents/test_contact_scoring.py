"""The shipped contact triggers, run as the jail runs them."""

from __future__ import annotations

from typing import Any

import pytest

from circuitos.agents.triggers.contact_scoring import ContactTrigger
from circuitos.script.errors import CalloutError
from circuitos.script.testing import Result, run
from tests.circuitos.agents.leads import CENSUS, NOW, PERFECT, SETTINGS, lead

TENANT = {"slug": "acme", "timezone": "UTC", "settings": SETTINGS}


def arrive(*records: dict[str, Any], census: Any = None, **more: Any) -> Result:
    return run(
        ContactTrigger.score_new_leads,
        records,
        enrich={"census": {"75024": CENSUS} if census is None else census},
        tenant=TENANT,
        now=NOW,
        **more,
    )


def change(old: dict[str, Any] | None, new: dict[str, Any]) -> Result:
    return run(
        ContactTrigger.rescore_on_intent_change,
        [new],
        old=[old],
        enrich={"census": {"75024": CENSUS}},
        tenant=TENANT,
        now=NOW,
    )


class TestScoreNewLeads:
    def test_hot_lead_is_scored_and_a_person_is_called(self):
        result = arrive(lead("c1", **PERFECT)).check()

        assert result.changed("Contact")["c1"]["lpr_score"] == 100
        assert [(task["title"], task["priority"], task["record_id"]) for task in result.tasks] == [
            ("URGENT: Hot lead scored 100/100", "critical", "c1")
        ]
        assert "+15 called (custom_fields.called)" in result.tasks[0]["body"]

    def test_cold_lead_is_scored_and_nobody_is_called(self):
        result = arrive(lead("c1", form_submitted="yes")).check()

        fields = result.changed("Contact")["c1"]
        # form 6 + distance 4 + affluence 2 + July 4
        assert (fields["lpr_score"], fields["lpr_hot"]) == (16, False)
        assert result.tasks == []

    def test_two_hundred_leads_cost_one_api_call_and_one_write_each(self):
        result = arrive(*[lead(f"c{number}", called="Yes") for number in range(200)]).check()

        assert result.usage["api_calls"][0] == 1
        assert result.usage["records_written"][0] == 200
        assert len(result.changed("Contact")) == 200
        assert {outcome.status for outcome in result.outcomes.values()} == {"ok"}

    def test_the_trace_has_a_summary(self):
        result = arrive(lead("c1", **PERFECT), lead("c2")).check()

        assert [(line.level, line.message, line.data) for line in result.logs] == [
            (
                "info",
                "scored",
                {
                    "leads": 2,
                    "hot": 1,
                    "tasks": 1,
                    "not_enough_data": 1,
                    "low_confidence": 1,
                    "weights": result.changed("Contact")["c1"]["lpr_weights_version"],
                },
            )
        ]

    def test_without_the_census_leads_are_scored_and_the_trace_says_so(self):
        def down(*_: Any) -> Any:
            raise CalloutError("The census is down.")

        result = arrive(lead("c1", **PERFECT), census=down).check()

        # Without the census 6 points of location are missing.
        assert result.changed("Contact")["c1"]["lpr_score"] == 94
        assert "census" in result.changed("Contact")["c1"]["lpr_missing"]
        assert [line.level for line in result.logs] == ["warning", "info"]

    def test_bad_settings_end_the_run_with_a_sentence(self):
        result = run(
            ContactTrigger.score_new_leads,
            [lead()],
            enrich={"census": {}},
            tenant={**TENANT, "settings": {"lpr": {"caps": {"fit": 99}}}},
        )

        assert result.error is not None
        assert (result.error.code, "add up to 100" in result.error.detail) == ("lpr.bad-settings", True)
        assert result.changes == []


class TestRescore:
    def test_new_intent_scores_again_and_calls_a_person_once(self):
        cold = lead(
            "c1",
            **{
                **PERFECT,
                "called": "No",
                "appointment": "",
                "callback_requested": "",
                "directions_requested": "",
                "download": "",
                "form_submitted": "",
                "branded_search": "",
                "near_me_search": "",
                "research_search": "",
                "site_visits": 0,
                "last_activity_at": "",
            },
        )
        hot = lead("c1", **PERFECT)

        first = change({**cold, "lpr_hot": False}, {**hot, "lpr_hot": False}).check()
        again = change(
            {**hot, "lpr_hot": True}, {**lead("c1", **{**PERFECT, "pages_viewed": 30}), "lpr_hot": True}
        ).check()

        assert first.changed("Contact")["c1"]["lpr_hot"] is True
        assert len(first.tasks) == 1
        assert again.changed("Contact")["c1"]["lpr_hot"] is True
        assert again.tasks == []

    @pytest.mark.parametrize(
        "change_",
        [{"email": "new@x.test"}, {"tags": ["vip"]}, {"lpr_score": 12.0, "lpr_scored_at": "2026-01-01"}],
    )
    def test_other_changes_score_nothing_and_ask_nobody(self, change_: dict[str, Any]):
        old = lead("c1", called="Yes")

        result = change(old, {**old, **change_}).check()

        assert result.changes == []
        assert result.enrichments == []
        assert result.outcomes["c1"].status == "skipped"

    def test_a_record_met_for_the_first_time_is_scored(self):
        result = change(None, lead("c1", called="Yes")).check()

        assert "lpr_score" in result.changed("Contact")["c1"]

    def test_what_it_stored_does_not_make_it_run_again(self):
        old = lead("c1", called="No")
        new = lead("c1", called="Yes")
        stored = {**new, **change(old, new).check().changed("Contact")["c1"]}

        assert change(new, stored).check().changes == []
