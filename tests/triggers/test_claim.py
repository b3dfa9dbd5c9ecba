"""Claiming: which events make a batch, and which never reach a trigger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governor.job import RunError, RunResult
from tenants.scope import every_tenant
from tests.triggers.engine import (
    Runs,
    drain,
    events,
    executions,
    mirror,
    put,
    put_raw,
    scoring,
    spec,
    statuses,
    supervisor,
)
from triggers import claim
from triggers.claim import MOST_BYTES, choose
from triggers.models import Execution, LiveEvent, TriggerConfig


class TestChoose:
    def test_takes_one_operation_and_each_record_once(self):
        window = [(1, "insert", "a", 9), (2, "insert", "b", 9), (3, "insert", "a", 9), (4, "update", "c", 9)]

        assert choose(window, "insert", 200) == [1, 2]

    def test_an_event_of_another_operation_holds_its_records_later_ones(self):
        window = [(1, "insert", "a", 9), (2, "update", "b", 9), (3, "insert", "b", 9), (4, "insert", "c", 9)]

        assert choose(window, "insert", 200) == [1, 4]

    def test_stops_at_the_batch_size(self):
        window = [(number, "insert", str(number), 9) for number in range(9)]

        assert choose(window, "insert", 3) == [0, 1, 2]

    def test_stops_before_its_bodies_are_too_much_for_a_worker(self):
        window = [(number, "insert", str(number), 1_000_000) for number in range(200)]

        chosen = choose(window, "insert", 200)

        assert 0 < len(chosen) * 1_000_000 <= MOST_BYTES

    def test_takes_an_event_of_any_size_alone(self):
        assert choose([(1, "insert", "a", 10 * MOST_BYTES)], "insert", 200) == [1]


class TestUnstorable:
    def test_workers_that_meet_the_same_one_set_aside_no_other(self, acme, monkeypatch):
        from triggers import claim as claiming

        put(acme, "poison")
        put(acme, "innocent")
        apply = claiming.apply_incoming

        def refuses(cursor: Any, *, changes: Any, **rest: Any) -> Any:
            if any(change.record_id == "poison" for change in changes):
                raise ValueError("a value that cannot be stored")
            return apply(cursor, changes=changes, **rest)

        monkeypatch.setattr(claiming, "apply_incoming", refuses)
        first, second = supervisor(worker="first"), supervisor(worker="second")
        for _ in range(8):
            first.step()
            second.step()

        assert statuses(acme) == {"poison": ["quarantined"], "innocent": ["succeeded"]}


class TestOrder:
    def test_events_of_one_record_run_in_the_order_acknowledged(self, acme):
        for number in range(5):
            put(acme, "c1", operation="update", firstName=f"n{number}")
        put(acme, "c2", operation="update")
        runs = Runs()

        drain(supervisor(runs))

        assert runs.batches == [["c1", "c2"], ["c1"], ["c1"], ["c1"], ["c1"]]
        assert [job.records[0]["first_name"] for job in runs.jobs] == ["n0", "n1", "n2", "n3", "n4"]

    def test_large_events_run_in_several_batches(self, acme, monkeypatch):
        monkeypatch.setattr(claim, "MOST_BYTES", 80_000)
        for number in range(20):
            put(acme, f"c{number:02}", source="x" * 20_000)
        runs = Runs()

        drain(supervisor(runs))

        assert len(runs.batches) > 1
        assert [record_id for batch in runs.batches for record_id in batch] == [
            f"c{number:02}" for number in range(20)
        ]

    def test_operations_follow_each_other_for_a_record(self, acme):
        put(acme, "c1")
        put(acme, "c1", operation="update", firstName="Grace")
        put(acme, "c2")
        runs = Runs()

        drain(supervisor(runs))

        assert [(job.operation, [r["id"] for r in job.records]) for job in runs.jobs] == [
            ("insert", ["c1", "c2"]),
            ("update", ["c1"]),
        ]
        assert runs.jobs[1].olds[0]["first_name"] == "Ada"
        assert runs.jobs[1].records[0]["first_name"] == "Grace"
        assert runs.jobs[1].old_known == [True]

    def test_the_smallest_batch_size_of_the_triggers_holds(self, acme):
        for _ in range(5):
            put(acme)
        runs = Runs()

        drain(supervisor(runs, spec("A.a", batch_size=2), spec("B.b", batch_size=200)))

        assert [len(batch) for batch in runs.batches] == [2, 2, 2, 2, 1, 1]

    def test_no_batch_is_larger_than_200(self, acme):
        for _ in range(230):
            put(acme)
        runs = Runs()

        drain(supervisor(runs))

        assert [len(batch) for batch in runs.batches] == [200, 30]


class TestWithoutATrigger:
    def test_what_no_trigger_wants_is_applied_and_skipped(self, acme):
        put(acme, "c1")
        runs = Runs()

        drain(supervisor(runs, spec("T.t", "delete")))

        (event,) = events(acme)["c1"]
        assert (event.status, event.reason, event.lane_id is not None) == ("skipped", "no-trigger", True)
        assert mirror(acme, "c1")["first_name"] == "Ada"
        assert runs.jobs == []
        assert executions() == []

    def test_an_echo_of_our_own_write_runs_nothing(self, acme):
        put(acme, "c1")
        engine = supervisor(Runs(scoring))
        drain(engine)
        put(acme, "c1", operation="update")

        drain(engine)

        assert [(event.status, event.reason) for event in events(acme)["c1"]] == [
            ("succeeded", ""),
            ("skipped", "echo"),
        ]

    def test_what_is_older_than_what_we_hold_runs_nothing(self, acme):
        now = datetime.now(UTC)
        put(acme, "c1", operation="update", occurred_at=now, firstName="New")
        put(acme, "c1", operation="update", occurred_at=now - timedelta(hours=1), firstName="Old")
        runs = Runs()

        drain(supervisor(runs))

        assert [(event.status, event.reason) for event in events(acme)["c1"]] == [
            ("succeeded", ""),
            ("skipped", "stale"),
        ]
        assert mirror(acme, "c1")["first_name"] == "New"

    def test_an_insert_that_was_overtaken_runs_with_the_newest_data(self, acme):
        now = datetime.now(UTC)
        put(acme, "c1", operation="update", occurred_at=now, firstName="New")
        put(acme, "c1", occurred_at=now - timedelta(hours=1), firstName="Old")
        runs = Runs()

        drain(supervisor(runs, spec("T.t", "insert")))

        assert runs.jobs[0].records[0]["first_name"] == "New"
        assert statuses(acme) == {"c1": ["skipped", "succeeded"]}

    def test_an_overtaken_event_that_is_tried_again_sees_the_same(self, acme):
        now = datetime.now(UTC)
        put(acme, "c1", operation="update", occurred_at=now, firstName="New")
        put(acme, "c1", occurred_at=now - timedelta(hours=1), firstName="Old")
        runs = Runs(lambda job: RunResult(error=RunError(code="x", is_retryable=True)))
        engine = supervisor(runs, spec("T.t", "insert"))
        drain(engine)
        with every_tenant():
            Execution.objects.update(next_attempt_at=now)

        drain(engine)

        assert runs.jobs[1].records == runs.jobs[0].records


class TestMisfits:
    def test_a_body_that_does_not_fit_is_quarantined_and_stops_nobody(self, acme):
        put(acme, "good")
        put(acme, "bad", email=["not", "an", "address"])
        runs = Runs()

        drain(supervisor(runs))

        assert statuses(acme) == {"good": ["succeeded"], "bad": ["quarantined"]}
        (bad,) = events(acme)["bad"]
        assert bad.reason == bad.error["code"] == "triggers.misfit"
        assert bad.error["fields"][0]["field"] == "email"
        assert runs.batches == [["good"]]

    def test_a_body_that_cannot_be_opened_is_quarantined(self, acme):
        event = put(acme, "c1")
        with every_tenant():
            LiveEvent.objects.filter(pk=event.pk).update(body=b"no sealed bytes")

        drain(supervisor())

        (event,) = events(acme)["c1"]
        assert (event.status, event.reason) == ("quarantined", "tenants.undecryptable")

    @pytest.mark.filterwarnings("ignore")
    def test_a_fault_of_ours_quarantines_the_event_and_is_logged(self, acme, caplog):
        put_raw(acme, b"not even JSON", record_id="c1")
        put(acme, "c2")

        drain(supervisor())

        assert statuses(acme) == {"c1": ["quarantined"], "c2": ["succeeded"]}

    def test_a_value_the_database_cannot_hold_costs_one_event_only(self, acme, monkeypatch):
        from triggers import claim

        apply_incoming = claim.apply_incoming

        def refusing(cursor: Any, *, changes: Any, **options: Any) -> Any:
            if any(change.record_id == "c20" for change in changes):
                cursor.execute("SELECT 'x'::varchar(1) || 1/0")
            return apply_incoming(cursor, changes=changes, **options)

        monkeypatch.setattr(claim, "apply_incoming", refusing)
        for number in range(30):
            put(acme, f"c{number}")

        drain(supervisor())

        found = statuses(acme)
        assert [record for record, said in found.items() if said != ["succeeded"]] == ["c20"]
        (event,) = events(acme)["c20"]
        assert (event.status, event.reason) == ("quarantined", "triggers.unstorable")

    def test_a_nul_harms_nobody(self, acme):
        put(acme, "c1", city="nul \u0000 inside")

        drain(supervisor())

        assert statuses(acme)["c1"] in (["succeeded"], ["quarantined"])


class TestTwoTenants:
    def test_the_same_record_ids_never_meet(self, acme, globex):
        for number in range(3):
            put(acme, f"c{number}", firstName="Acme")
            put(globex, f"c{number}", firstName="Globex")
        runs = Runs(scoring)

        drain(supervisor(runs))

        assert len(runs.jobs) == 2
        for job in runs.jobs:
            assert {record["first_name"] for record in job.records} == {job.tenant["name"]}
        assert mirror(acme, "c1")["first_name"] == "Acme"
        assert mirror(globex, "c1")["first_name"] == "Globex"
        assert {execution.tenant_id for execution in executions(acme)} == {acme.pk}


class TestConfiguration:
    def test_a_trigger_switched_off_for_a_tenant_does_not_run_for_it(self, acme, globex):
        TriggerConfig.objects.create(tenant=acme, trigger="T.score", is_enabled=False)
        put(acme, "c1")
        put(globex, "c1")
        runs = Runs()

        drain(supervisor(runs))

        assert [job.tenant["slug"] for job in runs.jobs] == ["globex"]
        assert statuses(acme) == {"c1": ["skipped"]}

    def test_a_tenants_own_row_goes_before_the_one_for_all(self, acme, globex):
        TriggerConfig.objects.create(tenant=None, trigger="T.score", is_enabled=False)
        TriggerConfig.objects.create(tenant=acme, trigger="T.score", settings={"floor": 3})
        put(acme, "c1")
        put(globex, "c1")
        runs = Runs()

        drain(supervisor(runs))

        assert [(job.tenant["slug"], job.settings) for job in runs.jobs] == [("acme", {"floor": 3})]

    def test_the_order_can_be_turned(self, acme):
        TriggerConfig.objects.create(tenant=acme, trigger="B.b", order=-1)
        put(acme, "c1")
        runs = Runs()

        drain(supervisor(runs, spec("A.a"), spec("B.b")))

        assert [job.spec.name for job in runs.jobs] == ["B.b", "A.a"]
