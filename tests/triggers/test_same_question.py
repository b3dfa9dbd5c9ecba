"""A script that sends the same for each record: a batch that is split sends it once for each, and no less."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from governor import broker
from governor.jail.supervisor import Zygote
from tests.triggers.engine import drain, executions, put, statuses
from triggers import registry
from triggers.runner import Supervisor

SCRIPT = '''
"""Rings once for each record, with nothing to tell one ring from another."""
from circuitos import CircuitTrigger, http, trigger


class Ringing(CircuitTrigger):
    @trigger("Contact", ["afterInsert"], limits={{"api_calls": 3}})
    {kind}def each(self, context):
        for record in context.new_records:
            {wait}http.post("{url}", json={{"ring": True}})
'''


class TestSameQuestion:
    @pytest.mark.parametrize("words", [("", ""), ("async ", "await ")], ids=["plain", "async"])
    def test_is_asked_once_for_each_record(
        self, acme: Any, tmp_path: Any, httpserver: Any, settings: Any, words: tuple[str, str]
    ) -> None:
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        httpserver.expect_request("/ring").respond_with_json({})
        url = httpserver.url_for("/ring")
        (tmp_path / "ringing.py").write_text(SCRIPT.format(url=url, kind=words[0], wait=words[1]))
        scripts = registry.load([tmp_path])
        for number in range(5):
            put(acme, f"c{number}")

        with closing(Zygote(scripts.paths)) as zygote:
            drain(Supervisor(registry=scripts, zygote=zygote, run=broker.run, worker="test-worker"))

        assert executions(acme)[0].status == "bisected"
        assert {said for found in statuses(acme).values() for said in found} == {"succeeded"}
        assert len(httpserver.log) == 5
