"""Callouts leave by one door: counted, journalled, with secrets filled in outside the jail."""

from __future__ import annotations

import json
import threading

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from governor import callouts
from governor.callouts import Reply
from governor.journal import read_answers
from governor.models import JournalEntry
from tenants.ids import new_code
from tenants.models import Secret
from tenants.scope import tenant_scope
from tenants.secrets import seal
from tests.governor.test_ops import said


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.EGRESS_ALLOW = ["127.0.0.1"]


@pytest.fixture
def calls(execute, httpserver):
    """``calls("gets")``: run a handler of CallTrigger on a contact whose website is the test's server."""

    def go(handler, *, path="/x", **more):
        records = [{"id": "c1", "email": "a@example.com", "website": httpserver.url_for(path)}]
        return execute(f"calling.CallTrigger.{handler}", records=records, **more)

    return go


@pytest.fixture
def secret(acme, globex):
    for tenant, value in ((acme, "acme-key-1"), (globex, "globex-key")):
        sealed = seal(value.encode(), context=f"secret:{tenant.pk}:KEY")
        Secret.objects.create(tenant=tenant, name="KEY", sealed=sealed)


class TestHttp:
    @pytest.mark.usefixtures("secret")
    def test_an_answer_comes_back_and_is_counted(self, calls, httpserver):
        httpserver.expect_request("/x").respond_with_data("fine")

        result = calls("gets")

        assert said(result) == {"answer": [200, "fine"], "calls": [1, 50]}
        assert result.usage["api_calls"] == [1, 50]
        (effect,) = result.effects
        assert (effect["op"], effect["state"]) == ("http", "done")
        assert effect["line"].startswith("tests/governor/scripts/calling.py:")

    @pytest.mark.usefixtures("secret")
    def test_a_secret_is_filled_in_outside_and_never_comes_back(self, calls, httpserver):
        httpserver.expect_request("/x", headers={"x-key": "acme-key-1"}).respond_with_handler(
            lambda request: Response(f"you sent {request.headers['x-key']}")
        )

        result = calls("gets")

        assert said(result)["answer"] == [200, "you sent {{secret:KEY}}"]
        assert "acme-key-1" not in json.dumps([result.effects, result.spans, result.entries])

    def test_a_secret_that_no_header_can_hold_is_not_told_in_the_error(self, calls, acme):
        sealed = seal(b"very-hidden\n", context=f"secret:{acme.pk}:KEY")
        Secret.objects.create(tenant=acme, name="KEY", sealed=sealed)

        result = calls("gets")

        assert result.error.code == "governor.bad-request"
        assert "very-hidden" not in repr(result)

    def test_an_unknown_secret_is_told_and_nothing_is_sent(self, calls, httpserver):
        result = calls("gets")

        assert result.error.code == "script.bad-request"
        assert "KEY" in result.error.detail
        assert httpserver.log == []

    def test_concurrent_calls_run_together(self, execute):
        gate = threading.Barrier(4, timeout=20)

        def answer(request: Request) -> Response:
            gate.wait()
            return Response(request.args["n"])

        with HTTPServer(threaded=True) as server:
            server.expect_request("/x").respond_with_handler(answer)
            result = execute(
                "calling.CallTrigger.many", records=[{"id": "c1", "website": server.url_for("/x")}]
            )

        assert said(result)["answers"] == [str(n) for n in range(20)]
        assert result.usage["api_calls"] == [20, 50]

    def test_the_51st_call_is_the_limit(self, calls, httpserver):
        httpserver.expect_request("/x").respond_with_data("fine")

        result = calls("one_too_many")

        assert (result.error.limit, result.error.used, result.error.max) == ("api_calls", 51, 50)
        assert result.error.at.startswith("tests/governor/scripts/calling.py:")
        assert len(httpserver.log) == 50

    def test_a_private_address_is_refused(self, calls, settings):
        settings.EGRESS_ALLOW = []

        result = calls("fails")

        assert said(result) == {"failed": ["JudgmentBlocked", "governor.egress-refused"]}

    def test_redirects_are_answers(self, calls, httpserver, secret):
        httpserver.expect_request("/x").respond_with_data(
            "", status=302, headers={"Location": "http://10.0.0.1/"}
        )

        assert said(calls("gets"))["answer"] == [302, ""]

    def test_a_slow_answer_is_a_time_out(self, calls, httpserver):
        done = threading.Event()
        httpserver.expect_request("/x").respond_with_handler(lambda _: late(done))

        result = calls("fails")
        done.set()

        assert said(result) == {"failed": ["CalloutError", "governor.timeout"]}
        assert result.effects[0]["state"] == "in-doubt"

    def test_no_callout_outlives_the_wall_limit(self, calls, httpserver):
        done = threading.Event()
        httpserver.expect_request("/x").respond_with_handler(lambda _: late(done))

        result = calls("waits", limits={"wall_ms": 300})
        done.set()

        assert result.error is None or result.error.limit == "wall_ms"
        assert result.wall_ms < 1_000

    def test_nor_is_one_sent_that_was_queued_when_it_ended(self, execute):
        done = threading.Event()
        with HTTPServer(threaded=True) as server:
            server.expect_request("/x").respond_with_handler(lambda _: late(done))
            records = [{"id": "c1", "website": server.url_for("/x")}]

            result = execute("calling.CallTrigger.many", records=records, limits={"wall_ms": 300})
            done.set()
            idle = threading.Barrier(callouts.THREADS + 1, timeout=20)
            for _ in range(callouts.THREADS):
                callouts.start(lambda: (idle.wait(), Reply({}))[1], ticket=None, mailbox=callouts.mailbox())
            idle.wait()  # each thread is through with what stood before it

        assert result.error.limit == "wall_ms"
        assert len(server.log) <= callouts.THREADS

    def test_too_large_an_answer_is_refused(self, calls, httpserver, monkeypatch):
        monkeypatch.setattr("governor.egress.MOST_BODY", 1_000)
        httpserver.expect_request("/x").respond_with_data("x" * 2_000)

        assert said(calls("fails")) == {"failed": ["CalloutError", "governor.answer-too-large"]}


