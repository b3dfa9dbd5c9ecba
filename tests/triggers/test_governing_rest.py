"""The REST API of limits, quotas and usage: each tenant its own, and no input that breaks it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from governor import overrides
from governor.choices import Charge
from governor.models import Override, UpgradeRequest
from governor.quotas import Spent
from tenants.models import AuditEvent, Tier
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_execution
from tests.triggers.spending import park, spend
from triggers.models import Lane

pytestmark = pytest.mark.django_db
LIMITS, QUOTA, USAGE = "/api/v1/limits/", "/api/v1/quota/", "/api/v1/usage/"
TRIGGER = "ContactTrigger.score_new_leads"


def override(tenant=None, *, name="executions_per_day", value=150, **scope):
    at = datetime.now(UTC)
    return overrides.put(
        name=name, value=value, reason="a test", actor="operator", at=at, tenant=tenant, **scope
    )


def named(rows):
    return {row["name"]: row for row in rows}


class TestLimits:
    def test_a_tenant_sees_what_holds_for_it_and_why(self, api, acme, globex, acme_token):
        override(acme, value=150)
        override(globex, value=9)
        override(name="api_calls", value=60)

        shown = api(acme_token).get(LIMITS).json()

        quota, limit = named(shown["allowances"])["executions_per_day"], named(shown["limits"])["api_calls"]
        assert (shown["tenant"], shown["tier"], shown["trigger"]) == ("acme", "free", None)
        assert (quota["value"], quota["source"], quota["default"]) == (150, "tenant", 100)
        assert [step["level"] for step in quota["steps"]] == ["platform", "tier", "tenant"]
        assert quota["steps"][-1]["reason"] == "a test"
        assert "raised to 150 for tenant acme by operator" in quota["sentence"]
        assert (limit["value"], limit["source"]) == (60, "platform")
        assert "globex" not in str(shown)

    def test_unlimited_is_null(self, api, acme_token):
        tokens = named(api(acme_token).get(LIMITS).json()["allowances"])["ai_tokens_per_day"]

        assert (tokens["value"], tokens["default"]) == (None, None)
        assert tokens["sentence"] == "unlimited from the platform."

    def test_of_one_trigger(self, api, acme, acme_token):
        override(acme, name="api_calls", value=7, trigger=TRIGGER)
        client = api(acme_token)

        assert named(client.get(LIMITS, {"trigger": TRIGGER}).json()["limits"])["api_calls"]["value"] == 7
        assert named(client.get(LIMITS).json()["limits"])["api_calls"]["value"] == 50
        assert client.get(LIMITS, {"trigger": "No.such"}).json()["code"] == "triggers.unknown-trigger"

    def test_an_operator_names_the_tenant_or_sees_the_platform(self, api, acme, globex, operator_token):
        override(globex, value=9)
        client = api(operator_token)

        of_globex = client.get(LIMITS, {"tenant": "globex"}).json()
        of_platform = client.get(LIMITS).json()

        assert named(of_globex["allowances"])["executions_per_day"]["value"] == 9
        assert (of_platform["tenant"], of_platform["tier"]) == (None, None)
        assert named(of_platform["allowances"])["executions_per_day"]["value"] == 100

    def test_an_operator_sets_and_ends_with_a_reason(self, api, acme, globex, operator_token):
        client = api(operator_token)
        until = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        wanted = {"name": "api_calls", "value": 80, "reason": "a sale", "tenant": "acme", "until": until}

        made = client.put(LIMITS, wanted, format="json").json()
        shown = named(client.get(LIMITS, {"tenant": "acme"}).json()["limits"])["api_calls"]
        ended = client.delete(f"{LIMITS}?name=api_calls&tenant=acme&reason=over").json()

        assert made["override"]["scope"] == "tenant acme"
        assert made["override"]["by"].endswith("of operator")
        assert made["effective"] == shown
        assert shown["value"] == 80
        assert ended["effective"]["value"] == 50
        assert ended["override"]["ended_at"]
        assert [row.verb for row in AuditEvent.objects.order_by("pk")][-2:] == ["set", "ended"]
        assert named(client.get(LIMITS, {"tenant": "globex"}).json()["limits"])["api_calls"]["value"] == 50

    def test_sets_for_a_tier_the_platform_and_a_trigger(self, api, acme, acme_token, operator_token):
        client = api(operator_token)
        base = {"value": 61, "reason": "a test", "name": "api_calls"}

        of_tier = client.put(LIMITS, {**base, "tier": "free"}, format="json").json()
        of_all = client.put(LIMITS, {**base, "name": "cpu_ms", "value": 500}, format="json").json()
        of_trigger = client.put(LIMITS, {**base, "value": 9, "trigger": TRIGGER}, format="json").json()

        assert of_tier["effective"] is None
        assert of_tier["override"]["scope"] == "tier free"
        assert of_all["effective"]["value"] == 500
        assert of_trigger["effective"]["value"] == 9
        limits = named(api(acme_token).get(LIMITS).json()["limits"])
        assert (limits["api_calls"]["value"], limits["cpu_ms"]["value"]) == (61, 500)

    @pytest.mark.parametrize("method", ["put", "delete"])
    def test_a_tenants_token_sets_nothing(self, api, acme_token, method):
        wanted = {"name": "api_calls", "value": 80, "reason": "please"}

        refused = getattr(api(acme_token), method)(LIMITS, wanted, format="json")

        assert (refused.status_code, refused.json()["code"]) == (403, "api.permission-denied")
        assert not Override.objects.exists()

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"name": "no_such"}, "governor.bad-override"),
            ({"value": 10**30}, "governor.bad-override"),
            ({"value": -1}, "governor.bad-override"),
            ({"value": True}, "api.invalid"),
            ({"value": "many"}, "api.invalid"),
            ({"value": None}, "api.invalid"),
            ({"reason": ""}, "api.invalid"),
            ({"reason": "x"}, "governor.bad-override"),
            ({"reason": "x" * 301}, "api.invalid"),
            ({"until": "yesterday"}, "api.invalid"),
            ({"until": "2001-01-01T00:00:00Z"}, "governor.bad-override"),
            ({"until": "0001-01-01T00:00:00+23:00"}, "api.invalid"),
            ({"tenant": "nobody"}, "api.not-found"),
            ({"tier": "platinum"}, "api.not-found"),
            ({"tenant": "acme", "tier": "free"}, "governor.bad-override"),
            ({"trigger": "No.such"}, "triggers.unknown-trigger"),
            ({"trigger": TRIGGER, "name": "weight", "value": 3}, "governor.bad-override"),
            ({"reason": "NUL \x00"}, "api.parse-error"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_with_a_code(self, api, acme, operator_token, change, code):
        wanted = {"name": "api_calls", "value": 80, "reason": "a test", **change}

        refused = api(operator_token).put(LIMITS, wanted, format="json")

        assert refused.status_code in {400, 404}
        assert refused.json()["code"] == code
        assert not Override.objects.exists()

    @pytest.mark.parametrize("body", [b"[]", b'"x"', b"{", b"null", b"[" * 5000])
    def test_what_is_no_object_is_refused(self, api, operator_token, body):
        refused = api(operator_token).put(LIMITS, body, content_type="application/json")

        assert refused.status_code == 400

    def test_ending_what_is_not_set_is_404(self, api, operator_token):
        refused = api(operator_token).delete(LIMITS)

        assert (refused.status_code, refused.json()["code"]) == (404, "governor.no-override")

    def test_costs_the_same_however_many_overrides(self, api, acme, globex, acme_token):
        for trigger in range(50):
            override(acme, name="api_calls", value=7, trigger=f"T.t{trigger}")
        client = api(acme_token)
        client.get(LIMITS)

        with counted("rest.limits"):
            client.get(LIMITS)


class TestQuota:
    def test_tells_what_is_used_left_and_when_it_starts_anew(self, api, acme, globex, acme_token):
        spend(acme, Spent(40, 250, 900, 1_500))
        spend(globex, Spent(7, 7))

        shown = api(acme_token).get(QUOTA).json()

        today = shown["today"]
        assert (shown["tenant"], shown["tier"], shown["is_over"], shown["reason"]) == (
            "acme",
            "free",
            False,
            "",
        )
        used = {"used": 40, "held": 0, "allowed": 100, "left": 60, "percent": 40}
        assert today["executions"].items() >= used.items()
        assert today["api_calls"]["left"] == 750
        assert today["ai_tokens"].items() >= {"used": 900, "allowed": None, "percent": None}.items()
        assert shown["month"]["executions"].items() >= {"used": 40, "allowed": 3000, "percent": 1}.items()
        assert today["resets_at"] > datetime.now(UTC).isoformat()
        assert shown["concurrency"] == {"running": 0, "allowed": 4}
        assert (shown["weight"], shown["parked"]) == (1, None)
        assert shown["upgrade"].items() >= {"tier": "paid", "url": "", "requested": None}.items()

    def test_over_quota_it_says_what_waits_and_until_when(self, api, acme, globex, acme_token):
        Tier.objects.filter(slug="free").update(executions_per_day=2)
        spend(acme, Spent(2, 2))
        make_execution(acme, usage={"api_calls": [1, 50]})
        park(acme, events=7)
        park(globex, events=20)

        shown = api(acme_token).get(QUOTA).json()

        parked = shown["parked"]
        assert (shown["is_over"], shown["reason"]) == (True, "2 of today's 2 executions are used.")
        assert (parked["events"], parked["is_cut"]) == (7, False)
        assert parked["waiting"][0].items() >= {"object": "Contact", "events": 7}.items()
        # Three records a batch, as it was lately; two executions a day.
        assert (parked["estimate"]["executions"], parked["estimate"]["executions_at_best"]) == (3, 1)
        assert [run["executions"] for run in parked["estimate"]["runs"]] in ([2, 1], [3])
        assert parked["estimate"]["done_at"] > parked["until"]

    def test_lanes_at_work_are_counted(self, api, acme, globex, acme_token):
        soon = datetime.now(UTC) + timedelta(minutes=5)
        with every_tenant():
            Lane.objects.create(tenant=acme, object="Contact", lease_until=soon)
            Lane.objects.create(tenant=acme, object="Note", lease_until=datetime(2020, 1, 1, tzinfo=UTC))
            Lane.objects.create(tenant=globex, object="Contact", lease_until=soon)

        assert api(acme_token).get(QUOTA).json()["concurrency"]["running"] == 1

    def test_a_tenant_asks_once_for_the_larger_plan(self, api, acme, globex, acme_token):
        client = api(acme_token)

        first = client.post(f"{QUOTA}upgrade/", {"note": "we grow"}, format="json")
        again = client.post(f"{QUOTA}upgrade/")

        assert first.status_code == again.status_code == 202
        assert first.json() == again.json()
        assert first.json().items() >= {"tier": "paid", "status": "open"}.items()
        assert client.get(QUOTA).json()["upgrade"]["requested"]["id"] == first.json()["id"]
        with every_tenant():
            (asked,) = UpgradeRequest.objects.all()
        assert (asked.tenant, asked.note) == (acme, "we grow")

    def test_above_the_largest_there_is_nothing(self, api, globex_token):
        client = api(globex_token)

        assert client.get(QUOTA).json()["upgrade"] is None
        assert client.post(f"{QUOTA}upgrade/").json()["code"] == "governor.bad-upgrade"

    def test_tenants_keep_apart(self, api, acme, globex, acme_token, operator_token):
        refused = api(acme_token).get(QUOTA, {"tenant": "globex"})

        assert refused.status_code == 404
        assert api(acme_token).post(f"{QUOTA}upgrade/?tenant=globex").status_code == 404
        assert api(operator_token).get(QUOTA, {"tenant": "globex"}).json()["tenant"] == "globex"
        assert api(operator_token).get(QUOTA).json()["filter"] == "tenant"

    def test_costs_the_same_however_much_waits(self, api, acme, globex, acme_token):
        park(acme, events=40)
        for _ in range(20):
            spend(acme, Spent(1, 1))
            make_execution(acme)
        client = api(acme_token)
        client.get(QUOTA)

        with counted("rest.quota"):
            client.get(QUOTA)


class TestUsage:
    @pytest.fixture
    def spent(self, acme, globex):
        spend(acme, Spent(2, 5, 100, 1_500_000), trigger="B.b", at=datetime(2026, 3, 2, 12, tzinfo=UTC))
        spend(acme, Spent(1, 1, 0, 7), trigger="A.a", at=datetime(2026, 3, 3, 12, tzinfo=UTC))
        spend(acme, Spent(0, 4), trigger="", at=datetime(2026, 3, 3, 13, tzinfo=UTC), kind=Charge.OUTBOX)
        spend(globex, Spent(9, 9), trigger="G.secret", at=datetime(2026, 3, 3, 12, tzinfo=UTC))

    def test_by_day_by_trigger_and_in_all(self, api, spent, acme_token):
        shown = api(acme_token).get(USAGE, {"from": "2026-03-01", "to": "2026-03-03"}).json()

        assert (shown["from"], shown["to"]) == ("2026-03-01", "2026-03-03")
        total = {"executions": 3, "api_calls": 10, "ai_tokens": 100, "ai_cost": "1.500007"}
        assert shown["totals"] == total
        assert [(day["on"], day["executions"], day["api_calls"]) for day in shown["days"]] == [
            ("2026-03-01", 0, 0),
            ("2026-03-02", 2, 5),
            ("2026-03-03", 1, 5),
        ]
        assert [(row["trigger"], row["executions"], row["api_calls"]) for row in shown["triggers"]] == [
            ("B.b", 2, 5),
            ("A.a", 1, 1),
            ("CRM writes", 0, 4),
        ]

    def test_is_of_this_month_unless_asked_otherwise(self, api, acme, acme_token):
        shown = api(acme_token).get(USAGE).json()

        today = datetime.now(UTC).date()
        assert (shown["from"], shown["to"]) == (today.replace(day=1).isoformat(), today.isoformat())

    @pytest.mark.parametrize("address", [f"{USAGE}?format=csv&", "/api/v1/usage.csv?"])
    def test_as_csv(self, api, spent, acme_token, address):
        answer = api(acme_token).get(f"{address}from=2026-03-01&to=2026-03-31")

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "usage-acme-2026-03-01-2026-03-31.csv" in answer["Content-Disposition"]
        lines = list(csv.reader(io.StringIO(answer.content.decode())))
        assert lines == [
            ["on", "trigger", "executions", "api_calls", "ai_tokens", "ai_cost"],
            ["2026-03-02", "B.b", "2", "5", "100", "1.500000"],
            ["2026-03-03", "CRM writes", "0", "4", "0", "0.000000"],
            ["2026-03-03", "A.a", "1", "1", "0", "0.000007"],
        ]

    @pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "\r=x"])
    def test_no_cell_of_the_csv_is_a_formula(self, api, acme, globex, acme_token, name):
        spend(acme, Spent(1, 1), trigger=name)

        text = api(acme_token).get("/api/v1/usage.csv").content.decode()

        assert list(csv.reader(io.StringIO(text, newline="")))[1][1] == f"'{name}"

    def test_four_hundred_days_and_no_more(self, api, acme_token):
        client = api(acme_token)

        assert len(client.get(USAGE, {"from": "2025-01-01", "to": "2026-02-04"}).json()["days"]) == 400
        refused = client.get(USAGE, {"from": "2025-01-01", "to": "2026-02-05"})
        assert (refused.status_code, refused.json()["code"]) == (400, "api.bad-filter")

    @pytest.mark.parametrize(
        "query",
        [
            {"from": "yesterday"},
            {"from": "2026-02-31"},
            {"to": "0001-01-01"},
            {"to": "9999-12-31"},
            {"from": "2026-03-02", "to": "2026-03-01"},
            {"from": "2026-03-02\x00"},
            {"from": "x" * 5000},
            {"format": "xml"},
        ],
    )
    def test_what_cannot_be_is_400_and_names_the_filter(self, api, acme_token, query):
        refused = api(acme_token).get(USAGE, query)

        assert (refused.status_code, refused.json()["code"]) == (400, "api.bad-filter")
        assert refused.json()["filter"] in query

    def test_costs_the_same_however_many_triggers(self, api, acme, globex, acme_token):
        for n in range(30):
            spend(acme, Spent(1, 1), trigger=f"T.t{n}")
        client = api(acme_token)
        client.get(USAGE)

        with counted("rest.usage"):
            client.get(USAGE)


class TestTokens:
    @pytest.mark.parametrize("path", [LIMITS, QUOTA, USAGE, f"{QUOTA}upgrade/"])
    def test_each_address_needs_one_and_has_both_spellings(self, api, acme_token, path):
        assert api().get(path).json()["code"] == "api.not-authenticated"
        assert api("cos_wrong").get(path).status_code == 401
        expected = 405 if path.endswith("upgrade/") else 200
        assert api(acme_token).get(path).status_code == expected
        assert api(acme_token).get(path.rstrip("/")).status_code == expected

    def test_the_schema_names_them(self):
        schema = Client().get("/api/schema/?format=json").json()

        named = {
            operation["operationId"]
            for path in ("limits", "quota", "quota/upgrade", "usage")
            for operation in schema["paths"][f"/api/v1/{path}/"].values()
        }
        assert named == {
            "limits_retrieve",
            "limits_update",
            "limits_destroy",
            "quota_retrieve",
            "quota_upgrade",
            "usage_retrieve",
        }
        shapes = schema["components"]["schemas"]
        assert {"from", "to", "days", "triggers", "totals"} <= shapes["Usage"]["properties"].keys()
