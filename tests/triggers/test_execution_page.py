"""The page of one execution: what to do, what differs, the log filtered, and the trace as a file."""

from __future__ import annotations

import json

import msgspec
import pytest

from governor.judgment.masking import mask
from tenants.ids import new_code
from tenants.scope import every_tenant
from tenants.secrets import seal
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers.models import LiveEvent, OutboxWrite

pytestmark = pytest.mark.django_db


def address(execution, tail="change/"):
    return f"/admin/triggers/execution/{execution.code}/{tail}"


def event_of(tenant, record_id, *, before=None, **fields):
    body = json.dumps({"type": "ContactUpdate", "id": record_id, **fields}).encode()
    event = make_event(tenant, record_id=record_id, operation="update", kind="ContactUpdate", body=body)
    if before is not None:
        sealed = seal(msgspec.msgpack.encode(before), context=f"before:{tenant.pk}:{event.code}")
        with every_tenant():
            LiveEvent.objects.filter(pk=event.pk).update(before=sealed, old_known=True)
    return event


def write_of(tenant, execution, record_id, fields, *, obj="Contact"):
    code = new_code()
    with every_tenant():
        OutboxWrite.objects.create(
            code=code,
            tenant=tenant,
            execution=execution.code,
            object=obj,
            record_id=record_id,
            operation="update",
            sealed=seal(msgspec.msgpack.encode(fields), context=f"outbox:{tenant.pk}:{code}"),
            created_at=execution.created_at,
        )


def of_events(tenant, events, **fields):
    return make_execution(
        tenant,
        records=[{"id": event.record_id} for event in events],
        operation="update",
        event_ids=[event.pk for event in events],
        event_codes=[event.code for event in events],
        **fields,
    )


class TestFields:
    def test_tell_before_what_came_and_what_the_script_set(self, console, acme, globex):
        event = event_of(
            acme,
            "c1",
            before={"city": "Boulder", "email": "ada@corp.test"},
            city="Denver",
            email="ada@corp.test",
        )
        execution = of_events(acme, [event])
        write_of(acme, execution, "c1", {"score": 77, "email": "bo@corp.test"})
        write_of(acme, execution, "o9", {"stage": "won"}, obj="Opportunity")
        write_of(globex, execution, "c1", {"score": 11})

        shown = " ".join(console.get(address(execution)).content.decode().split())

        assert (
            '<code>city</code></td><td class="co-break co-quiet-text">Boulder</td>'
            '<td class="co-break">Denver</td>' in shown
        )
        assert '<b class="co-strong">77</b>' in shown
        assert "update Opportunity o9" in shown
        assert ">11</b>" not in shown
        # Masked like every trace.
        assert "ada@corp.test" not in shown
        assert "b***@c***.test" in shown

    def test_of_any_record_when_it_is_asked_for(self, console, acme):
        events = [event_of(acme, f"c{n}", before={"city": "Old"}, city=f"New {n}") for n in range(30)]
        execution = of_events(acme, events)

        shown = console.get(address(execution)).content.decode()
        asked = console.get(address(execution), {"record": "c29"}).content.decode()

        assert "New 7" in shown
        assert "New 29" not in shown
        assert "New 29" in asked
        assert console.get(address(execution), {"record": "nobody's"}).status_code == 200

    def test_cost_the_same_for_one_record_and_for_many(self, console, acme):
        one = of_events(acme, [event_of(acme, "a1", before={}, city="A")])
        many = of_events(acme, [event_of(acme, f"b{n}", before={}, city="B") for n in range(40)])
        console.get(address(one))

        for execution in (one, many):
            with counted("admin.execution.compared"):
                console.get(address(execution))


ENTRIES = [
    {"level": "debug", "message": "very small"},
    {"level": "info", "message": "looked up", "data": {"leads": 3}},
    {"level": "warning", "message": "slow answer"},
    {"level": "error", "message": "refused by Denver"},
]


