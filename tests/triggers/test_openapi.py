"""The OpenAPI schema says what is true: of each operation its answer fits, and its example is a real one.

``UPDATE_API_EXAMPLES=1`` records the examples anew, from the answers of the calls below.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import redirect_stderr
from datetime import UTC, datetime
from io import StringIO

import jsonschema
import pytest
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder

from circuitos.schema import EXAMPLES, JSON, REFUSALS, examples, operations
from governor import overrides
from governor.quotas import Spent
from tenants.scope import every_tenant
from tests.rows import make_event, make_execution
from tests.triggers.spending import park, spend
from triggers import bulk_replay
from triggers.models import Execution

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
RAISED = {"name": "executions_per_day", "value": 150, "reason": "The spring campaign", "tenant": "acme"}
INITECH = {
    "slug": "initech",
    "name": "Initech",
    "owner": "bill@initech.test",
    "timezone": "America/Denver",
    "connections": [{"crm": "standard", "name": "Website"}],
}
SCORE, RESCORE = "ContactTrigger.score_new_leads", "ContactTrigger.rescore_on_intent_change"
# Operation -> method, path, body. The rows are those of ``world``.
CALLS = {
    "audit_chain": ("GET", "audit/chain/", None),
    "events_list": ("GET", "events/", None),
    "events_retrieve": ("GET", "events/{event}/", None),
    "executions_list": ("GET", "executions/", None),
    "executions_retrieve": ("GET", "executions/{execution}/", None),
    "executions_trace": ("GET", "executions/{execution}/trace/", None),
    "executions_replay": ("POST", "executions/{execution}/replay/", {"mode": "dry", "records": "all"}),
    "replays_list": ("GET", "replays/", None),
    "replays_create": ("POST", "replays/", {"filter": {"status": "failed", "created_after": "2026-03-02"}}),
    "replays_retrieve": ("GET", "replays/{replay}/", None),
    "replays_items": ("GET", "replays/{replay}/items/", None),
    "replays_cancel": ("POST", "replays/{replay}/cancel/", None),
    "triggers_list": ("GET", "triggers/", None),
    "triggers_pause": ("POST", f"triggers/{SCORE}/pause/", {"reason": "The CRM is being migrated."}),
    "triggers_resume": ("POST", f"triggers/{RESCORE}/resume/?tenant=acme", {}),
    "releases_list": ("GET", "releases/", None),
    "releases_retrieve": ("GET", "releases/live/", None),
    "limits_retrieve": ("GET", "limits/?tenant=acme", None),
    "limits_update": ("PUT", "limits/", RAISED),
    "limits_destroy": ("DELETE", "limits/?name=api_calls&tenant=acme", None),
    "quota_retrieve": ("GET", "quota/?tenant=acme", None),
    "quota_upgrade": ("POST", "quota/upgrade/?tenant=acme", {"note": "The campaign starts on Monday."}),
    "usage_retrieve": ("GET", "usage/?tenant=acme", None),
    "tenants_list": ("GET", "tenants/", None),
    "tenants_create": ("POST", "tenants/", INITECH),
    "tenants_retrieve": ("GET", "tenants/acme/", None),
    "tenants_update": ("PATCH", "tenants/acme/", {"tier": "paid"}),
    "connections_list": ("GET", "connections/", None),
    "connections_create": ("POST", "connections/?tenant=acme", {"crm": "hubspot", "account_id": "4815162"}),
    "connections_retrieve": ("GET", "connections/{connection}/", None),
    "connections_update": ("PATCH", "connections/{connection}/", {"name": "Sales", "is_active": True}),
    "connections_history": ("GET", "connections/{connection}/history/", None),
    "connections_test": ("POST", "connections/{connection}/test/", None),
    "connections_rotate_secret": ("POST", "connections/{connection}/rotate-secret/", {}),
}
APART = {"connections_test"}  # it commits for itself: tests/triggers/test_test_event.py calls it
SHORT = 2  # items of a list in an example


@pytest.fixture(scope="module")
def schema():
    from drf_spectacular.generators import SchemaGenerator

    return json.loads(json.dumps(SchemaGenerator().get_schema(public=True), cls=DjangoJSONEncoder))


@pytest.fixture
def world(acme, acme_standard):
    event, other = (make_event(acme, record_id=f"lead-{n}") for n in (1, 2))
    execution = make_execution(
        acme,
        records=[{"id": "lead-1", "email": "ada@example.test"}, {"id": "lead-2"}],
        event_ids=[event.pk, other.pk],
        event_codes=[event.code, other.code],
        status="partial",
        ok=1,
        failed=1,
        trace={
            "outcomes": {"lead-1": ["ok", "", None], "lead-2": ["failed", "no e-mail", None]},
            "entries": [
                {"level": "info", "message": "1 lead scored", "data": {}, "at": AT.isoformat(), "line": ""}
            ],
        },
    )
    with every_tenant():
        replay = bulk_replay.start(
            Execution.objects.all(),
            filter={"status": "partial"},
            records="failed",
            actor="operator",
            at=datetime.now(UTC),
        )
    make_execution(acme, status="failed", ok=0, failed=3)
    overrides.put(
        name="api_calls",
        value=60,
        reason="A slow partner",
        actor="operator",
        tenant=acme,
        at=datetime.now(UTC),
    )
    return {
        "event": event.code,
        "execution": execution.code,
        "connection": acme_standard.code,
        "replay": replay.code,
    }


@pytest.fixture
def answer_to(api, operator_token, world):
    """``answer_to(operation)``: what the API says to its call."""

    def call(name):
        method, path, body = CALLS[name]
        address = f"/api/v1/{path.format(**world)}"
        return api(operator_token).generic(
            method, address, json.dumps(body) if body is not None else "", content_type=JSON
        )

    return call


def named(schema):
    return {operation["operationId"]: operation for operation in operations(schema)}


def check(value, shape, schema):
    jsonschema.Draft202012Validator(
        _plain({**shape, "components": schema["components"]}),
        format_checker=jsonschema.FormatChecker(),
    ).validate(value)


def _plain(node):
    """OpenAPI 3.0 as JSON Schema: ``nullable`` is a type."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _plain(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") is True else made


