"""Following redirects and trying again: each request is checked, counted and told of."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlencode

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from governor import callouts, hosts
from governor.door import Door
from governor.jail.wire import Req
from governor.meter import Meter
from governor.models import HostState
from governor.recorder import Recorder
from tenants.models import Secret
from tenants.scope import every_tenant
from tenants.secrets import seal
from tests.governor.conftest import NOW, make_job

SECRET = "acme-key-1"


@pytest.fixture(autouse=True)
def loopback(settings):
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    hosts.forget()


@pytest.fixture
def other():
    with HTTPServer(host="127.0.0.1") as server:
        yield server


@pytest.fixture
def secret(acme):
    sealed = seal(SECRET.encode(), context=f"secret:{acme.pk}:KEY")
    Secret.objects.create(tenant=acme, name="KEY", sealed=sealed)


@pytest.fixture
def ask(execute, httpserver):
    """``ask("GET", follow=True, …)``: make one request to /x of the test's server, or ``several``."""

    def go(method="GET", *, several=None, limits=None, tenant_settings=None, path="/x", **more):
        requests = several or [[method, more]]
        records = [
            {
                "id": "c1",
                "website": httpserver.url_for(path),
                "custom_fields": {"requests": requests},
            }
        ]
        given = {"limits": limits} if limits else {}
        return execute(
            "calling.CallTrigger.asks_as_told",
            records=records,
            tenant_settings=tenant_settings or {},
            **given,
        )

    return go


def told(result):
    assert result.error is None, result.error
    return [entry["data"] for entry in result.entries]


def redirect(server, path, to, status=302):
    server.expect_request(path).respond_with_data("", status=status, headers={"Location": to})


