"""A host that goes down and comes back: nothing is lost, tried in vain, split or reordered."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from governor import broker, hosts
from governor.jail.supervisor import Zygote
from governor.job import RunError, RunResult
from governor.models import HostState
from tenants.scope import every_tenant
from tests.triggers.engine import Runs, drain, executions, lane, park, put, statuses, supervisor
from triggers import lanes, outage
from triggers.models import Execution, Lane
from triggers.registry import load
from triggers.runner import Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = """
from circuitos import CalloutError, CircuitTrigger, http, trigger


class Posts(CircuitTrigger):
    @trigger("Contact", ["afterInsert"], order=1)
    def each(self, context):
        failed = None
        for record in context.new_records:
            try:
                http.post(record["website"], json={"id": record.id}).raise_for_status()
            except CalloutError as error:
                failed = error
        if failed:
            raise failed

    @trigger("Contact", ["afterUpdate"])
    def forges(self, context):
        raise CalloutError("It is down, I swear.", code="governor.circuit-open", host="x", until="tomorrow")
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outage")
    (folder / "outage_script.py").write_text(textwrap.dedent(SCRIPT))
    return folder


@pytest.fixture(scope="module")
def jail(scripts: Path) -> Iterator[Zygote]:
    zygote = Zygote([scripts])
    yield zygote
    zygote.close()


