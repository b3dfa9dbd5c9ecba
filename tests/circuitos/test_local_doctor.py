"""`doctor`: every part is looked at, and each fault says what to do."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils.timezone import now

from circuitos.env import env, read
from circuitos.local import doctor
from tenants import audit

pytestmark = pytest.mark.django_db


def findings(**change: str) -> dict[str, doctor.Finding]:
    found = {"DATABASE_URL": env().database_url, "REDIS_URL": env().redis_url, "DEBUG": "1", **change}
    return {finding.part: finding for finding in doctor.examine(read(found))}


class TestExamine:
    def test_sees_what_is_well(self, valkey):
        seen = findings()

        for part in ("python", "database", "migrations", "redis", "jail", "scripts"):
            assert seen[part].state in {"ok", "warning"}, seen[part]
        assert seen["database"].seen.startswith("PostgreSQL")

    def test_the_jail_is_told_by_its_self_test(self, valkey):
        strict, basic = findings()["jail"], findings(JAIL="basic")["jail"]

        assert "escapes held" in strict.seen
        assert basic.state == "warning"
        assert "scripts can reach the network" in basic.seen

    def test_a_jail_that_does_not_hold_is_broken(self, valkey, monkeypatch):
        monkeypatch.setattr("governor.jail.selftest._hints", lambda found: {})

        assert findings()["jail"].state == "broken"

    def test_an_audit_log_that_was_tampered_with_is_told(self, valkey):
        assert findings()["audit"].state == "ok"
        first = audit.record(actor="ada", verb="did", target="it", at=now())
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER USER")
            cursor.execute("UPDATE tenants_auditevent SET actor = 'eve' WHERE id = %s", [first.pk])
            cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER USER")

        told = findings()["audit"]

        assert (told.state, f"row {first.pk}" in told.seen, bool(told.do)) == ("broken", True, True)

    def test_every_fault_says_what_to_do(self, valkey):
        for finding in findings(PORT="1").values():
            assert finding.state == "ok" or finding.do

    def test_processes_that_do_not_run_are_missed(self, valkey):
        seen = findings(PORT="1")

        assert {seen[part].state for part in ("web", "worker", "beat")} == {"warning"}
        assert "nothing listens on port 1" in seen["web"].seen

    def test_a_worker_is_known_by_its_sign(self, valkey):
        valkey.set("circuitos:heartbeat:worker", "ok")

        assert findings()["worker"].state == "ok"

    def test_something_else_on_the_port_is_not_taken_for_us(self, valkey, httpserver):
        httpserver.expect_request("/healthz").respond_with_data("hello")

        web = findings(PORT=str(httpserver.port))["web"]

        assert (web.state, web.seen) == ("broken", f"something else listens on port {httpserver.port}")

    def test_well_known_keys_are_broken_in_production_alone(self, valkey):
        assert findings()["secrets"].state == "warning"
        assert findings(DEBUG="0")["secrets"].state == "broken"


class TestCommand:
    def test_tells_machines_and_ends_with_a_code(self, valkey, capsys, monkeypatch):
        monkeypatch.setattr("circuitos.management.commands.doctor.env", lambda: read({"SECRET_KEY": "x"}))

        with pytest.raises(SystemExit):
            call_command("doctor", is_json=True)

        parts = {finding["part"]: finding["state"] for finding in json.loads(capsys.readouterr().out)}
        assert parts["secrets"] == "broken"

    def test_shows_people_a_table(self, valkey, capsys, monkeypatch):
        monkeypatch.setattr("circuitos.management.commands.doctor.env", lambda: read({"DEBUG": "1"}))

        call_command("doctor")

        assert "What to do" in capsys.readouterr().out
