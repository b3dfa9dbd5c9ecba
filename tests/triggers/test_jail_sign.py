"""What the workers found of their jail reaches web; while it does not hold, executions wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from circuitos.env import env
from governor import broker
from governor.jail import standing
from governor.jail.findings import ESCAPED, HELD, LANDLOCK, Findings, Row
from governor.jail.supervisor import Zygote
from tenants.scope import every_tenant
from tests.rows import make_execution
from tests.triggers.engine import drain, executions, put, statuses, supervisor
from triggers import heartbeat, jail_sign, tasks
from triggers.models import Execution

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
WELL = Findings(mode="strict", at=NOW, took_ms=400, rows=(Row("fork", HELD), Row("exec", HELD)))
BROKEN = Findings(mode="strict", at=NOW, took_ms=400, rows=(Row("fork", ESCAPED), Row("exec", HELD)))
BASIC = Findings(mode="basic", at=NOW, took_ms=400, rows=(Row("exec", HELD),))
WEAKER = Findings(mode="strict", at=NOW, took_ms=4, rows=(), missing={LANDLOCK: "the kernel has none"})


@pytest.fixture(autouse=True)
def _may_sign(monkeypatch):
    monkeypatch.setattr(heartbeat._Last, "signed", {})


class TestSign:
    @pytest.mark.parametrize(
        ("findings", "sign"),
        [(WELL, b"ok"), (BROKEN, b"degraded"), (BASIC, b"degraded"), (WEAKER, b"degraded")],
    )
    def test_is_read_as_it_was_left(self, valkey, findings, sign):
        jail_sign.leave(findings)

        assert jail_sign.read() == findings
        assert valkey.get(heartbeat.KEYS["jail"]) == sign

    def test_is_there_again_after_redis_was_wiped(self, acme, valkey, monkeypatch):
        monkeypatch.setattr(standing, "of_machine", lambda found, at: WELL)
        engine = supervisor()
        engine.zygote = Zygote([])
        monkeypatch.setattr(tasks._Process, "supervisor", lambda: engine)
        tasks.wake()
        valkey.flushdb()
        heartbeat._Last.signed.clear()

        tasks.wake()
        engine.zygote.close()

        assert jail_sign.read() == WELL

    def test_a_dead_redis_knows_nothing(self, monkeypatch):
        gone = heartbeat.connect("redis://127.0.0.1:1/0")
        monkeypatch.setattr(heartbeat, "client", lambda: gone)

        jail_sign.leave(WELL)

        assert jail_sign.read() is None

    def test_nor_does_one_with_another_versions_findings(self, valkey):
        valkey.set(jail_sign.KEY, '{"rows": 5}')

        assert jail_sign.read() is None


class TestPages:
    def test_readyz_tells_mode_and_escapes(self, client, valkey):
        jail_sign.leave(BROKEN)

        answer = client.get("/readyz").json()

        assert answer["parts"]["jail"] == "degraded"
        told = {name: answer["jail"][name] for name in ("mode", "state", "held", "tried", "escaped", "at")}
        assert told == {
            "mode": "strict",
            "state": "refused",
            "held": 1,
            "tried": 2,
            "escaped": ["fork"],
            "at": NOW.isoformat(),
        }

    def test_readyz_says_when_it_does_not_know(self, client, valkey):
        assert client.get("/readyz").json()["jail"]["state"] == "unknown"

    def test_the_overview_is_quiet_while_it_is_well(self, console, acme, valkey):
        make_execution(acme)
        jail_sign.leave(WELL)

        page = console.get("/admin/").content.decode()

        assert "2 of 2 held" in page
        assert "jail-warning" not in page

    @pytest.mark.parametrize("findings", [BROKEN, BASIC, WEAKER])
    def test_and_loud_while_it_is_not(self, console, valkey, findings):
        jail_sign.leave(findings)

        assert "jail-warning" in console.get("/admin/").content.decode()

    def test_the_page_lists_what_escaped_first(self, console, valkey):
        jail_sign.leave(BROKEN)

        page = console.get("/admin/jail/").content.decode()

        assert page.index(">fork<") < page.index(">exec<")

    def test_the_page_opens_without_findings(self, console, valkey):
        assert "Not known" in console.get("/admin/jail/").content.decode()

    def test_the_page_is_for_operators_alone(self, client, owner):
        client.force_login(owner)

        assert client.get("/admin/jail/").status_code == 404


class TestHeld:
    def test_executions_wait_until_it_holds(self, acme, globex, tmp_path, monkeypatch):
        found = replace(env(), home=tmp_path)
        monkeypatch.setattr(standing._Memory, "findings", None)
        verdicts = [ESCAPED]
        made = partial(_examine, verdicts)
        standing.of_machine(found, at=datetime.now(UTC), examine=made)
        engine = supervisor(broker.run)
        engine.zygote = Zygote([], is_safe=partial(standing.require, found))
        put(acme, "c1")
        put(globex, "c1")

        drain(engine)

        assert statuses(acme) == statuses(globex) == {"c1": ["running"]}
        held = executions()
        assert {(one.status, one.error_code) for one in held} == {("queued", "governor.jail-unsafe")}
        assert all("fork" in one.error_detail for one in held)

        with every_tenant():
            Execution.objects.update(next_attempt_at=datetime.now(UTC) - timedelta(seconds=1))
        drain(supervisor())

        assert statuses(acme) == statuses(globex) == {"c1": ["succeeded"]}


def _examine(verdicts, found, *, at):
    return Findings(mode="strict", at=at, took_ms=1, rows=(Row("fork", verdicts[0]),))
