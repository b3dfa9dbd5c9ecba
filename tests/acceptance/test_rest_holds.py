"""The REST API holds: whatever schemathesis sends, valid or not, the answer is one the schema tells of.

Each operation is tried with an operator's and with a tenant's token, on rows of two tenants, half of the
time with ids that are there. Never a 5xx, no undocumented status, no answer that does not fit its schema,
nothing for who has no token; what the schema forbids is refused, and what it allows is understood.
"""

from __future__ import annotations

import itertools
import json

import pytest
import schemathesis
from django.core.serializers.json import DjangoJSONEncoder
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tenants.throttling import PerToken
from tests.rows import make_event, make_execution

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore::pytest.PytestWarning")]
EXAMPLES = 4  # of each operation and token; for operators, those at the schema's bounds besides
# Codes of a 400 that is about a request's shape. Others understood it: what it asks for cannot be done.
ABOUT_SHAPE = {"api.invalid", "api.parse-error", "api.bad-request"}
NAMES = {"tier", "timezone"}  # of what there is: a schema cannot list it
_turn = itertools.count()


def _load(*, with_bounds):
    raw = json.loads(json.dumps(SchemaGenerator().get_schema(public=True), cls=DjangoJSONEncoder))
    config = SchemathesisConfig.from_dict(
        {"generation": {"mode": "all"}, "phases": {"coverage": {"enabled": with_bounds}}}
    )
    loaded = schemathesis.openapi.from_dict(raw, config=config)
    loaded.app = get_wsgi_application()
    return loaded


OPERATORS, TENANTS = _load(with_bounds=True), _load(with_bounds=False)


@schemathesis.check
def what_is_allowed_is_understood(ctx, response, case):
    """A 400 for a request that the schema allows is never about its shape."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code != 400:
        return
    refused = response.json()
    if "NUL" in refused["detail"]:
        return  # JSON can write it, no column can hold it
    is_a_name = refused.get("fields", {}).keys() <= NAMES and "fields" in refused
    assert refused["code"] not in ABOUT_SHAPE or is_a_name, response.text


@schemathesis.check
def what_is_forbidden_is_refused(ctx, response, case):
    """Parameters of the query that an address does not know do nothing there, as everywhere on the web."""
    known = {parameter.name for parameter in case.operation.query}
    if set(case.query or ()) <= known:
        negative_data_rejection(ctx, response, case)


@schemathesis.check
def every_refusal_is_coded(ctx, response, case):
    """A code and a sentence, whatever the refusal."""
    if response.status_code >= 400 and case.operation.method != "HEAD":
        refused = response.json()
        assert "." in refused["code"]
        assert refused["detail"]


OURS = [what_is_allowed_is_understood, what_is_forbidden_is_refused, every_refusal_is_coded]


@pytest.fixture(autouse=True)
def _in_one_transaction(monkeypatch):
    """As Django's own test client: the end of a request does not close the test's connection."""
    monkeypatch.setattr(PerToken, "limit", 1_000_000)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(acme, globex, acme_standard, globex_hubspot):
    """Rows of two tenants: ids of path parameters, by what stands before them."""
    found = {"tenants": ["acme", "globex"], "connections": [acme_standard.code, globex_hubspot.code]}
    for tenant in (acme, globex):
        event = make_event(tenant, record_id="lead-1")
        execution = make_execution(
            tenant, records=[{"id": "lead-1"}], event_ids=[event.pk], event_codes=[event.code]
        )
        found.setdefault("events", []).append(event.code)
        found.setdefault("executions", []).append(execution.code)
    return found


tries = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@OPERATORS.parametrize()
@tries
def test_holds_for_operators(case, operator_token, world):
    attempt(case, operator_token, world)


@TENANTS.parametrize()
@tries
def test_holds_for_tenants(case, acme_token, world):
    attempt(case, acme_token, world)


def attempt(case, token, world):
    known = world.get(case.path.split("/")[3], [])
    turn = next(_turn)
    if known and case.path_parameters and case.meta.generation.mode.is_positive and turn % 2:
        for name in case.path_parameters:
            case.path_parameters[name] = str(known[turn // 2 % len(known)])
    with transaction.atomic():  # one try leaves nothing to the next
        case.call_and_validate(
            headers={"Authorization": f"Bearer {token}"},
            additional_checks=OURS,
            excluded_checks=[positive_data_acceptance, negative_data_rejection],
        )
        transaction.set_rollback(True)