class TestRedirects:
    def test_are_followed_when_asked_each_at_the_cost_of_a_call(self, ask, httpserver):
        redirect(httpserver, "/x", "/y?z=1")
        redirect(httpserver, "/y", httpserver.url_for("/end"), status=307)
        httpserver.expect_request("/end").respond_with_data("there")

        result = ask(follow=True)

        assert told(result) == [[200, "there", httpserver.url_for("/end")]]
        assert result.usage["api_calls"] == [3, 50]
        (effect,) = result.effects
        host = f"127.0.0.1:{httpserver.port}" if "127" in httpserver.host else f"localhost:{httpserver.port}"
        assert effect["attempts"] == 3
        assert effect["answer"] == f"302 → GET {host}; 307 → GET {host}; 200, 5 bytes"

    def test_end_after_five(self, ask, httpserver):
        redirect(httpserver, "/x", "/x")

        result = ask(follow=True)

        assert told(result) == [["CalloutError", "governor.too-many-redirects"]]
        assert result.usage["api_calls"] == [6, 50]
        assert len(httpserver.log) == 6

    def test_never_make_more_requests_than_the_limit(self, ask, httpserver):
        redirect(httpserver, "/x", "/x")

        result = ask(follow=True, limits={"api_calls": 3})

        assert (result.error.limit, result.error.used) == ("api_calls", 4)
        assert len(httpserver.log) == 3

    @pytest.mark.parametrize(
        ("status", "method", "then"),
        [
            (301, "GET", "GET"),
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (302, "PUT", "PUT"),
            (303, "POST", "GET"),
            (303, "DELETE", "GET"),
            (303, "HEAD", "HEAD"),
            (307, "POST", "POST"),
            (308, "PATCH", "PATCH"),
        ],
    )
    def test_keep_or_change_the_method_as_the_standard_says(self, ask, httpserver, status, method, then):
        redirect(httpserver, "/x", "/end", status=status)
        httpserver.expect_request("/end").respond_with_data("")
        body = {} if method in {"GET", "HEAD"} else {"json": {"a": 1}}

        ask(method, follow=True, **body)

        last = httpserver.log[-1][0]
        assert last.method == then
        assert (last.get_data() != b"") is (then == method and bool(body))
        assert ("Idempotency-Key" in last.headers) is (then not in {"GET", "HEAD"})

    @pytest.mark.usefixtures("secret")
    def test_take_nothing_that_tells_who_asks_to_another_origin(self, ask, httpserver, other):
        redirect(httpserver, "/x", "/again")
        redirect(httpserver, "/again", other.url_for("/end"))
        other.expect_request("/end").respond_with_data("there")
        headers = {
            "Authorization": "Bearer mine",
            "Cookie": "a=b",
            "X-Api-Key": "{{secret:KEY}}",
            "X-Account": "7",
            "Accept": "text/plain",
            "Accept-Language": "{{secret:KEY}}",
        }

        ask(follow=True, headers=headers)

        first, same, elsewhere = [
            *(request.headers for request, _ in httpserver.log),
            other.log[0][0].headers,
        ]
        assert first["X-Api-Key"] == same["X-Api-Key"] == SECRET
        assert same["Authorization"] == "Bearer mine"
        assert elsewhere["Accept"] == "text/plain"
        for name in ("Authorization", "Cookie", "X-Api-Key", "X-Account", "Accept-Language"):
            assert name not in elsewhere

    @pytest.mark.usefixtures("secret")
    def test_do_not_fill_a_secret_into_what_they_name(self, ask, httpserver, other):
        redirect(httpserver, "/x", other.url_for("/end") + "?k={{secret:KEY}}")
        other.expect_request("/end").respond_with_data("there")

        ask(follow=True, headers={"x-key": "{{secret:KEY}}"})

        assert SECRET not in other.log[0][0].url

    def test_bring_no_secret_back_however_it_is_written(self, ask, httpserver, acme):
        value = 'k"1 /+'
        sealed = seal(value.encode(), context=f"secret:{acme.pk}:ODD")
        Secret.objects.create(tenant=acme, name="ODD", sealed=sealed)
        redirect(httpserver, "/x", "/end?" + urlencode({"k": value}))
        said = [value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1]]
        httpserver.expect_request("/end").respond_with_data(" ".join(said))

        ((status, text, url),) = told(ask(follow=True, headers={"x-key": "{{secret:ODD}}"}))

        assert status == 200
        assert text == " ".join(["{{secret:ODD}}"] * 4)
        assert url == httpserver.url_for("/end") + "?k={{secret:ODD}}"

    @pytest.mark.usefixtures("secret")
    def test_do_not_take_a_secret_body_elsewhere(self, ask, httpserver, other):
        redirect(httpserver, "/x", other.url_for("/end"), status=307)

        result = ask("POST", follow=True, json={"key": "{{secret:KEY}}"})

        assert told(result) == [["JudgmentBlocked", "governor.egress-refused"]]
        assert other.log == []

    @pytest.mark.parametrize(
        "location",
        [
            "http://127.0.0.2/", "http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/",
            "http://2130706434/", "http://0x7f000002/", "http://0177.0.0.2/", "http://[::ffff:7f00:2]/",
            "//127.0.0.2/", "http://localhost.localdomain/", "http://metadata.google.internal/",
            "file:///etc/passwd", "ftp://127.0.0.1/", "javascript:alert(1)", "http://user@127.0.0.1/",
            "http://127.0.0.1:6379/", "http://127.0.0.2:22/", "http://127%2e0.0.2/", "https://10.0.0.1/",
            "http:\\\\127.0.0.2/", "http://[64:ff9b::7f00:2]/", "http://[fe80::1%25eth0]/",
        ],
    )  # fmt: skip
    def test_lead_to_no_private_address(self, ask, httpserver, location):
        redirect(httpserver, "/x", location)

        result = ask(follow=True)

        if location != "http://127.0.0.1:6379/":  # the operator opened this host, and nobody answers there
            assert told(result) == [["JudgmentBlocked", "governor.egress-refused"]]
        assert len(httpserver.log) == 1

    @pytest.mark.parametrize("location", ["/\\127.0.0.2/", "\\\\127.0.0.2/x", "end", "?a=b", "https:x"])
    def test_stay_where_they_are_or_are_refused_when_they_are_odd(self, ask, httpserver, location):
        redirect(httpserver, "/x", location)

        result = ask(follow=True)

        assert {request.host.partition(":")[0] for request, _ in httpserver.log} <= {"127.0.0.1", "localhost"}
        assert result.error is None

    def test_go_only_to_hosts_that_the_tenant_lists(self, ask, httpserver, other):
        redirect(httpserver, "/x", other.url_for("/end").replace("127.0.0.1", "elsewhere.example"))

        result = ask(follow=True, tenant_settings={"egress_hosts": [httpserver.host, "127.0.0.1"]})

        assert told(result) == [["JudgmentBlocked", "governor.host-not-allowed"]]
        assert len(httpserver.log) == 1
        assert other.log == []

    def test_are_answers_when_not_asked(self, ask, httpserver):
        redirect(httpserver, "/x", "http://10.0.0.1/")

        assert told(ask()) == [[302, "", httpserver.url_for("/x")]]


