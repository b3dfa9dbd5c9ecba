"""The environment: typed, loud, and safe to start production with."""

from __future__ import annotations

import base64
from decimal import Decimal

import pytest

from circuitos import checks
from circuitos.env import BadEnvironment, database, faults, read, refuse_insecure

KEY = "a:" + base64.b64encode(b"k" * 32).decode()
SOUND = {
    "SECRET_KEY": "s" * 50,
    "FIELD_ENCRYPTION_KEYS": KEY,
    "DATABASE_URL": "postgres://u:p@db.test/name",
    "PUBLIC_URL": "https://circuit.test",
    "ALLOWED_HOSTS": "circuit.test",
}


class TestRead:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DEBUG", "maybe"),
            ("PORT", "eighty"),
            ("PORT", "70000"),
            ("JAIL", "none"),
            ("DATABASE_URL", "mysql://x"),
            ("REDIS_URL", "http://x"),
            ("PUBLIC_URL", "circuit.test"),
            ("AI_PRICES", "gpt-4o-mini"),
            ("AI_PRICES", "gpt-4o-mini=0.15"),
            ("AI_PRICES", "gpt-4o-mini=-1/2"),
            ("AI_PRICES", "gpt-4o-mini=NaN/2"),
            ("AI_PRICES", "=1/2"),
        ],
    )
    def test_a_wrong_value_names_itself(self, name, value):
        with pytest.raises(BadEnvironment, match=name):
            read({name: value})

    def test_lists_and_flags(self):
        found = read({"DEBUG": "yes", "ALLOWED_HOSTS": "a.test, b.test,"})

        assert found.debug
        assert found.environment == "development"
        assert found.allowed_hosts == ("a.test", "b.test")

    def test_prices_are_dollars_for_a_million_tokens_in_and_out(self):
        found = read({"AI_PRICES": "mine=0.1/0.40, org/other:7b=0/0"})

        assert found.ai_prices == {"mine": (Decimal("0.1"), Decimal("0.4")), "org/other:7b": (0, 0)}
        assert read({}).ai_prices == {}

    def test_a_database_may_be_named_by_its_socket_folder(self):
        found = database("postgres://u:p%40ss@/name?host=/run/pg&sslmode=disable")

        assert (found["HOST"], found["USER"], found["PASSWORD"]) == ("/run/pg", "u", "p@ss")
        assert found["OPTIONS"] == {"sslmode": "disable"}


class TestProduction:
    def test_starts_with_keys_of_its_own(self):
        refuse_insecure(read(SOUND))

    @pytest.mark.parametrize(
        ("change", "number"),
        [
            ({"SECRET_KEY": ""}, "E001"),
            ({"SECRET_KEY": "short"}, "E001"),
            ({"FIELD_ENCRYPTION_KEYS": "dev:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "E002"),
            ({"FIELD_ENCRYPTION_KEYS": "a:short"}, "E003"),
            ({"DATABASE_URL": ""}, "E004"),
        ],
    )
    def test_does_not_start_on_what_everybody_knows(self, change, number):
        found = read({**SOUND, **change})

        assert [fault.number for fault in faults(found)] == [number]
        with pytest.raises(BadEnvironment):
            refuse_insecure(found)

    def test_development_and_tests_do(self):
        refuse_insecure(read({"DEBUG": "1"}))
        refuse_insecure(read({"ENVIRONMENT": "test"}))


class TestChecks:
    def check(self, monkeypatch, **change):
        monkeypatch.setattr(checks, "env", lambda: read({**SOUND, **change}))
        return [message.id for message in checks.check_environment(None)]

    def test_a_sound_environment_passes(self, monkeypatch):
        assert self.check(monkeypatch) == []

    def test_each_fault_has_its_number(self, monkeypatch):
        assert self.check(monkeypatch, SECRET_KEY="", DEBUG="1") == ["circuitos.E001", "circuitos.E005"]
        assert self.check(monkeypatch, ALLOWED_HOSTS="*", PUBLIC_URL="", JAIL="basic") == [
            "circuitos.W001",
            "circuitos.W002",
            "circuitos.W003",
        ]
