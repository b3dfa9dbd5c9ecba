"""The REST API of events, executions, traces, replays and triggers."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta

import pytest

from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_event, make_execution
from triggers.models import Execution
from triggers.registry import registry

pytestmark = pytest.mark.django_db
LIST = "/api/v1/executions/"


def ids(response):
    return [row["id"] for row in response.json()["results"]]


class TestLists:
    def test_a_tenants_token_sees_its_rows_alone(self, api, acme, globex, acme_token, globex_token):
        mine, other = make_execution(acme), make_execution(globex)

        assert ids(api(acme_token).get(LIST)) == [str(mine.code)]
        assert ids(api(globex_token).get(LIST)) == [str(other.code)]

    def test_an_operators_token_sees_all_and_may_narrow(self, api, acme, globex, operator_token):
        mine, other = make_execution(acme), make_execution(globex)
        client = api(operator_token)

        assert ids(client.get(LIST)) == [str(other.code), str(mine.code)]
        assert ids(client.get(LIST, {"tenant": "acme"})) == [str(mine.code)]
        assert client.get(LIST, {"tenant": "nobody"}).status_code == 404

    def test_a_tenant_cannot_name_another(self, api, acme, globex, acme_token):
        make_execution(globex)

        assert api(acme_token).get(LIST, {"tenant": "globex"}).status_code == 404

    def test_needs_a_token(self, api):
        refused = api().get(LIST)

        assert refused.status_code == 401
        assert refused.json()["code"] == "api.not-authenticated"
        assert api("cos_wrong").get(LIST).json()["code"] == "api.authentication-failed"

    def test_pages_by_cursor_to_the_end(self, api, acme, acme_token):
        made = [str(make_execution(acme).code) for _ in range(5)]
        client = api(acme_token)

        first = client.get(LIST, {"limit": 2}).json()
        second = client.get(first["next"]).json()
        third = client.get(second["next"]).json()

        assert list(first) == ["results", "next", "previous"]
        assert [row["id"] for page in (first, second, third) for row in page["results"]] == made[::-1]
        assert first["previous"] is None
        assert third["next"] is None

    def test_costs_the_same_however_many_rows(self, api, acme, acme_token):
        for _ in range(3):
            make_execution(acme, replay_of=make_execution(acme))
        client = api(acme_token)
        client.get(LIST)  # notes the token's use

        with counted("rest.executions.list"):
            client.get(LIST)

    @pytest.mark.parametrize("path", ["executions", "events", "triggers"])
    def test_both_spellings_of_the_slash_work(self, api, acme_token, path):
        client = api(acme_token)

        assert client.get(f"/api/v1/{path}").status_code == 200
        assert client.get(f"/api/v1/{path}/").status_code == 200


class TestFilters:
    @pytest.fixture
    def rows(self, acme):
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        hour = timedelta(hours=1)
        why = {"status": "failed", "error_code": "governor.limit-exceeded", "limit_name": "api_calls"}
        return {
            "plain": make_execution(acme, at=at),
            "failed": make_execution(acme, at=at + hour, trigger="Chatty.call", **why),
            "dry": make_execution(acme, at=at + 2 * hour, mode="dry", release="v2.0.0", with_errors=True),
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"status": "failed"}, {"failed"}),
            ({"status": "failed,succeeded"}, {"plain", "failed", "dry"}),
            ({"status": "with-errors"}, {"dry"}),
            ({"trigger": "Chatty.call"}, {"failed"}),
            ({"release": "v2.0.0"}, {"dry"}),
            ({"mode": "dry"}, {"dry"}),
            ({"error_code": "governor.limit-exceeded"}, {"failed"}),
            ({"limit_name": "api_calls"}, {"failed"}),
            ({"started_after": "2026-03-02T13:00:00Z"}, {"failed", "dry"}),
            ({"started_before": "2026-03-02T13:00:00+00:00"}, {"plain"}),
            ({"created_after": "2026-03-03"}, set()),
            ({"object": "Contact", "operation": "insert", "mode": "live"}, {"plain", "failed"}),
        ],
    )
    def test_narrow_the_list(self, api, acme_token, rows, query, expected):
        names = {str(row.code): name for name, row in rows.items()}

        assert {names[code] for code in ids(api(acme_token).get(LIST, query))} == expected

    @pytest.mark.parametrize(
        "query",
        [
            {"status": "exploded"},
            {"status": ","},
            {"mode": "live,maybe"},
            {"started_after": "yesterday"},
            {"started_before": "2026-02-31T00:00:00Z"},
            {"created_after": "0001-01-01T00:00:00+23:00"},
            {"trigger": "x" * 201},
            {"q": "x" * 201},
        ],
    )
    def test_a_value_that_cannot_be_is_400_and_names_the_filter(self, api, acme_token, query):
        refused = api(acme_token).get(LIST, query)

        assert refused.status_code == 400
        assert refused.json()["code"] == "api.bad-filter"
        assert refused.json()["filter"] == next(iter(query))

    def test_finds_by_execution_record_email_and_phone(self, api, acme, acme_token):
        record = {"id": "lead-7", "email": "Grace@Example.test", "phone": "(303) 555-0177"}
        wanted = make_execution(acme, records=[record])
        make_execution(acme)
        client = api(acme_token)

        for query in (str(wanted.code), "lead-7", "grace@example.TEST", "+1 303 555 0177", "303-555-0177"):
            assert ids(client.get(LIST, {"q": query})) == [str(wanted.code)], query
        assert ids(client.get(LIST, {"q": "nobody@example.test"})) == []
        assert ids(client.get(LIST, {"record": "lead-7"})) == [str(wanted.code)]

    def test_reads_a_phone_number_as_in_the_tenants_country(self, api, acme, acme_token):
        acme.settings = {"country": "GB"}
        acme.save(update_fields=["settings"])
        wanted = make_execution(acme, records=[{"id": "a", "phone": "+442079460018"}])

        assert ids(api(acme_token).get(LIST, {"q": "020 7946 0018"})) == [str(wanted.code)]


class TestExecution:
    def test_a_strangers_execution_is_404(self, api, acme, globex_token):
        execution = make_execution(acme)
        client = api(globex_token)

        for path in ("", "trace/"):
            answer = client.get(f"{LIST}{execution.code}/{path}")
            assert answer.status_code == 404
            assert answer.json()["code"] == "triggers.no-execution"
        assert client.post(f"{LIST}{execution.code}/replay/").status_code == 404

    @pytest.mark.parametrize("code", ["nope", "01a20375-0000-7000-8000-000000000000", "%20", "..", "x" * 300])
    def test_an_unknown_one_is_404(self, api, acme_token, code):
        assert api(acme_token).get(f"{LIST}{code}/").status_code == 404

    def test_tells_the_outcome_of_each_record(self, api, acme, operator_token):
        execution = make_execution(
            acme,
            records=[{"id": "a"}, {"id": "b"}],
            status="partial",
            ok=1,
            failed=1,
            trace={"outcomes": {"a": ["ok", "", None], "b": ["failed", "no e-mail", None]}},
        )

        document = api(operator_token).get(f"{LIST}{execution.code}/").json()

        assert document["id"] == str(execution.code)
        assert document["tenant"] == "acme"
        assert document["sentence"] == "1 of 2 records failed (no e-mail); the other one is committed."
        assert [row["record_id"] for row in document["outcomes"]] == ["b", "a"]
        assert "spans" not in document

    def test_the_trace_has_pairs_and_is_masked(self, api, acme, acme_token):
        execution = make_execution(
            acme, trace={"entries": [{"level": "info", "message": "wrote to ada@example.test"}]}
        )

        trace = api(acme_token).get(f"{LIST}{execution.code}/trace").json()

        assert trace["usage"]["api_calls"] == [3, 50]
        assert trace["entries"][0]["message"] == "wrote to a***@e***.test"
        assert trace["spans"][0]["name"] == "jail"
        assert {"effects", "judgments"} <= trace.keys()

    def test_the_trace_costs_a_fixed_number_of_queries(self, api, acme, acme_token):
        execution = make_execution(acme)
        client = api(acme_token)
        client.get(LIST)

        with counted("rest.executions.trace"):
            client.get(f"{LIST}{execution.code}/trace/")


class TestReplay:
    def test_queues_a_new_execution_and_keeps_the_old(self, api, acme, acme_token):
        event = make_event(acme, record_id="lead-1", status="succeeded")
        execution = make_execution(
            acme, records=[{"id": "lead-1"}], event_ids=[event.pk], event_codes=[event.code],
            trigger="ContactTrigger.score_new_leads",
        )  # fmt: skip

        answer = api(acme_token).post(f"{LIST}{execution.code}/replay/", {"mode": "dry"}, format="json")

        assert answer.status_code == 202, answer.json()
        with every_tenant():
            started = Execution.objects.get(code=answer.json()["execution_id"])
            assert (started.replay_of_id, started.mode, started.status) == (execution.pk, "dry", "queued")
            assert Execution.objects.get(pk=execution.pk).status == "succeeded"
        listed = api(acme_token).get(LIST).json()["results"][0]
        assert listed["replay_of"] == str(execution.code)

    @pytest.mark.parametrize("body", [{"mode": "wet"}, {"records": "some"}, {"release": ""}, ["mode"], "x"])
    def test_refuses_words_it_does_not_know(self, api, acme, acme_token, body):
        execution = make_execution(acme)

        answer = api(acme_token).post(f"{LIST}{execution.code}/replay/", body, format="json")

        assert answer.status_code == 400
        assert answer.json()["code"] == "api.invalid"

    def test_an_unfinished_one_is_409(self, api, acme, acme_token):
        execution = make_execution(acme, status="running", finished_at=None)

        answer = api(acme_token).post(f"{LIST}{execution.code}/replay/")

        assert answer.status_code == 409
        assert answer.json()["code"] == "triggers.not-replayable"


class TestEvents:
    def test_a_tenants_token_sees_its_rows_alone(self, api, acme, globex, acme_token):
        mine = make_event(acme)
        make_event(globex)

        listed = api(acme_token).get("/api/v1/events/").json()["results"]

        assert [row["id"] for row in listed] == [str(mine.code)]
        assert listed[0]["tenant"] == "acme"
        assert "body" not in listed[0]

    def test_filters(self, api, acme, acme_token):
        wanted = make_event(acme, record_id="lead-9", object="Opportunity")
        make_event(acme)
        client = api(acme_token)

        for query in ({"record": "lead-9"}, {"object": "Opportunity", "status": "queued"}):
            assert [row["id"] for row in client.get("/api/v1/events/", query).json()["results"]] == [
                str(wanted.code)
            ]
        assert client.get("/api/v1/events/", {"received_after": "x"}).status_code == 400

    def test_shows_the_body_masked_and_what_ran(self, api, acme, acme_token):
        event = make_event(acme, record_id="lead-2")
        execution = make_execution(acme, records=[{"id": "lead-2"}], event_ids=[event.pk])

        shown = api(acme_token).get(f"/api/v1/events/{event.code}/").json()

        assert shown["body"] == {"type": "ContactCreate", "email": "a***@e***.test", "phone": "***00"}
        assert [row["id"] for row in shown["executions"]] == [str(execution.code)]

    def test_a_strangers_event_is_404(self, api, acme, globex_token):
        event = make_event(acme)

        answer = api(globex_token).get(f"/api/v1/events/{event.code}")

        assert answer.status_code == 404
        assert answer.json()["code"] == "triggers.no-event"

    def test_costs_the_same_however_many_rows(self, api, acme, acme_token):
        for _ in range(3):
            make_event(acme)
        client = api(acme_token)
        client.get("/api/v1/events/")

        with counted("rest.events.list"):
            client.get("/api/v1/events/")


class TestTriggers:
    def test_lists_what_is_registered_with_the_last_hour(self, api, acme, acme_token):
        make_execution(acme, trigger="ContactTrigger.score_new_leads", wall_ms=777)

        listed = {row["name"]: row for row in api(acme_token).get("/api/v1/triggers/").json()["results"]}

        shown = listed["ContactTrigger.score_new_leads"]
        assert shown["status"] == "active"
        assert shown["last_hour"] == {"executions": 1, "failed": 0, "records": 3, "slowest_ms": 777}

    def test_pages_by_cursor_and_back(self, api, acme, acme_token):
        client = api(acme_token)
        whole = [row["name"] for row in client.get("/api/v1/triggers/").json()["results"]]
        assert len(whole) > 1

        pages, address = [], "/api/v1/triggers/?limit=1"
        while address:
            page = client.get(address).json()
            pages.append(page)
            address = page["next"]

        assert [row["name"] for page in pages for row in page["results"]] == whole
        assert client.get(pages[1]["previous"]).json()["results"] == pages[0]["results"]
        assert pages[0]["previous"] is None


class TestCursors:
    def test_tell_nothing_and_cannot_be_made(self, api, acme, acme_token):
        for _ in range(3):
            make_execution(acme)
        client = api(acme_token)

        address = client.get(LIST, {"limit": 1}).json()["next"]
        cursor = address.partition("cursor=")[2].partition("&")[0]

        assert b"pk" not in urlsafe_b64decode(cursor + "===")
        assert client.get(LIST, {"cursor": cursor[:-2] + "AA"}).json()["code"] == "api.bad-cursor"
        # A list of another kind cannot read it.
        assert client.get("/api/v1/triggers/", {"cursor": cursor}).json()["code"] == "api.bad-cursor"

    def test_of_a_stranger_show_no_more_than_ones_own(self, api, acme, globex, acme_token, globex_token):
        for _ in range(3):
            make_execution(acme)
            make_execution(globex)

        address = api(acme_token).get(LIST, {"limit": 1}).json()["next"]
        seen = api(globex_token).get(address).json()["results"]

        assert {row["tenant"] for row in seen} == {"globex"}


class TestReleases:
    def test_the_live_one_is_told_with_what_it_declares(self, api, acme, acme_token):
        client = api(acme_token)
        (listed,) = client.get("/api/v1/releases/").json()["results"]

        shown = client.get(f"/api/v1/releases/{listed['version']}/").json()

        assert listed["status"] == "live"
        assert shown["version"] == listed["version"] == registry().release
        assert [row["name"] for row in shown["declared"]] == listed["triggers"]
        assert client.get("/api/v1/releases/live").json() == shown

    def test_another_is_404(self, api, acme_token):
        refused = api(acme_token).get("/api/v1/releases/v0.0.1/")

        assert (refused.status_code, refused.json()["code"]) == (404, "triggers.no-release")


class TestSchema:
    def test_is_published_and_names_every_path_once(self, client):
        schema = client.get("/api/schema/?format=json").json()

        assert {"/api/v1/executions/{code}/trace/", "/api/v1/events/", "/api/v1/triggers/"} <= schema[
            "paths"
        ].keys()
        assert all(path.endswith("/") for path in schema["paths"] if path.startswith("/api/v1/"))

    def test_the_docs_are_served_from_here(self, client):
        page = client.get("/api/docs/")

        assert page.status_code == 200
        assert b"https://cdn" not in page.content

    def test_lists_are_pages_and_calls_need_a_token(self, client):
        schema = client.get("/api/schema/?format=json").json()

        listing = schema["paths"]["/api/v1/executions/"]["get"]
        shape = listing["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[
            2
        ]
        assert set(schema["components"]["schemas"][shape]["properties"]) == {"results", "next", "previous"}
        assert listing["security"] == [{"token": []}]
        assert listing["tags"] == ["executions"]