class TestModes:
    def test_a_dry_run_reads_and_sends_nothing(self, calls, httpserver, secret):
        httpserver.expect_request("/x", method="GET").respond_with_data("fine")

        read = calls("gets", mode="dry")
        written = calls("posts", mode="dry")

        assert said(read)["answer"] == [200, "fine"]
        assert said(written)["answer"] == [200, "{}"]
        assert written.effects[0]["state"] == "planned"
        assert [request.method for request, _ in httpserver.log] == ["GET"]

    def test_a_recorded_run_gets_the_earlier_answers(self, calls, httpserver, acme):
        httpserver.expect_request("/x").respond_with_data("then")
        root = new_code()
        calls("posts", root=root)
        with tenant_scope(acme.pk):
            recorded = read_answers(root=root)
        httpserver.clear()

        result = calls("posts", mode="recorded", recorded=recorded)

        assert said(result)["answer"] == [200, "then"]
        assert result.effects[0]["state"] == "reused"
        assert httpserver.log == []

    def test_what_was_not_recorded_is_refused(self, calls):
        result = calls("fails", mode="recorded", recorded={})

        assert said(result) == {"failed": ["CalloutError", "governor.not-recorded"]}


class TestJournal:
    def test_a_retry_does_not_send_again(self, calls, httpserver):
        httpserver.expect_request("/x").respond_with_data("fine")
        root = new_code()

        first = calls("posts_and_raises", execution=root)
        second = calls("posts_and_raises", root=root)

        assert (first.error.type, second.error.type) == ("ValueError", "ValueError")
        assert len(httpserver.log) == 1
        assert second.effects[0]["state"] == "reused"
        assert second.effects[0]["reused"] is True
        assert second.usage["api_calls"] == [0, 50]

    def test_a_failed_answer_is_worth_another_try_with_the_same_key(self, calls, httpserver):
        httpserver.expect_request("/x").respond_with_data("no", status=503)
        root = new_code()

        calls("posts", execution=root)
        calls("posts", root=root)

        keys = [request.headers["Idempotency-Key"] for request, _ in httpserver.log]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    def test_a_call_in_doubt_is_sent_again_with_its_key(self, calls, httpserver, acme):
        httpserver.expect_request("/x").respond_with_data("fine")
        root = new_code()
        calls("posts", execution=root)
        with tenant_scope(acme.pk):
            # As after a crash between sending and hearing the answer.
            JournalEntry.objects.filter(root=root).update(answer=None, answered_at=None)

        again = calls("posts", root=root)

        assert said(again)["answer"] == [200, "fine"]
        assert len({request.headers["Idempotency-Key"] for request, _ in httpserver.log}) == 1
        assert len(httpserver.log) == 2

    def test_the_answer_lies_sealed(self, calls, httpserver, acme):
        httpserver.expect_request("/x").respond_with_data("a very private answer")
        calls("posts")

        with tenant_scope(acme.pk):
            entry = JournalEntry.objects.get()
        assert entry.answered_at is not None
        assert b"private" not in bytes(entry.answer)

    def test_a_lost_lease_sends_nothing(self, calls, httpserver, monkeypatch):
        monkeypatch.setattr("governor.broker.FRESH_SECONDS", 0)

        result = calls("posts", heartbeat=lambda: False)

        assert result.error.code == "triggers.lease-lost"
        assert httpserver.log == []


class TestEnrichment:
    def test_without_a_key_the_shipped_table_answers(self, execute):
        records = [{"id": "c1", "postal_code": "90210"}, {"id": "c2", "postal_code": None}]

        result = execute("calling.CallTrigger.enriches", records=records)

        assert said(result)["facts"] == {"c1": "90210", "c2": None}
        assert result.usage["api_calls"] == [0, 50]
        assert "offline" in result.spans[-1]["note"]

    def test_with_a_key_one_call_answers_for_all(self, execute, httpserver, monkeypatch):
        use_env(monkeypatch, census_api_key="k", census_base_url=httpserver.url_for("/data/2023/acs/acs5"))
        header = ["NAME", "B19013_001E", "B01003_001E", "B01002_001E", "zip code tabulation area"]
        row = ["ZCTA5 90210", "150000", "20000", "46", "90210"]
        httpserver.expect_request("/data/2023/acs/acs5").respond_with_json([header, row])
        records = [{"id": f"c{n}", "postal_code": "90210"} for n in range(100)]

        first = execute("calling.CallTrigger.enriches", records=records)
        second = execute("calling.CallTrigger.enriches", records=records)

        assert said(first)["facts"]["c7"] == "90210"
        assert first.usage["api_calls"] == [1, 50]
        assert second.usage["api_calls"] == [0, 50]
        assert len(httpserver.log) == 1


class TestMonitor:
    def test_an_alert_is_an_effect(self, execute):
        result = execute("calling.CallTrigger.alerts")

        assert [effect["op"] for effect in result.effects] == ["monitor.alert"]
        assert result.effects[0]["args"]["message"] == "odd"


def late(done):
    done.wait(10)
    return Response("late")


def use_env(monkeypatch, **values):
    import dataclasses

    from circuitos.env import env

    changed = dataclasses.replace(env(), **values)
    for module in ("ai", "callouts", "door"):
        monkeypatch.setattr(f"governor.{module}.env", lambda: changed)
