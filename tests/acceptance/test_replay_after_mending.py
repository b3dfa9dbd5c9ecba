"""A script fails, is mended, and the failed execution is replayed over REST."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
BROKEN = """
from circuitos import CircuitDB, CircuitTrigger, trigger


class Shipping(CircuitTrigger):
    @trigger("Shipment", ["afterInsert"])
    def price(self, context):
        CircuitDB.update("Shipment", [
            {"id": record.id, "price": 100 / record.weight} for record in context.new_records
        ])
"""
MENDED = BROKEN.replace("100 / record.weight", "100 / max(record.weight, 1)")


@pytest.fixture
def script(installation: Installation) -> Iterator[Path]:
    file = installation.scripts / "shipping.py"
    file.write_text(BROKEN)
    yield file
    installation.wait_until_sent()
    file.unlink()


class TestReplay:
    def test_of_a_failed_execution_succeeds_once_the_script_is_mended(self, installation, script):
        body = {
            "type": "shipment.created",
            "timestamp": "2026-03-02T12:00:00Z",
            "data": {"id": "s1", "weight": 0},
        }
        (event,) = installation.send_signed("standard", [json.dumps(body).encode()])
        (failed,) = installation.executions_of(event)
        assert failed["status"] == "failed"
        _, trace = installation.rest(f"executions/{failed['id']}/trace/")
        assert "ZeroDivisionError" in json.dumps(trace)
        assert "price" not in installation.record("Shipment", "s1")

        script.write_text(MENDED)
        status, started = installation.rest(f"executions/{failed['id']}/replay/", body={"mode": "live"})

        assert status == 202
        installation.wait(
            lambda: installation.rest(f"executions/{started['execution_id']}/")[1]["finished_at"] is not None,
            "the replay has run",
        )
        _, replayed = installation.rest(f"executions/{started['execution_id']}/")
        assert (replayed["status"], replayed["replay_of"]) == ("succeeded", failed["id"])
        assert replayed["release"] != failed["release"]
        assert installation.record("Shipment", "s1")["price"] == 100
        # What failed stays failed: a replay is a new execution.
        assert installation.rest(f"executions/{failed['id']}/")[1]["status"] == "failed"