class TestTenantsHosts:
    def test_one_that_is_not_listed_is_refused_unsent_and_uncounted(self, ask, httpserver):
        result = ask(tenant_settings={"egress_hosts": ["api.example.com"]})

        assert told(result) == [["JudgmentBlocked", "governor.host-not-allowed"]]
        assert httpserver.log == []
        assert result.usage["api_calls"] == [0, 50]
        assert "egress_hosts" in result.effects[0]["error"]["detail"]

    @pytest.mark.parametrize("name", ["Host", " hOST", "Transfer-Encoding", "Proxy-Authorization", "Upgrade"])
    def test_none_is_reached_by_a_header(self, ask, httpserver, name):
        result = ask(headers={name: "other.example"}, tenant_settings={"egress_hosts": ["127.0.0.1"]})

        assert told(result) == [["JudgmentBlocked", "governor.egress-refused"]]
        assert httpserver.log == []
        assert result.usage["api_calls"] == [0, 50]


class TestRetries:
    def answers(self, httpserver, *answers):
        given = iter(answers)

        def answer(request: Request) -> Response:
            return next(given)

        httpserver.expect_request("/x").respond_with_handler(answer)

    def test_a_safe_request_is_made_once_more(self, ask, httpserver):
        self.answers(httpserver, Response(status=503), Response("fine"))

        result = ask()

        assert [data[:2] for data in told(result)] == [[200, "fine"]]
        assert result.usage["api_calls"] == [2, 50]
        assert result.effects[0]["attempts"] == 2
        assert result.effects[0]["answer"] == "503, 0 bytes; 200, 4 bytes"

    def test_but_not_when_the_calls_are_used_up_or_it_was_not_wanted(self, ask, httpserver):
        self.answers(httpserver, Response(status=503), Response(status=502))

        assert told(ask(limits={"api_calls": 1}))[0][0] == 503
        assert told(ask(retries=0))[0][0] == 502

    def test_a_fault_of_the_application_is_an_answer(self, ask, httpserver):
        self.answers(httpserver, Response(status=500), Response(status=404))

        assert told(ask())[0][0] == 500
        assert told(ask(retries=3))[0][0] == 404
        assert len(httpserver.log) == 2

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
    def test_a_write_that_left_is_not_made_again_by_itself(self, ask, httpserver, status):
        self.answers(httpserver, Response(status=status, headers={"Retry-After": "0"}))

        assert told(ask("POST", json={"a": 1}))[0][0] == status
        assert len(httpserver.log) == 1

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_nor_when_asked_where_it_may_have_been_done(self, ask, httpserver, status):
        self.answers(httpserver, Response(status=status, headers={"Retry-After": "0"}))

        assert told(ask("POST", json={"a": 1}, retries=3))[0][0] == status
        assert len(httpserver.log) == 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_a_write_is_when_asked_and_the_host_says_when_with_the_same_key(self, ask, httpserver, status):
        self.answers(httpserver, Response(status=status, headers={"Retry-After": "0"}), Response("made"))

        result = ask("POST", json={"a": 1}, retries=1)

        assert [data[:2] for data in told(result)] == [[200, "made"]]
        assert len({request.headers["Idempotency-Key"] for request, _ in httpserver.log}) == 1
        assert result.usage["api_calls"] == [2, 50]

    def test_a_host_that_asks_for_too_long_is_not_waited_for(self, ask, httpserver):
        self.answers(httpserver, Response(status=429, headers={"Retry-After": "60"}))

        assert told(ask(retries=3))[0][0] == 429
        assert len(httpserver.log) == 1

    def test_a_request_that_never_left_is_made_again_when_asked(self, ask):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/"

        result = ask("POST", url=url, retries=2)
        once = ask("POST", url=url)

        assert result.usage["api_calls"] == [3, 50]
        assert once.usage["api_calls"] == [1, 50]

    @pytest.mark.parametrize("more", [{"retries": 4}, {"retries": -1}])
    def test_more_than_three_are_refused(self, ask, httpserver, more):
        assert told(ask(**more)) == [["CalloutError", "script.bad-request"]]