def shape_of(value):
    """The names in a document, at each depth; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape_of(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return None


def shortened(value):
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value[:SHORT]]
    return value


def record(name, answer):
    _, _, body = CALLS[name]
    said = re.sub(r"(whsec|cos)_[\w+/=-]+", r"\1_…", answer.content.decode())
    response = shortened(json.loads(said.replace("http://testserver", "https://circuitos.example")))
    if "owner_password" in response:
        response["owner_password"] = "…"
    entry = {"status": answer.status_code, "response": response}
    known = json.loads(EXAMPLES.read_text()) if EXAMPLES.exists() else {}
    if name in known and shape_of(known[name]["response"]) == shape_of(response):
        return  # as good as before
    known[name] = entry | ({"request": body} if body is not None else {})
    EXAMPLES.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")
    examples.cache_clear()


class TestSchema:
    def test_is_valid_and_nothing_is_guessed(self):
        said = StringIO()

        with redirect_stderr(said):
            call_command("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull)

        assert "Warning" not in said.getvalue()

    def test_each_operation_is_called_here(self, schema):
        assert named(schema).keys() == CALLS.keys()

    def test_each_operation_and_parameter_is_described(self, schema):
        for name, operation in named(schema).items():
            assert operation["summary"], name
            assert operation["description"], name
            assert operation["security"] == [{"token": []}], name
            (tag,) = operation["tags"]
            assert tag in {known["name"] for known in schema["tags"]}, name
            for parameter in operation.get("parameters", []):
                assert parameter.get("description"), (name, parameter["name"])

    def test_each_operation_tells_its_refusals(self, schema):
        for name, operation in named(schema).items():
            assert {"400", "401", "404", "406", "429", "503"} <= operation["responses"].keys(), name
            for status, response in operation["responses"].items():
                if status in REFUSALS:
                    assert response["content"][JSON]["examples"], (name, status)

    def test_an_example_of_a_refusal_is_as_it_comes(self, api, acme_token, client):
        refused = {
            "401": client.get("/api/v1/tenants/"),
            "403": api(acme_token).post("/api/v1/tenants/", {}, format="json"),
            "404": api(acme_token).get("/api/v1/tenants/nobody/"),
            "406": api(acme_token).get("/api/v1/tenants/", HTTP_ACCEPT="text/html"),
            "413": api(acme_token).generic(
                "POST", "/api/v1/connections/", b" " * 1_048_577, content_type=JSON
            ),
            "415": api(acme_token).generic("POST", "/api/v1/connections/", b"x", content_type="text/plain"),
        }
        for status, answer in refused.items():
            _, code, detail = REFUSALS[status]
            assert (answer.status_code, answer.json()) == (int(status), {"code": code, "detail": detail})


class TestExamples:
    @pytest.mark.skipif("UPDATE_API_EXAMPLES" in os.environ, reason="they are recorded meanwhile")
    def test_each_operation_has_one(self, schema):
        for name, operation in named(schema).items():
            known = examples()[name]
            response = operation["responses"][str(known["status"])]
            assert response["content"][JSON]["examples"]["example"]["value"] == known["response"], name
            if "requestBody" in operation:
                content = operation["requestBody"]["content"][JSON]
                check(content["examples"]["example"]["value"], content["schema"], schema)

    @pytest.mark.parametrize("name", [name for name in CALLS if name not in APART])
    def test_the_answer_fits_the_schema_and_the_example_is_such_an_answer(
        self, schema, answer_to, acme, name
    ):
        spend(acme, Spent(executions=78, api_calls=410))
        park(acme)

        answer = answer_to(name)

        if "UPDATE_API_EXAMPLES" in os.environ:
            record(name, answer)
        known = examples()[name]
        assert answer.status_code == known["status"], answer.json()
        shape = named(schema)[name]["responses"][str(answer.status_code)]["content"][JSON]["schema"]
        check(answer.json(), shape, schema)
        check(known["response"], shape, schema)
        assert shape_of(known["response"]) == shape_of(answer.json())

    def test_what_comes_is_in_the_schema(self, schema, answer_to, acme):
        """No answer has a field that the schema is silent about."""
        for name in ("events_list", "executions_list", "triggers_list", "connections_list", "tenants_list"):
            shape = named(schema)[name]["responses"]["200"]["content"][JSON]["schema"]
            page = schema["components"]["schemas"][shape["$ref"].rpartition("/")[2]]
            row = page["properties"]["results"]["items"]["$ref"].rpartition("/")[2]
            told = schema["components"]["schemas"][row]["properties"].keys()
            assert answer_to(name).json()["results"][0].keys() == told, name
