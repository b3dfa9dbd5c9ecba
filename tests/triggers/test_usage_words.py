"""What the usage page says: times where the tenant is, and where its meters go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governor.allowances import UNLIMITED
from governor.choices import Period
from governor.forecast import Forecast
from triggers import usage_words
from triggers.parked_estimate import Estimate
from triggers.quota_report import Meter, Parked
from triggers.usage_chart import chart
from triggers.usage_report import Sums

AT = datetime(2026, 5, 4, 20, tzinfo=UTC)  # 14:00 in Denver
SAID = {"timezone": "America/Denver", "at": AT}


def meter(used, *, allowed=100, expected=90, exhausted_at=None, resource="executions", sure=True):
    return Meter(resource, used, 0, allowed, Forecast(expected, exhausted_at) if sure else None)


@pytest.mark.parametrize(
    ("hours", "said"),
    [(2.5, "16:30"), (12, "Tue 5 May, 02:00"), (24 * 300, "Sun 28 Feb 2027, 13:00")],
)
def test_moments_are_where_the_tenant_is(hours, said):
    assert usage_words.moment(AT + timedelta(hours=hours), **SAID) == said


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0, "0 min"), (59.9, "59 min"), (60, "1 h"), (312, "5 h 12 min"), (47 * 60, "47 h"), (8_650, "6 days")],
)
def test_spans_are_short(minutes, said):
    assert usage_words.span(timedelta(minutes=minutes)) == said


@pytest.mark.parametrize(
    ("shown", "period", "said"),
    [
        (
            meter(60, exhausted_at=AT + timedelta(hours=2)),
            Period.DAY,
            "At this pace the day's executions are used up at 16:00.",
        ),
        (
            meter(60, exhausted_at=AT + timedelta(days=2), resource="api_calls"),
            Period.MONTH,
            "At this pace the month's API calls are used up on Wed 6 May.",
        ),
        (meter(60), Period.DAY, "At this pace 90 by the end of the day."),
        (meter(0, expected=0), Period.DAY, ""),
        (meter(60, sure=False), Period.DAY, ""),
        (meter(60, allowed=UNLIMITED), Period.DAY, ""),
        (meter(100), Period.DAY, "New events wait in order; none is lost."),
        (
            meter(100, resource="ai_tokens"),
            Period.DAY,
            "Executions that need more of it wait in order; none is lost.",
        ),
    ],
)
def test_the_outlook_is_a_sentence(shown, period, said):
    assert usage_words.outlook(shown, period, **SAID) == said


class TestWaiting:
    def parked(self, until):
        return Parked("All are used.", AT - timedelta(hours=1), until, 30, (), Estimate(0, 0, (), None))

    def test_says_when_it_runs(self):
        said = usage_words.waiting(self.parked(AT + timedelta(hours=10)), **SAID)

        assert said == (
            "Since 13:00: All are used. They run in order from Tue 5 May, 00:00, or at once after an upgrade."
        )

    @pytest.mark.parametrize("until", [None, AT - timedelta(minutes=1)])
    def test_past_its_reset_it_runs_now(self, until):
        assert usage_words.waiting(self.parked(until), **SAID).endswith("They run within a minute, in order.")

    @pytest.mark.parametrize(
        ("found", "said"),
        [
            (Estimate(0, 0, (), AT), ""),
            (Estimate(9, 9, (), None), "That is 9 executions, more than this quota lets run within a year."),
            (
                Estimate(1, 1, (), AT),
                "That is 1 execution. With 5 executions a day all have run by 14:01, if nothing else comes.",
            ),
        ],
    )
    def test_says_when_all_has_run(self, found, said):
        assert usage_words.drained(found, a_day="5 executions", **SAID) == said


class TestChart:
    def days(self, *used):
        return {datetime(2026, 5, 1 + n, tzinfo=UTC).date(): Sums(each) for n, each in enumerate(used)}

    def test_the_highest_bar_is_as_high_as_the_drawing(self):
        drawn = chart(self.days(5, 0, 10), allowed=UNLIMITED)

        assert [(bar.y, bar.height) for bar in drawn.bars] == [(50.0, 50.0), (100.0, 0.0), (0.0, 100.0)]
        assert drawn.line is None
        assert drawn.sentence == "15 executions in 3 days, at most 10 a day."

    @pytest.mark.parametrize(("allowed", "line"), [(20, 0.0), (5, 50.0), (21, None), (0, None)])
    def test_the_quota_is_a_line_where_it_is_in_sight(self, allowed, line):
        assert chart(self.days(10), allowed=allowed).line == line

    def test_nothing_used_is_a_flat_drawing(self):
        drawn = chart(self.days(0, 0), allowed=100)

        assert [bar.height for bar in drawn.bars] == [0.0, 0.0]
        assert drawn.line is None
