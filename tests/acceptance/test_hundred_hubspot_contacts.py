"""A hundred HubSpot contacts in one delivery are one batch, and cost three provider requests at most."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
# 64 of 100 points in every season of the year; beside the studio it is 70 or more: hot.
SIGNALS = {
    "called": "yes",
    "download": "menu.pdf",
    "hs_email_open": "5",
    "hs_email_click": "3",
    "hs_analytics_num_visits": "5",
    "hs_analytics_num_page_views": "10",
    "minutes_on_site": "5",
    "actions_7d": "5",
    "values_match": "yes",
    "life_event": "yes",
    "proactive_contact": "yes",
}
NEAR = "75024"  # a third of a mile from the demo tenant


@pytest.fixture(scope="module")
def numbers() -> Iterator[range]:
    return iter(range(start, start + 100) for start in range(510_001, 600_000, 1000))


class TestOneDelivery:
    def test_of_new_contacts_is_one_execution_and_one_request(self, installation: Installation, numbers):
        ids = next(numbers)

        installation.send_hubspot([installation.hubspot_delivery("contact.creation", ids)])
        installation.wait_until_sent()

        assert sizes(installation, "ContactTrigger.score_new_leads", ids) == [100]
        # Of a new contact HubSpot tells the id alone: there is no ZIP code to ask the census about.
        assert (len(installation.census.asked), installation.hubspot.paths()) == (0, ["contacts/update"])
        assert set(installation.hubspot.records[str(ids[0])]) >= {"lpr_score", "lpr_grade", "lpr_attribution"}

    def test_of_moved_contacts_that_turn_hot_costs_three_requests(self, installation: Installation, numbers):
        ids = next(numbers)
        known = [installation.hubspot_delivery("contact.creation", ids)]
        signals = {**SIGNALS, "last_activity_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        for name, value in signals.items():
            known.append(
                installation.hubspot_delivery("contact.propertyChange", ids, propertyName=name, value=value)
            )
        installation.send_hubspot(known)
        installation.wait_until_sent()
        assert not installation.record("Contact", str(ids[0]))["lpr_hot"]
        installation.forget_requests()

        # Thirty ZIP codes elsewhere, and seventy contacts beside the studio.
        moved = installation.hubspot_delivery(
            "contact.propertyChange",
            ids,
            propertyName="zip",
            value=lambda number: (
                NEAR if number % 100 > 30 or not number % 100 else str(10_000 + number % 100)
            ),
        )
        before = len(sizes(installation, "ContactTrigger.rescore_on_intent_change", ids))
        installation.send_hubspot([moved])
        installation.wait_until_sent()

        assert sizes(installation, "ContactTrigger.rescore_on_intent_change", ids)[before:] == [100]
        (asked,) = installation.census.asked
        # Another test may have asked about the studio's own before: answers are kept for 30 days.
        assert {*asked, NEAR} == {NEAR, *(str(10_000 + number) for number in range(1, 31))}
        assert installation.hubspot.paths() == ["contacts/update", "tasks/create"]
        (_, updates), (_, tasks) = installation.hubspot.requests
        assert len(updates) == 100
        assert 70 <= len(tasks) <= 100
        near = str(ids[-1])
        assert installation.hubspot.records[near]["lpr_hot"] == "true"
        about_near = [
            task for task in tasks if [given["to"]["id"] for given in task["associations"]] == [near]
        ]
        assert len(about_near) == 1
        assert about_near[0]["properties"]["hs_task_subject"].startswith("URGENT: Hot lead scored")


def sizes(installation: Installation, trigger: str, ids: range) -> list[int]:
    """Of the trigger's executions over these contacts."""
    rows = installation.query(
        "SELECT size FROM triggers_execution WHERE trigger = %s AND record_ids && %s::varchar[] ORDER BY id",
        trigger,
        [str(number) for number in ids],
    )
    return [size for (size,) in rows]
