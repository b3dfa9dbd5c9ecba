"""The shipped opportunity trigger: what became of the leads."""

from __future__ import annotations

from typing import Any

import pytest

from circuitos.agents.triggers.opportunity_outcomes import OpportunityTrigger
from circuitos.script.testing import Result, run
from tests.circuitos.agents.leads import NOW


def deal(**fields: Any) -> dict[str, Any]:
    return {"id": "o1", "contact_id": "c1", "monetary_value": 1200, "status": "open", **fields}


def move(new: dict[str, Any], old: dict[str, Any] | None = None, *, score: float | None = 82.0) -> Result:
    return run(
        OpportunityTrigger.record_outcome,
        [new],
        old=[old],
        event="afterUpdate",
        stored={"Contact": [{"id": "c1", "lpr_score": score, "lpr_weights_version": "lpr-1"}]},
        now=NOW,
    )


def test_won_is_kept_beside_the_score_of_the_moment():
    result = move(deal(status="won"), deal()).check()

    assert result.changed("Outcome") == {
        "opportunity-o1": {
            "opportunity_id": "o1",
            "contact_id": "c1",
            "kind": "opportunity",
            "result": "won",
            "value": 1200,
            "at": NOW.isoformat(),
            "lpr_score": 82.0,
            "lpr_weights_version": "lpr-1",
        }
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": "Won"}, "won"),
        ({"status": "lost"}, "lost"),
        ({"status": "abandoned"}, "lost"),
        ({"status": None, "pipeline_stage_id": "closedwon"}, "won"),
        ({"status": None, "pipeline_stage_id": "Closed Lost"}, "lost"),
    ],
)
def test_how_crms_say_it(fields: dict[str, Any], expected: str):
    assert move(deal(**fields)).check().changed("Outcome")["opportunity-o1"]["result"] == expected


def test_open_or_already_won_is_no_outcome():
    for new, old in ((deal(), None), (deal(status="won", monetary_value=2), deal(status="won"))):
        result = move(new, old).check()

        assert result.changes == []
        assert result.outcomes["o1"].status == "skipped"


def test_an_opportunity_without_a_known_contact_is_kept_without_a_score():
    result = move(deal(status="won", contact_id=None)).check()

    assert result.changed("Outcome")["opportunity-o1"]["lpr_score"] is None
    assert result.usage["record_queries"][0] == 0


def test_a_change_of_mind_replaces_the_outcome():
    result = move(deal(status="lost"), deal(status="won")).check()

    assert list(result.changed("Outcome")) == ["opportunity-o1"]
    assert result.changed("Outcome")["opportunity-o1"]["result"] == "lost"