class TestHolds:
    def test_a_held_host_is_refused_unsent_to_this_tenant_alone(self, ask, httpserver, globex, execute):
        httpserver.expect_request("/x").respond_with_data("", status=429, headers={"Retry-After": "100"})

        first, second = ask(), ask()

        assert told(first)[0][0] == 429
        assert told(second) == [["CalloutError", "governor.rate-limited"]]
        assert second.usage["api_calls"] == [0, 50]
        assert second.effects[0]["state"] == "refused"
        with every_tenant():
            found = HostState.objects.get()
        assert (found.hold_until - found.last_at).total_seconds() > 90
        records = [
            {"id": "c1", "website": httpserver.url_for("/x"), "custom_fields": {"requests": [["GET", {}]]}}
        ]
        others = execute("calling.CallTrigger.asks_as_told", records=records, tenant=globex)
        assert told(others)[0][0] == 429

    def test_a_short_hold_is_waited_for(self, ask, httpserver):
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Interval-Milliseconds": "300"}
        httpserver.expect_request("/x").respond_with_data("fine", headers=headers)

        result = ask(several=[["GET", {}], ["GET", {}]])

        assert [data[:2] for data in told(result)] == [[200, "fine"]] * 2
        assert result.wall_ms >= 250

    def test_but_not_when_no_time_is_left_for_it(self, ask, httpserver):
        headers = {"Retry-After": "8"}
        httpserver.expect_request("/x").respond_with_data("", status=429, headers=headers)

        result = ask(several=[["GET", {"retries": 0}], ["GET", {}]], limits={"wall_ms": 4_000})

        assert told(result)[1] == ["CalloutError", "governor.rate-limited"]


class TestCircuit:
    def test_five_failures_stop_the_sixth_before_it_is_sent(self, ask, httpserver):
        httpserver.expect_request("/x").respond_with_data("", status=500)

        result = ask(several=[["GET", {}]] * 7)

        assert [data[0] for data in told(result)] == [500] * 5 + ["CalloutError"] * 2
        assert told(result)[-1][1] == "governor.circuit-open"
        assert result.usage["api_calls"] == [5, 50]
        assert len(httpserver.log) == 5

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
    def test_a_refusal_of_the_request_is_no_failure_of_the_host(self, ask, httpserver, status):
        httpserver.expect_request("/x").respond_with_data("", status=status)

        assert [data[0] for data in told(ask(several=[["GET", {}]] * 7))] == [status] * 7

    def test_one_answer_between_begins_the_count_anew(self, ask, httpserver):
        httpserver.expect_request("/x").respond_with_data("", status=500)
        httpserver.expect_request("/fine").respond_with_data("")
        fine = ["GET", {"url": httpserver.url_for("/fine")}]

        result = ask(several=[*[["GET", {}]] * 4, fine, *[["GET", {}]] * 4])

        assert [data[0] for data in told(result)] == [*[500] * 4, 200, *[500] * 4]

    def test_garbage_of_one_tenant_stops_no_other(self, ask, httpserver, globex, execute):
        httpserver.expect_request("/x").respond_with_data("", status=500)
        ask(several=[["GET", {}]] * 6)
        records = [
            {"id": "c1", "website": httpserver.url_for("/x"), "custom_fields": {"requests": [["GET", {}]]}}
        ]

        result = execute("calling.CallTrigger.asks_as_told", records=records, tenant=globex)

        assert told(result)[0][0] == 500
        with every_tenant():
            states = dict(HostState.objects.values_list("tenant__slug", "state"))
        assert states == {"acme": "open", "globex": "closed"}

    def test_a_request_that_cannot_be_sent_neither_closes_nor_opens_it(self, ask, httpserver, acme):
        httpserver.expect_request("/x").respond_with_data("", status=500)
        ask(several=[["GET", {}]] * 5)
        with every_tenant():
            HostState.objects.update(probe_at=NOW)
        hosts.forget()

        result = ask(headers={"x": "a\x00b"})

        assert told(result) == [["CalloutError", "governor.bad-request"]]
        with every_tenant():
            assert HostState.objects.get(tenant=acme).state == "open"

    @pytest.mark.parametrize("end", ["a limit", "the end of the run"])
    def test_a_probe_that_is_not_sent_after_all_is_anothers_at_once(self, acme, end):
        with every_tenant():
            HostState.objects.create(
                tenant=acme, host="host.example:443", state="open", probe_at=NOW, last_at=NOW
            )
        job = make_job(acme, "calling.CallTrigger.gets")
        meter = Meter(job.limits)
        door = Door(job, meter, Recorder(), callouts.mailbox(), seconds_left=lambda: 9.0)
        args = {"method": "GET", "url": "https://host.example/"}

        assert door.ask(Req(id=1, op="http", args=args)) == []
        assert not hosts.claim_probe(acme.pk, "host.example:443")
        if end == "a limit":
            meter.exceed("cpu_ms", 1e9)
            door.send()
        else:
            door.abandon()

        assert hosts.claim_probe(acme.pk, "host.example:443")

    def test_no_answer_in_a_blink_is_no_failure(self, ask, acme):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            result = ask(several=[["GET", {"url": url, "timeout": 0.05}]] * 6)

        assert told(result) == [["CalloutError", "governor.timeout"]] * 6

    def test_a_wrong_name_is_no_outage(self, ask):
        result = ask(several=[["GET", {"url": "http://no-such-host.invalid/"}]] * 6)

        assert told(result)[-1] == ["CalloutError", "governor.unknown-host"]


