"""Bulk replay: what was previewed runs, a few at a time, behind live events, and can be cancelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from governor.job import RunError, RunResult
from tenants.models import AuditEvent
from tenants.scope import every_tenant, tenant_scope
from tests.triggers import engine
from tests.triggers.engine import Runs, drain, poisoned_by, put, scoring, spec, supervisor
from triggers import bulk_feed, bulk_replay, registry
from triggers.bulk_preview import preview
from triggers.models import Execution, Replay, ReplayItem
from triggers.registry import Registry

NOW = datetime(2026, 3, 2, tzinfo=UTC)
pytestmark = pytest.mark.django_db
SLOW = "SELECT 1, 1, 1, 1 FROM pg_sleep(5) -- %(ids)s %(most)s"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.setattr(
        registry._Held, "registry", Registry([spec(batch_size=1)], content="0123456789abcdef")
    )


def fail(tenant, count, *, name="c"):
    """So many executions of one record each, that failed."""
    for n in range(count):
        put(tenant, f"{name}{n}")
    runs = Runs(poisoned_by(*(f"{name}{n}" for n in range(count))))
    drain(supervisor(runs, spec(batch_size=1)))
    return runs


def serve(runs):
    """As a worker does: serve, then feed, until nothing is left."""
    worker = supervisor(runs, spec(batch_size=1))
    for _ in range(50):
        drain(worker)
        if not bulk_feed.feed(at=NOW):
            break
    bulk_feed.feed(at=NOW)


def failed():
    return Execution.objects.filter(status="failed")


def start(**options):
    with every_tenant():
        return bulk_replay.start(failed(), filter={"status": "failed"}, actor="operator", at=NOW, **options)


class TestPreview:
    def test_counts_executions_events_records_and_their_cost(self, acme, globex):
        fail(acme, 3)
        fail(globex, 2)

        with every_tenant():
            seen = preview(failed(), mode="live", records="all", at=NOW)

        assert (seen.executions, seen.events, seen.records, seen.tenants) == (5, 5, 5, 2)
        assert [(cost.tenant, cost.executions, cost.executions_left) for cost in seen.costs] == [
            ("acme", 3, 100),
            ("globex", 2, 10_000),
        ]
        assert (seen.gone, seen.succeeded_since, seen.newer_events) == (0, 0, 0)

    def test_sees_the_tenant_in_scope_alone(self, acme, globex):
        fail(acme, 1)
        fail(globex, 2)

        with tenant_scope(acme.pk):
            seen = preview(failed(), mode="live", records="all", at=NOW)

        assert seen.executions == 1

    def test_tells_what_succeeded_since_what_is_newer_and_what_is_gone(self, acme, globex):
        fail(acme, 3)
        put(acme, "c0", operation="update", firstName="New")
        drain(supervisor(Runs(scoring), spec(batch_size=1)))
        put(acme, "c1", operation="update", firstName="Newer")  # waits still
        put(globex, "c2", operation="update")  # of another tenant
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM triggers_event_past WHERE record_id = 'c2'")

        with every_tenant():
            seen = preview(failed(), mode="live", records="all", at=NOW)

        assert (seen.succeeded_since, seen.newer_events, seen.gone) == (1, 2, 1)

    def test_goes_without_the_comparison_that_takes_too_long(self, acme, monkeypatch):
        fail(acme, 1)
        monkeypatch.setattr("triggers.bulk_preview._SINCE", SLOW)
        monkeypatch.setattr("triggers.bulk_preview.LONGEST_CHECK_MS", 20)

        with every_tenant():
            seen = preview(failed(), mode="live", records="all", at=NOW)

        assert (seen.executions, seen.checked, seen.is_checked_whole) == (1, 0, False)

    def test_expects_the_calls_that_a_trigger_usually_makes(self, acme):
        from governor.models import TriggerProfile

        fail(acme, 2)

        with every_tenant():
            TriggerProfile.objects.create(
                tenant=acme, trigger="T.score", n=3, x=30, y=60, xx=400, xy=800, largest_ok=20, updated_at=NOW
            )
            live, recorded = (
                preview(failed(), mode=mode, records="all", at=NOW) for mode in ("live", "recorded")
            )

        assert live.api_calls == 4
        assert (recorded.api_calls, recorded.costs) == (0, ())

    def test_runs_no_event_twice_for_a_split_and_its_halves(self, acme):
        put(acme, "c0")
        put(acme, "c1")
        drain(supervisor(Runs(poisoned_by("c1"))))

        with every_tenant():
            seen = preview(Execution.objects.all(), mode="live", records="all", at=NOW)

        assert (seen.executions, seen.choice.covered, seen.events) == (1, 2, 2)

    def test_leaves_out_what_has_not_ended_and_what_did_not_fail(self, acme):
        fail(acme, 1)
        put(acme, "fine")
        put(acme, "later")
        answers = {"later": RunResult(error=RunError(code="x", is_retryable=True))}
        runs = Runs(lambda job: answers.get(job.records[0]["id"], RunResult()))
        drain(supervisor(runs, spec(batch_size=1)))

        with every_tenant():
            seen = preview(Execution.objects.all(), mode="live", records="failed", at=NOW)

        assert (seen.executions, seen.choice.open, seen.choice.fine) == (1, 1, 1)

    def test_takes_so_many_and_says_that_there_are_more(self, acme, monkeypatch):
        monkeypatch.setattr("triggers.bulk_choose.MOST", 2)
        fail(acme, 3)

        with every_tenant():
            seen = preview(failed(), mode="live", records="all", at=NOW)

        assert (seen.executions, seen.choice.is_cut) == (2, True)


class TestStart:
    def test_replays_all_and_tells_what_became_of_each(self, acme, globex):
        runs = fail(acme, 3)
        fail(globex, 1)
        runs.answer = poisoned_by("c1")

        made = start()
        serve(runs)

        made.refresh_from_db()
        assert (made.status, made.total, made.succeeded, made.failed, made.waiting) == ("done", 4, 3, 1, 0)
        assert made.tenant is None
        with every_tenant():
            items = list(bulk_replay.items_of(made).order_by("pk"))
        assert [bulk_replay.compare(item) for item in items] == [
            "was failed, now succeeded",
            "still failed",
            "was failed, now succeeded",
            "was failed, now succeeded",
        ]
        assert all(item.made.pk != item.original.pk for item in items)
        assert items[0].reason == ""
        assert items[1].reason == "script.raised"
        for item in items:
            execution = Execution._base_manager.get(pk=item.made_id)
            assert (execution.replay_of_id, execution.replay_item.replay_id) == (item.original_id, made.pk)

    def test_is_the_tenants_when_it_is_of_one_alone(self, acme, globex):
        fail(acme, 2)

        made = start()

        assert made.tenant == acme
        with tenant_scope(globex.pk):
            assert not bulk_replay.replays().exists()
        with tenant_scope(acme.pk):
            assert bulk_replay.replay_of(str(made.code)) == made

    def test_is_audited(self, acme):
        fail(acme, 2)

        made = start()

        row = AuditEvent.objects.get(verb="replay.started")
        assert (row.actor, row.target, row.tenant) == ("operator", f"replay {made.code}", acme)
        assert row.data["executions"] == 2

    def test_keeps_no_persons_address(self, acme):
        fail(acme, 1)
        with every_tenant():
            made = bulk_replay.start(failed(), filter={"q": "ada@example.test"}, actor="operator", at=NOW)

        assert "ada@" not in str(made.filter)
        assert "ada@" not in str(AuditEvent.objects.get(verb="replay.started").data)

    def test_runs_what_was_previewed_or_says_that_it_changed(self, acme):
        runs = fail(acme, 2)
        with every_tenant():
            token = preview(failed(), mode="live", records="all", at=NOW).token
        fail(acme, 1, name="new")  # made since: no part of it

        assert start(token=token).total == 2

        Execution._base_manager.filter(record_ids=["c0"]).update(status="succeeded")
        with pytest.raises(bulk_replay.SelectionChanged):
            start(token=token)
        assert runs

    def test_of_many_wants_their_number(self, acme, monkeypatch):
        monkeypatch.setattr(bulk_replay, "CONFIRM_OVER", 2)
        fail(acme, 3)

        for wrong in (None, 2):
            with pytest.raises(bulk_replay.NotConfirmed) as refused:
                start(confirm=wrong)
        assert refused.value.extra == {"executions": 3}
        assert start(confirm=3).total == 3

    def test_refuses_nothing_and_too_many_at_once(self, acme, monkeypatch):
        monkeypatch.setattr(bulk_replay, "MOST_OPEN", 1)
        with pytest.raises(bulk_replay.NothingToReplay):
            start()
        fail(acme, 1)
        start()

        with pytest.raises(bulk_replay.TooManyReplays):
            start()

    def test_a_live_one_counts_and_a_dry_one_does_not(self, acme):
        from governor.models import Charged

        runs = fail(acme, 2)
        runs.answer = lambda job: RunResult(usage={"api_calls": (1, 50)})

        def charged():
            with every_tenant():
                return sum(Charged.objects.values_list("executions", flat=True))

        before = charged()
        start(mode="dry")
        serve(runs)
        assert charged() == before
        start()
        serve(runs)

        assert charged() == before + 2

    def test_says_why_an_execution_cannot_be_replayed(self, acme):
        runs = fail(acme, 2)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM triggers_event_past WHERE record_id = 'c0'")
        runs.answer = scoring

        made = start()
        serve(runs)

        made.refresh_from_db()
        assert (made.status, made.succeeded, made.skipped) == ("done", 1, 1)
        with every_tenant():
            assert "not kept" in made.items.get(status="skipped").reason


class TestFeeding:
    def test_makes_a_few_at_a_time_and_a_live_event_goes_first(self, acme):
        runs = fail(acme, 60)
        runs.answer = scoring
        runs.jobs.clear()
        made = start()

        bulk_feed.feed(at=NOW)

        with every_tenant():
            assert Execution.objects.filter(status="queued").count() == bulk_feed.MOST_RUNNING
        made.refresh_from_db()
        assert (made.status, made.running, made.waiting) == ("running", 20, 40)
        put(acme, "live")
        worker = supervisor(runs, spec(batch_size=1))
        worker.step()
        assert runs.batches[0] == ["live"]
        serve(runs)
        made.refresh_from_db()
        assert (made.status, made.succeeded) == ("done", 60)

    def test_goes_on_where_one_that_died_stopped(self, acme, monkeypatch):
        runs = fail(acme, 5)
        runs.answer = scoring
        made = start()
        real, calls = bulk_feed.replay, []

        def dies(**options):
            calls.append(options)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return real(**options)

        monkeypatch.setattr(bulk_feed, "replay", dies)
        with pytest.raises(KeyboardInterrupt), transaction.atomic():
            bulk_feed.feed(at=NOW)
        with every_tenant():
            assert not Execution.objects.filter(status="queued").exists()  # all of the round, or nothing
        monkeypatch.setattr(bulk_feed, "replay", real)

        serve(runs)

        made.refresh_from_db()
        assert (made.status, made.succeeded) == ("done", 5)
        with every_tenant():
            assert Execution.objects.exclude(replay_of=None).count() == 5

    def test_waits_for_both_halves_of_one_that_is_split(self, acme):
        put(acme, "c0")
        put(acme, "c1")
        drain(supervisor(Runs(poisoned_by("c0", "c1"))))
        with every_tenant():
            made = bulk_replay.start(
                Execution.objects.filter(status="bisected"), filter={}, actor="operator", at=NOW
            )
        bulk_feed.feed(at=NOW)
        drain(supervisor(Runs(poisoned_by("c1"))))

        bulk_feed.feed(at=NOW)

        made.refresh_from_db()
        assert (made.status, made.partial) == ("done", 1)


class TestCancel:
    def test_what_has_not_started_never_will(self, acme):
        runs = fail(acme, 30)
        runs.answer = scoring
        made = start()
        bulk_feed.feed(at=NOW)
        worker = supervisor(runs, spec(batch_size=1))
        worker.step()
        bulk_feed.feed(at=NOW)

        with every_tenant():
            bulk_replay.cancel(made, actor="operator", at=NOW)
        serve(runs)

        made.refresh_from_db()
        assert made.status == "cancelled"
        assert made.finished_at
        assert (made.waiting, made.running) == (0, 0)
        assert made.succeeded + made.cancelled == 30
        assert made.cancelled
        with every_tenant():
            assert not Execution.objects.filter(status="queued").exists()
        assert AuditEvent.objects.filter(verb="replay.cancelled").count() == 1
        with every_tenant(), pytest.raises(bulk_replay.HasEnded):
            bulk_replay.cancel(made, actor="operator", at=NOW)

    def test_what_a_worker_holds_finishes(self, acme):
        runs = fail(acme, 2)
        runs.answer = scoring
        made = start()
        bulk_feed.feed(at=NOW)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE triggers_lane SET lease_until = clock_timestamp() + interval '1 minute'"
                " WHERE kind = 'replay'"
            )

        with every_tenant():
            bulk_replay.cancel(made, actor="operator", at=NOW)

        made.refresh_from_db()
        assert (made.status, made.running, made.finished_at) == ("cancelled", 2, None)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE triggers_lane SET lease_until = NULL")
        serve(runs)
        made.refresh_from_db()
        assert (made.status, made.succeeded) == ("cancelled", 2)
        assert made.finished_at == NOW


@pytest.mark.django_db(transaction=True)
class TestTwoFeeders:
    def test_start_each_item_once(self, acme):
        from threading import Barrier, Thread

        fail(acme, 6)
        made = start()
        bulk_feed_calls = []
        barrier = Barrier(2)
        with every_tenant():
            ReplayItem.objects.filter(replay=made).update(status="waiting", made=None)
            Execution.objects.exclude(replay_of=None).delete()

        def one():
            barrier.wait()
            bulk_feed_calls.append(bulk_feed.feed(at=NOW + timedelta(seconds=1)))
            connection.close()

        feeders = [Thread(target=one) for _ in range(2)]
        for feeder in feeders:
            feeder.start()
        for feeder in feeders:
            feeder.join()

        with every_tenant():
            assert Execution.objects.exclude(replay_of=None).count() == 6
            assert Replay.objects.get().running == 6
        assert sum(bulk_feed_calls) == 6
        assert engine.lane(acme, "replay")
