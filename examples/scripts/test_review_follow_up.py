"""What ReviewTrigger does, shown on reviews made up here."""

from __future__ import annotations

import pytest
from review_follow_up import ReviewTrigger

from circuitos.script.testing import run

THANKS = {"reply": "Thank you, Ann."}


def test_a_complaint_becomes_a_task_and_no_question():
    result = run(ReviewTrigger, [{"id": "r1", "stars": 1, "text": "Cold food", "contact_id": "c1"}]).check()

    assert [(task["record_id"], task["priority"]) for task in result.tasks] == [("c1", "high")]
    assert result.questions == []


def test_praise_becomes_a_draft():
    result = run(ReviewTrigger, [{"id": "r1", "stars": 5, "text": "Great"}], ai=THANKS).check()

    assert result.changed("Review") == {"r1": {"reply_draft": "Thank you, Ann."}}
    assert result.questions[0].data == {"review": "Great"}
    assert "Great" not in result.questions[0].prompt


@pytest.mark.parametrize("stars", [0, 6, "many"])
def test_a_review_that_makes_no_sense_is_quarantined_and_the_others_go_on(stars):
    result = run(ReviewTrigger, [{"id": "r1", "stars": stars}, {"id": "r2", "stars": 2}]).check()

    assert result.outcomes["r1"].status == "quarantined"
    assert result.outcomes["r1"].detail[0]["field"] == "stars"
    assert result.outcomes["r2"].status == "ok"


def test_answered_reviews_are_left_alone():
    result = run(ReviewTrigger, [{"id": "r1", "stars": 5, "is_answered": True}]).check()

    assert result.outcomes["r1"].reason == "when"
    assert not result.is_called


def test_a_tenant_says_what_a_complaint_is():
    result = run(ReviewTrigger, [{"id": "r1", "stars": 3}], settings={"complaint_up_to": 3}).check()

    assert len(result.tasks) == 1


def test_a_full_batch_stays_within_the_limit_of_calls():
    result = run(ReviewTrigger, [{"id": str(n), "stars": 5} for n in range(100)], ai=THANKS).check()

    assert result.usage["api_calls"] == [20, 50]
