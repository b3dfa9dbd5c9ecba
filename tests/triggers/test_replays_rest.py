"""The REST API of bulk replays: a tenant's token sees and replays its own alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.triggers.engine import Runs, drain, poisoned_by, spec, supervisor
from triggers import bulk_feed, bulk_replay
from triggers.models import Replay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("replayable")]
LIST = "/api/v1/replays/"
FAILED = {"filter": {"status": "failed"}}
START = {**FAILED, "preview": False}


class TestPreview:
    def test_counts_what_the_token_sees(self, api, failures, acme_token, operator_token):
        mine = api(acme_token).post(LIST, FAILED, format="json")
        every = api(operator_token).post(LIST, FAILED, format="json")
        narrowed = api(operator_token).post(f"{LIST}?tenant=globex", FAILED, format="json")

        assert [answer.json()["executions"] for answer in (mine, every, narrowed)] == [2, 3, 1]
        assert mine.status_code == 200
        assert [row["tenant"] for row in mine.json()["quota"]] == ["acme"]
        with every_tenant():
            assert not Replay.objects.exists()

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "api.invalid"),
            ({"filter": {}}, "api.bad-filter"),
            ({"filter": {"status": " "}}, "api.invalid"),
            ({"filter": {"status": "exploded"}}, "api.bad-filter"),
            ({"filter": {"colour": "red"}}, "api.invalid"),
            ({"filter": "failed"}, "api.invalid"),
            ({"filter": {"trigger": "a\x00b"}}, "api.parse-error"),
            ({**FAILED, "mode": "wild"}, "api.invalid"),
            ({**FAILED, "release": "v9"}, "triggers.bad-replay"),
            ({**FAILED, "token": "nonsense"}, "triggers.bad-preview"),
            ({**FAILED, "token": "99999999999999999999-abc"}, "triggers.bad-preview"),
            ({**FAILED, "preview": "yes"}, "api.invalid"),
        ],
    )
    def test_refuses_what_cannot_be(self, api, failures, acme_token, body, code):
        refused = api(acme_token).post(LIST, body, format="json")

        assert (refused.status_code, refused.json()["code"]) == (400, code)

    def test_needs_a_token(self, api):
        assert api().post(LIST, FAILED, format="json").status_code == 401


class TestStart:
    def test_is_202_and_can_be_followed(self, api, failures, acme_token, globex_token, operator_token):
        client = api(acme_token)

        started = client.post(LIST, START, format="json")

        assert started.status_code == 202
        code = started.json()["id"]
        assert (started.json()["status"], started.json()["total"], started.json()["tenant"]) == (
            "queued",
            2,
            "acme",
        )
        now = datetime.now(UTC)
        bulk_feed.feed(at=now)
        drain(supervisor(Runs(poisoned_by("a1")), spec(batch_size=1)))
        bulk_feed.feed(at=now)
        shown = client.get(f"{LIST}{code}/").json()
        assert [shown[name] for name in ("status", "done", "succeeded", "failed")] == ["done", 2, 1, 1]
        items = client.get(f"{LIST}{code}/items/").json()["results"]
        assert [(item["status"], item["was"], item["reason"]) for item in items] == [
            ("failed", "failed", "script.raised"),
            ("succeeded", "failed", ""),
        ]
        assert client.get(f"/api/v1/executions/{items[0]['replayed_as']}/").json()["replay_of"]
        for path in ("", "items/"):
            assert api(globex_token).get(f"{LIST}{code}/{path}").status_code == 404
            assert api(operator_token).get(f"{LIST}{code}/{path}").status_code == 200
        assert api(globex_token).get(LIST).json()["results"] == []
        assert [row["id"] for row in client.get(LIST).json()["results"]] == [code]

    def test_of_several_tenants_is_the_operators_alone(self, api, failures, acme_token, operator_token):
        code = api(operator_token).post(LIST, START, format="json").json()["id"]

        assert api(operator_token).get(f"{LIST}{code}/").json()["tenant"] is None
        assert api(acme_token).get(f"{LIST}{code}/").status_code == 404

    def test_over_a_hundred_wants_the_number(self, api, failures, acme_token, monkeypatch):
        monkeypatch.setattr(bulk_replay, "CONFIRM_OVER", 1)
        client = api(acme_token)

        refused = client.post(LIST, START, format="json")
        started = client.post(LIST, {**START, "confirm": 2}, format="json")

        assert (refused.status_code, refused.json()["code"]) == (409, "triggers.confirm-replay")
        assert refused.json()["executions"] == 2
        assert started.status_code == 202

    def test_nothing_to_replay_is_409(self, api, failures, acme_token):
        refused = api(acme_token).post(LIST, {"filter": {"mode": "dry"}, "preview": False}, format="json")

        assert (refused.status_code, refused.json()["code"]) == (409, "triggers.nothing-to-replay")


class TestCancel:
    def test_is_for_its_tenant_alone_and_audited(self, api, failures, acme_token, globex_token):
        code = api(acme_token).post(LIST, START, format="json").json()["id"]

        assert api(globex_token).post(f"{LIST}{code}/cancel/").status_code == 404
        cancelled = api(acme_token).post(f"{LIST}{code}/cancel/")
        again = api(acme_token).post(f"{LIST}{code}/cancel/")

        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        assert cancelled.json()["cancelled"] == 2
        assert (again.status_code, again.json()["code"]) == (409, "triggers.replay-ended")
        assert AuditEvent.objects.filter(verb="replay.cancelled").count() == 1


class TestQueryCounts:
    def test_lists_cost_the_same_however_long(self, api, failures, acme_token):
        client = api(acme_token)
        code = client.post(LIST, START, format="json").json()["id"]
        bulk_feed.feed(at=datetime.now(UTC))

        with counted("rest.replays.list"):
            client.get(LIST)
        with counted("rest.replays.items"):
            client.get(f"{LIST}{code}/items/")
