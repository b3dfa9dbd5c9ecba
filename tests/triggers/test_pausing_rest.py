"""Pausing a trigger over REST: each token acts on what it may see."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from tests.rows import make_execution
from triggers import bells
from triggers.models import TriggerConfig

pytestmark = pytest.mark.django_db
SCORE = "ContactTrigger.score_new_leads"
PAUSE, RESUME = f"/api/v1/triggers/{SCORE}/pause/", f"/api/v1/triggers/{SCORE}/resume/"
WHY = {"reason": "The CRM is being migrated."}


@pytest.fixture(autouse=True)
def _silent(monkeypatch):
    monkeypatch.setattr(bells, "ring", lambda lanes: None)


def listed(client, query=""):
    rows = client.get(f"/api/v1/triggers/{query}").json()["results"]
    return next(row for row in rows if row["name"] == SCORE)


class TestPause:
    def test_a_tenant_pauses_for_itself(self, api, acme_token, globex_token):
        until = (now() + timedelta(hours=1)).isoformat()

        answer = api(acme_token).post(PAUSE, {**WHY, "until": until}, format="json")

        assert answer.status_code == 200
        assert answer.json()["status"] == "paused"
        assert listed(api(acme_token))["pause_reason"] == WHY["reason"]
        assert listed(api(globex_token))["status"] == "active"
        assert api(globex_token).post(RESUME, {}, format="json").json()["code"] == "triggers.not-paused"
        assert api(acme_token).post(RESUME, {}, format="json").json()["status"] == "active"

    def test_an_operator_pauses_for_all_or_one(self, api, operator_token, acme_token, globex_token):
        operator = api(operator_token)
        operator.post(f"{PAUSE}?tenant=globex", WHY, format="json")
        assert TriggerConfig.objects.get().tenant.slug == "globex"

        operator.post(PAUSE, {**WHY, "until": None}, format="json")

        assert listed(api(acme_token))["paused_until"] is None
        refused = api(acme_token).post(RESUME, {}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "triggers.paused-for-all")
        assert operator.post(RESUME, {}, format="json").status_code == 200
        assert listed(api(acme_token))["status"] == "active"
        assert listed(api(globex_token))["status"] == "paused"

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 400),
            ({"reason": ""}, 400),
            ({"reason": "r", "until": "soon"}, 400),
            ({"reason": "r", "until": "2001-01-01T00:00:00Z"}, 400),
            ({"reason": "r", "until": "9999-12-31T23:59:59-14:00"}, 400),
            ({"reason": "r", "for": "ever"}, 400),
            ({"reason": 7}, 400),
            (["reason"], 400),
        ],
    )
    def test_refuses_what_makes_no_sense(self, api, acme_token, body, status):
        answer = api(acme_token).post(PAUSE, body, format="json")

        assert answer.status_code == status
        assert answer.json()["code"]
        assert not TriggerConfig.objects.exists()

    def test_strangers_and_unknown_names(self, api, acme_token):
        assert api().post(PAUSE, WHY, format="json").status_code == 401
        assert api(acme_token).post(f"{PAUSE}?tenant=globex", WHY, format="json").status_code == 404
        unknown = api(acme_token).post("/api/v1/triggers/No.such/pause", WHY, format="json")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "triggers.unknown-trigger")


class TestFigures:
    def test_list_tells_the_last_day(self, api, acme, acme_token, globex_token):
        for wall_ms, status in ((100, "succeeded"), (300, "failed")):
            make_execution(acme, wall_ms=wall_ms, status=status, usage={"api_calls": [6, 50]})

        seen = listed(api(acme_token))

        assert seen["p50_ms"] == 200
        assert seen["p95_ms"] == pytest.approx(290)
        assert (seen["error_rate"], seen["calls_per_record"], seen["waiting"]) == (0.5, 2.0, 0)
        assert listed(api(globex_token))["p50_ms"] is None
