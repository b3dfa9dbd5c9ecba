"""A signed GoHighLevel lead ends scored, with a task and a trace, and is found by whatever is known of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from circuitos.local.demo import FIELD_MAP

if TYPE_CHECKING:
    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
LEAD = "found-by-anything-1"
EMAIL, PHONE = "grace.hopper@lead.test", "+12145550142"
SIGNALS = {
    "called": "Yes",
    "download": "menu",
    "email_opens": "9",
    "email_clicks": "4",
    "site_visits": "12",
    "pages_viewed": "20",
    "minutes_on_site": "14",
    "actions_7d": "8",
    "values_match": "yes",
    "proactive_contact": "yes",
    "reads_reviews": "yes",
    "reviews_read": "7",
    "reply_minutes": "10",
    "industry": "healthcare",
}


@pytest.fixture(scope="module")
def _sent() -> dict[str, str]:
    return {}


@pytest.fixture
def event(installation: Installation, _sent: dict[str, str]) -> str:
    """The id of the lead's event, which has run."""
    if not _sent:
        ids = {name: field for field, name in FIELD_MAP.items()}
        custom = {**SIGNALS, "last_activity_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        (body,) = installation.contacts(
            [LEAD],
            email=EMAIL,
            phone=PHONE,
            postalCode="75024",
            country="US",
            customFields=[{"id": ids[name], "value": value} for name, value in custom.items()],
        )
        (_sent["event"],) = installation.send_signed("gohighlevel", [body])
        installation.executions_of(_sent["event"])
    return _sent["event"]


@pytest.fixture
def execution(installation: Installation, event: str) -> Any:
    (found,) = installation.executions_of(event)
    return found


class TestLead:
    def test_is_scored_with_its_reasons(self, installation, execution):
        lead = installation.record("Contact", LEAD)

        assert lead["lpr_hot"]
        assert 70 <= lead["lpr_score"] <= 100
        assert sum(line["points"] for line in lead["lpr_attribution"]) == pytest.approx(lead["lpr_score"])
        assert execution["trigger"] == "ContactTrigger.score_new_leads"
        assert execution["status"] == "succeeded"

    def test_has_a_task_to_call_it(self, installation, execution):
        ((task,),) = installation.query(
            "SELECT data FROM t_demo.records_record WHERE object = 'Task' AND data->>'record_id' = %s", LEAD
        )

        assert task["title"].startswith("URGENT: Hot lead scored")
        assert task["priority"] == "critical"

    def test_is_not_told_to_a_crm_we_cannot_write_to(self, installation, execution):
        rows = installation.query(
            "SELECT object, status FROM triggers_outboxwrite WHERE execution = %s ORDER BY id",
            execution["id"],
        )

        assert rows == [("Contact", "not-sent"), ("Task", "not-sent")]

    def test_has_a_trace_without_its_address(self, installation, execution):
        status, trace = installation.rest(f"executions/{execution['id']}/trace/")

        assert status == 200
        assert trace["spans"]
        assert any(entry["message"] == "scored" for entry in trace["entries"])
        assert trace["effects"]
        assert trace["usage"]["records_written"] == [2, 10_000]  # the lead and its task
        assert EMAIL not in str(trace)


class TestSearch:
    @pytest.mark.parametrize("by", ["id", "record", "e-mail", "shouted e-mail", "phone", "local phone"])
    def test_finds_it(self, installation, execution, by):
        term = {
            "id": execution["id"],
            "record": LEAD,
            "e-mail": EMAIL,
            "shouted e-mail": EMAIL.upper(),
            "phone": PHONE.replace("+", "%2B"),
            "local phone": "(214)%20555-0142",
        }[by]

        status, found = installation.rest(f"executions/?q={term}")

        assert status == 200
        assert [row["id"] for row in found["results"]] == [execution["id"]]

    @pytest.mark.parametrize("term", ["id", LEAD, EMAIL, PHONE.replace("+", "%2B")])
    def test_of_another_tenant_finds_nothing(self, installation, execution, term):
        wanted = execution["id"] if term == "id" else term

        _, found = installation.rest(f"executions/?q={wanted}", token=installation.tokens[1])

        assert found["results"] == []

    @pytest.mark.parametrize("path", ["executions/{}/", "executions/{}/trace/", "executions/{}/replay/"])
    def test_another_tenant_is_told_there_is_no_such_execution(self, installation, execution, path):
        body = {"mode": "live"} if "replay" in path else None

        status, said = installation.rest(
            path.format(execution["id"]), token=installation.tokens[1], body=body
        )

        assert status == 404
        assert "code" in said

    def test_nor_does_it_see_the_event(self, installation, event):
        status, _ = installation.rest(f"events/{event}/", token=installation.tokens[1])

        assert status == 404