class TestExcuses:
    def test_a_busy_host_makes_the_failure_retryable(self, execute, httpserver):
        httpserver.expect_request("/x").respond_with_data("", status=500)
        records = [{"id": "c1", "website": httpserver.url_for("/x")}]

        result = execute("calling.CallTrigger.insists", records=records)

        assert (result.error.code, result.error.is_retryable) == ("script.callout-failed", True)

    def test_a_refusal_does_not(self, execute, httpserver):
        httpserver.expect_request("/x").respond_with_data("", status=404)
        records = [{"id": "c1", "website": httpserver.url_for("/x")}]

        assert not execute("calling.CallTrigger.insists", records=records).error.is_retryable

    def test_a_held_host_is_down_until_it_says(self, execute, httpserver):
        httpserver.expect_request("/x").respond_with_data("", status=429, headers={"Retry-After": "60"})
        records = [{"id": "c1", "website": httpserver.url_for("/x")}]

        result = execute("calling.CallTrigger.insists", records=records)

        assert (result.error.code, result.error.is_retryable) == ("governor.provider-down", True)
        assert result.error.data["host"].endswith(f":{httpserver.port}")


class _Keeping(BaseHTTPRequestHandler):
    """Answers, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.connections.add(self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"fine")

    def log_message(self, *_) -> None:
        """Say nothing."""


class TestConnections:
    def test_are_used_again_by_the_next_execution(self, ask):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Keeping)
        server.connections = set()
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"

        answers = [told(ask(url=url)) for _ in range(2)]
        server.shutdown()
        server.server_close()

        assert [answer[0][:2] for answer in answers] == [[200, "fine"]] * 2
        assert len(server.connections) == 1

    def test_that_nobody_waits_for_any_more_keep_no_later_execution_waiting(self, ask, execute, httpserver):
        httpserver.expect_request("/x").respond_with_data("here")
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            port = silent.getsockname()[1]
            records = [{"id": "c1", "website": f"http://127.0.0.1:{port}/"}]
            left = execute("calling.CallTrigger.walks_away", records=records)
            began = time.monotonic()
            answer = told(ask())
            seconds = time.monotonic() - began

        assert left.error is None
        assert left.usage["api_calls"][0] == 16
        assert answer == [[200, "here", httpserver.url_for("/x")]]
        assert seconds < 2
