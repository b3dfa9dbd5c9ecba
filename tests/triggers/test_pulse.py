"""The pulse: sums of five minutes, percentiles from them, and the charts of a day and a week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tenants.scope import every_tenant
from tests.rows import make_event, make_execution
from triggers import pulse, pulse_charts
from triggers.models import Execution, Pulse

AT = datetime(2026, 3, 2, 12, 3, 30, tzinfo=UTC)


class TestPercentile:
    def test_of_nothing_is_none(self):
        assert pulse.percentile([], 0.95) is None
        assert pulse.percentile([0] * pulse.STEPS, 0.95) is None

    def test_is_within_a_step(self):
        histogram = [0] * pulse.STEPS
        histogram[30] = 100

        found = pulse.percentile(histogram, 0.5)

        assert found == pytest.approx(pulse.LONGEST_MS ** (29.5 / (pulse.STEPS - 1)), rel=0.05)

    def test_merged_skips_the_empty(self):
        assert pulse.merged([[1, 2], [], [3, 4]]) == [4, 6]
        assert pulse.merged([[]]) == []


def begun(tenant, at: datetime, **fields):
    made = make_execution(tenant, **fields)
    Execution.objects.filter(pk=made.pk).update(created_at=at)
    return made


@pytest.mark.django_db
class TestTaking:
    @pytest.fixture(autouse=True)
    def every(self):
        with every_tenant():
            yield

    def test_sums_up_all_tenants_by_five_minutes(self, acme, globex):
        begun(acme, AT - timedelta(minutes=8), wall_ms=100, ok=3)
        begun(globex, AT - timedelta(minutes=1), wall_ms=4_000, status="failed", ok=0)
        begun(acme, AT - timedelta(minutes=2), wall_ms=200, ok=2)

        pulse.take(at=AT, is_well=True)

        first, last = pulse.read(since=AT - timedelta(hours=1), until=AT)
        assert (first.at.minute, first.executions, first.failed, first.records) == (55, 1, 0, 3)
        assert (last.at.minute, last.executions, last.failed, last.records) == (0, 2, 1, 2)
        assert pulse.percentile(first.ran, 0.95) == pytest.approx(100, rel=0.25)
        assert pulse.percentile(last.ran, 0.95) == pytest.approx(4_000, rel=0.25)

    def test_tells_the_way_from_webhook_to_result(self, acme):
        event = make_event(acme, received_at=AT - timedelta(minutes=3))
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH gone AS (DELETE FROM triggers_liveevent WHERE id = %s RETURNING *)"
                " INSERT INTO triggers_event_past SELECT * FROM gone",
                [event.pk],
            )
        began = AT - timedelta(minutes=2)
        begun(acme, began, event_ids=[event.pk], finished_at=event.received_at + timedelta(seconds=90))

        pulse.take(at=AT, is_well=True)

        (beat,) = pulse.read(since=AT - timedelta(minutes=5), until=AT)
        assert pulse.percentile(beat.answered, 0.95) == pytest.approx(90_000, rel=0.25)

    def test_again_it_says_the_same_and_follows_what_ended_since(self, acme):
        made = begun(acme, AT - timedelta(minutes=1), wall_ms=100)
        pulse.take(at=AT, is_well=True)
        Execution.objects.filter(pk=made.pk).update(status="failed")

        pulse.take(at=AT + timedelta(minutes=1), is_well=True)

        (beat,) = pulse.read(since=AT - timedelta(minutes=5), until=AT)
        assert (beat.executions, beat.failed) == (1, 1)

    def test_a_minute_is_well_once_it_was_seen_well(self, acme):
        pulse.take(at=AT, is_well=True)
        pulse.take(at=AT + timedelta(seconds=20), is_well=False)
        pulse.take(at=AT + timedelta(minutes=1), is_well=False)

        (beat,) = pulse.read(since=AT - timedelta(minutes=5), until=AT + timedelta(minutes=5))
        assert (beat.looked, beat.well) == (2, 1)

    def test_catches_up_after_nobody_took_it(self, acme):
        begun(acme, AT - timedelta(hours=3), wall_ms=100)

        pulse.take(at=AT, is_well=True)

        assert sum(beat.executions for beat in pulse.read(since=AT - timedelta(hours=4), until=AT)) == 1

    def test_forgets_what_is_old(self, acme):
        Pulse.objects.create(at=AT - pulse.KEPT - timedelta(minutes=5))

        pulse.take(at=AT, is_well=True)

        assert Pulse.objects.filter(at__lt=AT - pulse.KEPT).count() == 0


@pytest.mark.django_db
class TestCharts:
    def beat(self, at: datetime, *, step: int = 20, **fields) -> None:
        histogram = [0] * pulse.STEPS
        histogram[step] = fields.get("executions", 0)
        Pulse.objects.create(
            **{"at": at, "ran": histogram, "answered": [], "looked": 31, "well": 31, **fields}
        )

    def test_a_day_and_a_week(self):
        now = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
        self.beat(now.replace(second=0) - timedelta(hours=1), executions=10, failed=1)
        self.beat(now.replace(second=0) - timedelta(days=3), executions=30)

        day, week = pulse_charts.charts("24h", at=now), pulse_charts.charts("7d", at=now)

        assert (len(day.bars), day.executions_text, day.errors.text) == (48, "10", "10.00%")
        assert day.errors.tone == "bad"
        assert (len(week.bars), week.executions_text, week.highest_text) == (56, "40", "30")
        assert [bar.height for bar in week.bars if bar.executions] == [100, 33]
        assert week.lines
        assert day.goal_y is None

    def test_shows_the_goal_when_it_is_near(self):
        now = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
        self.beat(now.replace(second=0) - timedelta(hours=1), executions=10, step=50)

        shown = pulse_charts.charts(None, at=now)

        assert shown.goal_y is not None
        assert shown.p95.tone == "bad"

    def test_a_minute_nobody_saw_is_down(self):
        now = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
        self.beat(now - timedelta(minutes=20), looked=31, well=31)
        self.beat(now - timedelta(minutes=5), looked=31, well=15)

        shown = pulse_charts.charts("24h", at=now)

        assert shown.uptime.text == "45 %"  # 9 of 20 minutes
        assert shown.uptime.tone == "bad"

    def test_of_nothing_says_nothing(self):
        shown = pulse_charts.charts("24h", at=AT)

        assert not shown.has_any
        assert {shown.errors.text, shown.p95.text, shown.answered.text, shown.uptime.text} == {"–"}


@pytest.mark.django_db
def test_the_overview_shows_the_span_that_is_asked_for(console, acme):
    make_execution(acme, wall_ms=120)
    pulse.take(at=timezone.now(), is_well=True)

    page = console.get("/admin/?span=7d").content.decode()

    assert "The last 7 days" in page
    assert "100 %" in page
    assert page.count("<polyline") == 1
