"""Estimates of what waits: never more a day than the quota lets, and all of it in the end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governor.calendar import day_of, starts_at
from governor.quotas import Counters, Quota
from tests.rows import make_event, make_execution
from tests.triggers.spending import park
from triggers import parked_estimate
from triggers.parked_estimate import Need, Run, Typical, Waiting, estimate, need

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 5, 5, tzinfo=UTC)


def drained(executions, *, calls=0.0, wall_ms=0.0, quota=None, **more):
    return estimate(
        Need(executions, executions, calls, wall_ms),
        quota=quota or Quota(executions_per_day=100),
        **{
            "day": Counters(),
            "month": Counters(),
            "lanes": 4,
            "timezone": "UTC",
            "begins_at": MIDNIGHT,
            "at": AT,
            **more,
        },
    )


class TestEstimate:
    def test_runs_a_days_quota_each_day(self):
        found = drained(250, wall_ms=250 * 48_000, lanes=4)

        assert found.runs == (
            Run(date(2026, 5, 5), 100),
            Run(date(2026, 5, 6), 100),
            Run(date(2026, 5, 7), 50),
        )
        assert found.done_at == datetime(2026, 5, 7, 0, 10, tzinfo=UTC)

    def test_what_is_left_of_today_runs_at_once(self):
        found = drained(50, day=Counters(executions=70), month=Counters(executions=70), begins_at=AT)

        assert [run.executions for run in found.runs] == [30, 20]

    def test_minds_the_months_quota(self):
        quota = Quota(executions_per_day=100, executions_per_month=150)

        found = drained(200, quota=quota, month=Counters(executions=60))

        assert found.runs == (
            Run(date(2026, 5, 5), 90),
            Run(date(2026, 6, 1), 100),
            Run(date(2026, 6, 2), 10),
        )

    def test_minds_the_calls_that_executions_lately_made(self):
        quota = Quota(executions_per_day=100, api_calls_per_day=50)

        assert [run.executions for run in drained(25, calls=125.0, quota=quota).runs] == [10, 10, 5]

    def test_without_quota_it_never_ends(self):
        found = drained(1, quota=Quota(executions_per_day=0))

        assert (found.runs, found.done_at) == ((), None)

    def test_of_nothing_is_nothing(self):
        assert drained(0).runs == ()

    @pytest.mark.parametrize(("on", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25)])
    def test_days_of_23_and_25_hours_begin_at_the_tenants_midnight(self, on, hours):
        begins = starts_at(on, "America/Denver")

        found = drained(150, begins_at=begins, at=begins - timedelta(hours=1), timezone="America/Denver")

        assert [run.on for run in found.runs] == [on, on + timedelta(days=1)]
        assert found.done_at == begins + timedelta(hours=hours)

    @given(
        st.tuples(st.integers(0, 5_000), st.integers(0, 300), st.integers(0, 2_000), st.integers(0, 400)),
        st.sampled_from(["UTC", "America/Denver", "Asia/Kathmandu", "Pacific/Apia"]),
        st.floats(0, 50_000),
    )
    def test_never_exceeds_a_days_quota_and_leaves_nothing(self, amounts, zone, calls):
        executions, a_day, a_month, used = amounts
        quota = Quota(executions_per_day=a_day, executions_per_month=a_month)
        counted = {"day": Counters(executions=used), "month": Counters(executions=used)}

        found = drained(executions, quota=quota, timezone=zone, begins_at=AT, calls=calls, **counted)

        today = day_of(AT, zone)
        assert all(0 < run.executions <= a_day - (used if run.on == today else 0) for run in found.runs)
        assert [run.on for run in found.runs] == sorted({run.on for run in found.runs})
        total = sum(run.executions for run in found.runs)
        assert total == executions if found.done_at else total < executions


class TestNeed:
    def test_is_as_batches_lately_were(self):
        groups = [Waiting("Contact", "insert", 401, AT), Waiting("Note", "insert", 5, AT)]
        went = {("Contact", "insert"): Typical(triggers=2, batch=100.0, calls=3.0, wall_ms=500.0)}

        found = need(groups, went)

        assert (found.executions, found.at_best) == (2 * 5 + 5, 2 * 3 + 1)
        assert (found.calls, found.wall_ms) == (30.0, 5_000.0)


@pytest.mark.django_db
class TestWaiting:
    def test_counts_the_tenants_own_parked_events(self, acme, globex):
        lane = park(acme, events=3)
        make_event(acme, lane=lane, operation="update")
        make_event(acme, lane=lane, status="running")
        make_event(acme)  # its lane is not parked
        park(globex, events=9)

        found = parked_estimate.waiting(acme.pk)

        assert [(group.object, group.operation, group.events) for group in found] == [
            ("Contact", "insert", 3),
            ("Contact", "update", 1),
        ]
        assert not any(group.is_cut for group in found)

    def test_counts_so_many_and_says_when_there_are_more(self, acme, globex, monkeypatch):
        monkeypatch.setattr(parked_estimate, "MOST_COUNTED", 4)
        park(acme, events=6)
        park(globex, events=2)

        (found,) = parked_estimate.waiting(acme.pk)

        assert (found.events, found.is_cut) == (4, True)
        assert not parked_estimate.waiting(globex.pk)[0].is_cut

    def test_the_first_in_line_stand_first(self, acme, globex):
        lane = park(acme, events=3)
        last = make_event(acme, lane=lane)
        park(globex, events=1)

        found = parked_estimate.first_in_line(acme.pk, most=10)

        assert len(found) == 4
        assert found[-1][2] == last.record_id
        assert parked_estimate.first_in_line(acme.pk, most=2) == found[:2]

    def test_typical_is_of_live_whole_executions_of_the_last_week(self, acme, globex):
        now = datetime.now(UTC)
        whole = make_execution(acme, size=100, wall_ms=1_000, usage={"api_calls": [4, 50]})
        make_execution(acme, size=50, wall_ms=500, usage={}, trigger="Other.one")
        make_execution(acme, size=1, parent=whole)
        make_execution(acme, size=1, mode="dry")
        make_execution(acme, size=1, at=now - timedelta(days=8))
        make_execution(globex, size=7)

        found = parked_estimate.typical(acme.pk, at=now)

        assert found == {("Contact", "insert"): Typical(triggers=2, batch=75.0, calls=4.0, wall_ms=750.0)}