class TestLog:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, {"very small", "looked up", "slow answer", "refused by Denver"}),
            ({"level": "warning"}, {"slow answer", "refused by Denver"}),
            ({"level": "error"}, {"refused by Denver"}),
            ({"find": "DENVER"}, {"refused by Denver"}),
            ({"find": "leads"}, {"looked up"}),
            ({"find": "nothing of the kind"}, set()),
            ({"level": "no level"}, {"very small", "looked up", "slow answer", "refused by Denver"}),
        ],
    )
    def test_is_filtered_without_scripts(self, console, acme, query, found):
        execution = make_execution(acme, trace={"entries": ENTRIES})

        shown = console.get(address(execution), query).content.decode()

        messages = {entry["message"] for entry in ENTRIES}
        assert {message for message in messages if f'co-message">{message}' in shown} == found

    def test_of_a_trace_at_its_bound_is_folded(self, console, acme):
        entries = [{"level": "info", "message": f"line {n} " + "x" * 900} for n in range(1_000)]
        spans = [{"name": f"call {n}", "at_ms": n, "ms": 1, "parent": None} for n in range(500)]
        effects = [
            {"op": "http", "args": {"url": f"https://x.test/{n}", "method": "GET"}} for n in range(500)
        ]
        execution = make_execution(acme, trace={"entries": entries, "spans": spans, "effects": effects})

        answer = console.get(address(execution))

        assert answer.status_code == 200
        shown = answer.content.decode()
        assert "left out here" in shown
        assert 'id="span-499"' in shown
        assert "more</summary>" in shown


class TestPage:
    def test_says_what_to_do_and_where_it_happened(self, console, acme):
        execution = make_execution(
            acme,
            status="failed",
            error_code="script.raised",
            trace={
                "error": {"code": "script.raised", "type": "KeyError", "detail": "'visits'", "at": "a.py:9"},
                "spans": [
                    {"name": "jail", "kind": "jail", "at_ms": 0, "ms": 9, "ok": False},
                    {"name": "http", "kind": "callout", "at_ms": 1, "ms": 3, "ok": False, "parent": 0},
                    {"name": "http", "kind": "callout", "at_ms": 5, "ms": 3, "ok": True, "parent": 0},
                ],
                "effects": [
                    {
                        "op": "http",
                        "state": "failed",
                        "args": {
                            "method": "GET",
                            "url": "https://x.test/a",
                            "headers": {"authorization": "{{secret:KEY}}"},
                        },
                        "error": {"code": "script.callout-failed", "detail": "It answered 500."},
                    }
                ],
                "judgments": [{"level": 3, "rule": "no-pii", "verdict": "warned", "place": "a.py:9"}],
            },
        )

        shown = console.get(address(execution)).content.decode()

        assert "make a test from this execution, then replay it." in shown
        assert 'href="#span-1"' in shown
        assert "<code>no-pii</code>" in shown
        assert "curl -sS -X GET https://x.test/a" in shown
        assert "{{secret:KEY}}" in shown
        assert "It answered 500." in shown
        assert "there is no difference to show" in shown

    def test_shows_the_webhook_masked_with_a_link(self, console, acme):
        event = make_event(acme, record_id="lead-1")
        execution = make_execution(
            acme, records=[{"id": "lead-1"}], event_ids=[event.pk], event_codes=[event.code]
        )

        shown = console.get(address(execution)).content.decode()

        assert "Webhook body" in shown
        assert "ContactCreate" in shown
        assert "ada@example.test" not in shown
        assert f"/admin/triggers/event/{event.code}/change/" in shown

    def test_the_trace_is_a_masked_file(self, console, acme):
        execution = make_execution(
            acme, trace={"entries": [{"level": "info", "message": "to ada@example.test"}]}
        )

        answer = console.get(address(execution, "trace.json"))

        assert answer.headers["Content-Disposition"] == f'attachment; filename="trace-{execution.code}.json"'
        document = json.loads(answer.content)
        assert (document["id"], document["hint"]) == (str(execution.code), "")
        assert "ada@example.test" not in answer.content.decode()

    def test_the_trace_is_for_those_who_may_look(self, viewer, acme):
        assert viewer.get(address(make_execution(acme), "trace.json")).status_code == 403

    def test_no_such_execution(self, console):
        assert console.get(f"/admin/triggers/execution/{new_code()}/trace.json").status_code == 404


class TestPlaceholders:
    @pytest.mark.parametrize(
        "text", ["{{secret:CRM_KEY}}", "Bearer {{secret:CRM_KEY}}", "Basic {{ secret:a.b-c }}"]
    )
    def test_name_a_secret_and_hold_none(self, text):
        assert mask({"Authorization": text}) == {"Authorization": text}

    @pytest.mark.parametrize(
        "text", ["abcdef", "{{secret:KEY}}abcdef", "Bearer abcdef {{secret:KEY}}", "{{secret:K}} x"]
    )
    def test_beside_one_nothing_is_shown(self, text):
        assert mask({"Authorization": text}) == {"Authorization": "***"}
