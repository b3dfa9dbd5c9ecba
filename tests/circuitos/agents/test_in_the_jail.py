"""From stored events to stored scores: the shipped triggers in a real jail, behind the real broker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from governor import broker
from governor.jail.supervisor import Zygote
from tenants.records import store
from tests.triggers import engine
from triggers.registry import DEFAULT_SCRIPTS, load
from triggers.runner import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.models import Tenant

SIGNALS = {
    "called": "Yes",
    "downloads": "price list",
    "branded_search": "Yes",
    "site_visits": "7",
    "pages_viewed": "12",
    "minutes_on_site": "6",
    "email_opens": "9",
    "email_clicks": "4",
    "reviews_read": "6",
    "actions_7d": "5",
    "social_engagement": "Yes",
    "proactive_contact": "Yes",
}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    jail = Zygote(DEFAULT_SCRIPTS)
    yield jail
    jail.close()


@pytest.fixture
def serve(zygote: Zygote) -> Any:
    supervisor = Supervisor(registry=load(DEFAULT_SCRIPTS), zygote=zygote, run=broker.run, worker="test")
    return lambda: engine.drain(supervisor)


def stored(tenant: Tenant, object_: str = "Contact") -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        rows = store.query(
            cursor, schema=tenant.schema_name, object=object_, where={}, order_by=None, limit=500
        )
    return {row["id"]: row for row in rows}


def custom(**signals: Any) -> list[dict[str, Any]]:
    return [{"id": name, "value": value} for name, value in signals.items()]


@pytest.mark.django_db(transaction=True)
class TestLeads:
    def test_a_hot_lead_is_scored_and_a_task_is_stored(self, acme, serve):
        acme.settings = {"latitude": 33.0779, "longitude": -96.811}
        acme.timezone = "America/Chicago"  # the jail must be able to read the zones
        acme.save(update_fields=["settings", "timezone"])
        now = datetime.now(UTC).isoformat()
        engine.put(
            acme,
            "ada",
            postalCode="75024",
            customFields=custom(**SIGNALS, last_activity_at=now),
        )

        serve()

        ada = stored(acme)["ada"]
        # FIT: location 6, behaviour 8, decision 5 · INTENT: 25 of 31, 8, 7 · TIMING: 8, 4
        assert (ada["lpr_score"], ada["lpr_grade"], ada["lpr_hot"]) == (71, "B", True)
        assert sum(line["points"] for line in ada["lpr_attribution"]) == ada["lpr_score"]
        assert [(task["title"], task["priority"]) for task in stored(acme, "Task").values()] == [
            ("URGENT: Hot lead scored 71/100", "critical")
        ]

    def test_a_batch_is_scored_whole(self, acme, serve):
        for number in range(60):
            engine.put(acme, f"lead-{number}", postalCode="75024", customFields=custom(called="Yes"))

        serve()

        scores = {row["lpr_score"] for row in stored(acme).values()}
        assert len(scores) == 1
        assert scores.pop() >= 15

    def test_new_intent_scores_again(self, acme, serve):
        engine.put(acme, "ada", customFields=custom(called="No"))
        serve()
        before = stored(acme)["ada"]["lpr_score"]

        engine.put(acme, "ada", operation="update", customFields=custom(called="Yes"))
        serve()

        assert stored(acme)["ada"]["lpr_score"] == before + 15

    def test_won_opportunities_leave_an_outcome(self, acme, serve):
        engine.put(acme, "deal-1", obj="Opportunity", status="won", monetaryValue=900, contactId="ada")

        serve()

        assert stored(acme, "Outcome")["opportunity-deal-1"]["result"] == "won"
