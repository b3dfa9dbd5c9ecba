"""The testing kit and the jail give the same result for the same script: what a test shows, happens."""

from __future__ import annotations

import importlib
import sys
import textwrap
from datetime import UTC, datetime

import pytest
from django.db import connection

from circuitos.script.budget import UNITS
from circuitos.script.testing import run
from governor.limits import LIMITS
from tenants.records.store import Incoming, apply_incoming
from triggers.dry_run import dry_run
from triggers.registry import load

SCRIPT = """
import asyncio
import random

from pydantic import BaseModel

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, RecordError, limits, trigger

ON = ("Contact", ["afterInsert"])


class Schema(BaseModel):
    id: str
    email: str


class Parity(CircuitTrigger):
    @trigger(*ON)
    async def changes(self, context):
        await CircuitDB.update("Contact", [{"id": record.id, "score": 1} for record in context.new_records])
        await CircuitDB.update("Contact", [{"id": "c1", "custom_fields": {"a": 1}}])
        await CircuitDB.update("Contact", [{"id": "c1", "custom_fields": {"b": 2}, "score": 2}])
        made = await CircuitDB.insert("Score", [{"id": "s1", "value": 3}, {"id": "s2"}])
        await CircuitDB.delete("Score", ["s2"])
        await CircuitDB.upsert("Score", {"id": "s3", "value": 4})
        assert all(made)

    @trigger(*ON)
    def reads(self, context):
        CircuitDB.upsert("Score", {"id": "s1", "value": 3})
        found = CircuitDB.get("Score", ["s1", "nobody"])
        assert list(found) == ["s1"] and found["s1"]["value"] == 3
        assert CircuitDB.query("Score", value=3) == []
        (missing,) = CircuitDB.update("Score", [{"id": "nobody", "value": 1}])
        CircuitLog.info("missing", missing.errors)

    @trigger(*ON)
    def fails_one(self, context):
        context.new_records[0].fail("no")
        context.new_records[1].skip("known")
        CircuitDB.update("Contact", [{"id": "c1", "seen": True}, {"id": "c3", "seen": True}])

    @trigger(*ON, schema=Schema, when=lambda record: record.id != "c3")
    async def chooses(self, context):
        CircuitLog.info("left", [record.id for record in context.new_records])

    @trigger(*ON)
    async def gathers(self, context):
        await asyncio.gather(*[CircuitDB.query("Contact", limit=1) for _ in range(5)])
        assert limits.record_queries.used == 5
        CircuitLog.info("left", left=limits.record_queries.left)

    @trigger(*ON, limits={"record_queries": 3})
    def is_greedy(self, context):
        CircuitDB.update("Contact", [{"id": "c1", "seen": True}])
        for _ in range(9):
            try:
                CircuitDB.query("Contact", limit=1)
            except BaseException as error:
                CircuitLog.info(type(error).__name__)

    @trigger(*ON)
    async def forgets(self, context):
        CircuitDB.query("Contact")

    @trigger(*ON)
    def raises(self, context):
        CircuitDB.update("Contact", [{"id": "c1", "seen": True}])
        raise KeyError("email")

    @trigger(*ON)
    def asks_nonsense(self, context):
        CircuitDB.query("Contact", {"score__near": 3})

    @trigger(*ON)
    def says(self, context):
        print("printed")
        CircuitLog.error("wrong", {"at": context.now}, n=1)
        CircuitLog.info("chance", random.random())
        context.new_record.score = 1

    @trigger("Contact", ["beforeInsert"])
    def before(self, context):
        context.new_record.email = context.new_record.email.lower()
"""

RECORDS = [
    {"id": "c1", "email": "A@B.test", "city": "Plano"},
    {"id": "c2"},
    {"id": "c3", "email": "c@b.test"},
]
COUNTED = ("api_calls", "record_queries", "records_read", "records_written", "log_lines")
NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def scripts(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "parity_script.py").write_text(textwrap.dedent(SCRIPT))
    yield tmp_path
    sys.modules.pop("parity_script", None)


def told(result) -> dict:
    """What both kinds of result say, in one shape."""
    logs = getattr(result, "logs", None)
    if logs is None:
        logs = result.entries
    error = result.error
    return {
        "error": error and (error.code, error.type, error.detail, error.at.rpartition("/")[2]),
        "outcomes": {key: tuple(outcome) for key, outcome in result.outcomes.items()}
        if error is None
        else {},
        "changes": [(each.object, each.operation, each.id, each.fields) for each in result.changes],
        "fields": result.fields,
        "logs": [
            (line.level, line.message, line.data)
            if hasattr(line, "level")
            else (line["level"], line["message"], line["data"])
            for line in logs
        ],
        "usage": {name: result.usage[name] for name in COUNTED},
    }


@pytest.mark.django_db
class TestParity:
    @pytest.mark.parametrize(
        "method",
        [
            "changes",
            "reads",
            "fails_one",
            "chooses",
            "gathers",
            "is_greedy",
            "forgets",
            "raises",
            "asks_nonsense",
            "says",
            "before",
        ],
    )
    def test_of_kit_and_jail(self, scripts, acme, method):
        registry = load([scripts])
        spec = registry.get(f"Parity.{method}")

        changes = [
            Incoming(number, record["id"], "insert", record, None, is_partial=False, source="test")
            for number, record in enumerate(RECORDS)
        ]
        with connection.cursor() as cursor:  # as the claim of a batch does
            apply_incoming(cursor, schema=acme.schema_name, object="Contact", changes=changes, at=NOW)
        jailed = dry_run(
            registry=registry, spec=spec, tenant=acme, batch=[(record, None) for record in RECORDS], at=NOW
        )
        cls = importlib.import_module("parity_script").Parity
        tested = run(getattr(cls, method), RECORDS, event=spec.events[0], now=NOW)

        assert told(tested) == told(jailed)

    def test_of_units(self):
        assert {name: limit.unit for name, limit in LIMITS.items()} == UNITS