@pytest.fixture
def engine(scripts: Path, jail: Zygote, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.syspath_prepend(str(scripts))
    settings.EGRESS_ALLOW = ["127.0.0.1"]
    hosts.forget()
    return Supervisor(registry=load([scripts]), zygote=jail, run=broker.run, worker="test-worker")


class Provider:
    """A server that can be taken away from its port and put back."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.status = 200
        self.poison: dict[str, int] = {}
        self._server = self._start(0)
        self.port = self._server.port
        self.url = f"http://127.0.0.1:{self.port}/"

    def down(self) -> None:
        self._server.stop()

    def up(self) -> None:
        self._server = self._start(self.port)

    def _start(self, port: int) -> HTTPServer:
        server = HTTPServer(host="127.0.0.1", port=port)
        server.expect_request("/").respond_with_handler(self._answer)
        server.start()
        return server

    def _answer(self, request: Request) -> Response:
        name = request.get_json()["id"]
        status = self.poison.get(name, self.status)
        if status == 200:
            self.heard.append(name)
        return Response(status=status)


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.down()


def let_the_probe_come() -> None:
    with every_tenant():
        past = datetime.now(UTC) - timedelta(seconds=1)
        HostState.objects.exclude(state="closed").update(probe_at=past)
        Lane.objects.exclude(parked_reason="").update(parked_until=past)


def let_the_backoff_end() -> None:
    with every_tenant():
        past = datetime.now(UTC) - timedelta(seconds=1)
        Execution.objects.filter(status="queued").update(next_attempt_at=past)


def state() -> HostState:
    with every_tenant():
        found: HostState = HostState.objects.get()
        return found


@pytest.mark.django_db
class TestOutage:
    @pytest.mark.parametrize("kind", ["refuses connections", "answers 503"])
    def test_burns_no_attempt_and_fills_no_dead_letters(self, engine, acme, provider, kind):
        names = [f"c{number}" for number in range(6)]
        for name in names:
            put(acme, name, website=provider.url)
        provider.down() if kind == "refuses connections" else setattr(provider, "status", 503)

        drain(engine)
        for _ in range(8):  # more often than an execution may be tried
            let_the_probe_come()
            drain(engine)

        (execution,) = executions(acme)
        assert (execution.status, execution.attempts, execution.size) == ("queued", 0, 6)
        assert execution.error_code == "governor.provider-down"
        assert (lane(acme).parked_reason, lane(acme).lease_until) == ("provider-down", None)
        assert lane(acme).parked_until > datetime.now(UTC)
        assert (state().state, state().openings) == ("open", 9)
        assert set(statuses(acme)) == set(names)
        assert provider.heard == []

        provider.up() if kind == "refuses connections" else setattr(provider, "status", 200)
        let_the_probe_come()
        drain(engine)

        assert provider.heard == names
        assert statuses(acme) == {name: ["succeeded"] for name in names}
        (execution,) = executions(acme)
        assert (execution.status, execution.attempts, execution.ok) == ("succeeded", 1, 6)
        assert (state().state, state().failures) == ("closed", 0)
        assert lane(acme).parked_reason == ""

    def test_is_none_when_one_record_alone_is_answered_by_a_fault(self, engine, acme, provider):
        names = ["a", "bad", "b"]
        for name in names:
            put(acme, name, website=provider.url)
        provider.poison = {"bad": 500}

        drain(engine)
        for _ in range(30):
            let_the_probe_come()
            let_the_backoff_end()
            drain(engine)
        put(acme, "c", website=provider.url)
        let_the_probe_come()
        drain(engine)

        assert statuses(acme) == {
            "a": ["succeeded"],
            "bad": ["failed"],
            "b": ["succeeded"],
            "c": ["succeeded"],
        }
        assert provider.heard == ["a", "b", "c"]
        assert (lane(acme).parked_reason, state().state) == ("", "closed")

    @pytest.mark.parametrize(("listed", "ends_as"), [(None, "failed"), (["127.0.0.1"], "queued")])
    def test_of_a_host_that_nobody_listed_holds_no_lane_for_ever(
        self, engine, acme, provider, listed, ends_as
    ):
        acme.settings = {"egress_hosts": listed} if listed else {}
        acme.save(update_fields=["settings"])
        put(acme, "dead", website=provider.url)
        provider.down()

        drain(engine)
        for _ in range(30):
            let_the_probe_come()
            let_the_backoff_end()
            drain(engine)
        provider.up()

        assert [execution.status for execution in executions(acme)] == [ends_as]
        assert (lane(acme).parked_reason == "provider-down") == (ends_as == "queued")

    def test_that_shows_as_a_fault_is_waited_out_for_a_while(self, engine, acme, provider):
        for number in range(6):
            put(acme, f"c{number}", website=provider.url)
        provider.status = 500

        drain(engine)
        for _ in range(9):
            let_the_probe_come()
            drain(engine)

        (execution,) = executions(acme)
        assert (execution.status, execution.attempts) == ("queued", 0)
        assert (lane(acme).parked_reason, state().openings) == ("provider-down", 10)

    def test_of_one_tenants_host_delays_no_other_tenant(self, engine, acme, globex, provider):
        up = Provider()
        for number in range(6):
            put(acme, f"a{number}", website=provider.url)
            put(globex, f"g{number}", website=up.url)
        provider.down()

        drain(engine)
        up.down()
        provider.up()

        assert lane(acme).parked_reason == "provider-down"
        assert lane(globex).parked_reason == ""
        assert [execution.status for execution in executions(globex)] == ["succeeded"]
        assert up.heard == [f"g{number}" for number in range(6)]

    def test_ends_for_all_lanes_of_the_tenant_at_once(self, engine, acme, globex, provider):
        with every_tenant(), connection.cursor() as cursor:
            held = [
                lanes.lane_of(cursor, tenant_id=tenant.pk, obj="Contact", kind="replay")
                for tenant in (acme, globex)
            ]
            for lane_id in held:
                park(cursor, lane_id, seconds=300)
        for number in range(6):
            put(acme, f"c{number}", website=provider.url)
        provider.down()
        drain(engine)
        assert lane(acme, "replay").parked_reason == "provider-down"

        provider.up()
        let_the_probe_come()
        with every_tenant():
            Lane.objects.filter(kind="replay").update(parked_until=datetime.now(UTC) + timedelta(hours=1))
        drain(engine)

        assert lane(acme, "replay").parked_reason == ""
        assert lane(globex, "replay").parked_reason == "provider-down"

    def test_of_a_moment_is_tried_again_after_a_while(self, engine, acme, provider):
        put(acme, "c1", website=provider.url)
        provider.status = 502

        drain(engine)

        (execution,) = executions(acme)
        assert (execution.status, execution.attempts) == ("queued", 1)
        assert execution.next_attempt_at > datetime.now(UTC)
        assert lane(acme).parked_reason == ""

    def test_cannot_be_claimed_by_a_script(self, engine, acme):
        put(acme, "c1", operation="update")

        drain(engine)

        assert statuses(acme) == {"c1": ["failed"]}

    def test_that_ended_before_the_lane_was_parked_parks_nothing(self, acme):
        put(acme, "c1")
        down = RunError(
            code="governor.provider-down", is_retryable=True, data={"host": "a.example:443", "until": ""}
        )
        answers = [RunResult(error=down), RunResult()]
        runs = Runs(lambda job: answers.pop(0))

        drain(supervisor(runs))

        assert len(runs.jobs) == 2
        assert statuses(acme) == {"c1": ["succeeded"]}
        assert lane(acme).parked_reason == ""

    def test_a_worker_whose_lease_was_taken_over_parks_nothing(self, acme):
        put(acme, "c1")
        until = datetime.now(UTC) + timedelta(hours=1)
        with every_tenant(), connection.cursor() as cursor:
            lease, _ = lanes.take(cursor, worker="first")
            Lane.objects.update(lease_token=lease.token + 1)

            assert not lanes.park(cursor, lease, reason=outage.PARKED, until=until)

        assert lane(acme).parked_reason == ""
