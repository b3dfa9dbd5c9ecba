"""The command line: trace, logs, replay, partitions."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from tenants.scope import every_tenant
from tests.rows import make_event, make_execution
from triggers.management.commands import logs as logs_command
from triggers.models import Execution

pytestmark = pytest.mark.django_db


def run(*args, **options):
    out = io.StringIO()
    call_command(*args, stdout=out, **options)
    return out.getvalue()


class TestTrace:
    def test_prints_the_page_and_json(self, acme):
        execution = make_execution(acme)

        assert "All 3 records succeeded" in run("trace", str(execution.code))
        assert json.loads(run("trace", str(execution.code), "--json"))["id"] == str(execution.code)

    def test_finds_the_newest_by_record(self, acme):
        make_execution(acme, records=[{"id": "lead-1"}])
        newest = make_execution(acme, records=[{"id": "lead-1"}])

        assert str(newest.code) in run("trace", "lead-1")

    def test_an_unknown_one_fails_with_a_sentence(self, acme):
        with pytest.raises(CommandError, match="There is no such execution"):
            run("trace", "nope")


class TestLogs:
    def test_prints_the_newest_last(self, acme, globex):
        first, second = make_execution(acme), make_execution(globex)

        text = run("logs")

        assert text.index(str(first.code)) < text.index(str(second.code))
        assert str(first.code) not in run("logs", tenant="globex")
        assert str(first.code) in run("logs", q=first.record_ids[0])

    def test_json_is_one_object_a_line(self, acme):
        make_execution(acme)

        assert json.loads(run("logs", "--json"))["status"] == "succeeded"

    def test_follow_prints_what_finishes(self, acme, monkeypatch):
        open_one = make_execution(acme, status="running", finished_at=None)
        steps = []

        def sleep(_):
            steps.append(1)
            if len(steps) == 1:
                with every_tenant():
                    Execution.objects.filter(pk=open_one.pk).update(status="succeeded")
                make_execution(acme, trigger="Later.one")
            elif len(steps) > 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(logs_command.time, "sleep", sleep)

        text = run("logs", "--follow")

        assert text.count(str(open_one.code)) == 2
        assert text.count("Later.one") == 1

    def test_refuses_a_count_of_none(self):
        with pytest.raises(CommandError):
            run("logs", count=0)


class TestReplay:
    def test_says_where_to_look(self, acme):
        event = make_event(acme, record_id="lead-1", status="succeeded")
        execution = make_execution(
            acme, records=[{"id": "lead-1"}], event_ids=[event.pk], event_codes=[event.code]
        )

        started = json.loads(run("replay", str(execution.code), "--mode", "dry", "--json"))["execution_id"]

        with every_tenant():
            assert Execution.objects.get(code=started).replay_of_id == execution.pk

    def test_refusals_are_sentences(self, acme):
        execution = make_execution(acme, status="running", finished_at=None)

        with pytest.raises(CommandError, match="not ended"):
            run("replay", str(execution.code))
        with pytest.raises(CommandError, match="no such execution"):
            run("replay", "nope")


class TestPartitions:
    def test_tells_what_was_done(self):
        assert "made" in run("partitions")
        assert json.loads(run("partitions", "--json"))["made"] == []
