"""The overview's charts of a day or a week: executions, how long they took, and uptime."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from logs.vocabulary import duration, plural
from triggers import pulse
from triggers.figures import P95_GOAL_MS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from triggers.pulse import Beat

ERROR_RATE_GOAL = 0.001  # the service's goals
UPTIME_GOAL = 0.999
HEIGHT, SLOT = 100, 10  # of a drawing and of one of its bars


@dataclass(frozen=True)
class Span:
    """What a chart shows: so many slots of a length."""

    name: str
    title: str
    slots: int
    slot: timedelta
    slot_text: str

    @property
    def length(self) -> timedelta:
        return self.slots * self.slot


SPANS = {
    "24h": Span("24h", "24 hours", 48, timedelta(minutes=30), "half an hour"),
    "7d": Span("7d", "7 days", 56, timedelta(hours=3), "three hours"),
}


@dataclass(frozen=True)
class Bar:
    """One slot of both charts; ``p95_y`` is None when nothing ended in it."""

    at: datetime
    x: int
    executions: int
    failed: int
    height: int
    failed_height: int
    p95_y: int | None
    p95_text: str

    @property
    def y(self) -> int:
        return HEIGHT - self.height

    @property
    def failed_y(self) -> int:
        return HEIGHT - self.failed_height


@dataclass(frozen=True)
class Goal:
    """A figure against what the service aims at. ``tone``: good, bad, or quiet when nothing is known."""

    text: str
    aim: str
    tone: str


@dataclass(frozen=True)
class Charts:
    """A day or a week: the bars, the line through their p95s in pieces, and the figures against the goals."""

    span: Span
    bars: list[Bar]
    lines: list[str]
    width: int
    highest: int
    highest_text: str
    slowest_text: str
    goal_y: int | None
    executions_text: str
    errors: Goal
    p95: Goal
    answered: Goal
    uptime: Goal
    sentence: str

    @property
    def has_any(self) -> bool:
        return self.highest > 0


def charts(name: str | None, *, at: datetime) -> Charts:
    """The charts of a span, the last day's for any other name: one query."""
    span = SPANS.get(name or "", SPANS["24h"])
    slot = span.slot.total_seconds()
    # The newest slot is the one that is running.
    until = at + timedelta(seconds=slot - at.timestamp() % slot)
    since = until - span.length
    beats = pulse.read(since=since, until=until)
    slots: list[list[Beat]] = [[] for _ in range(span.slots)]
    for beat in beats:
        slots[int((beat.at - since).total_seconds() // slot)].append(beat)
    highest = max((sum(beat.executions for beat in each) for each in slots), default=0)
    times = [pulse.percentile(pulse.merged([beat.ran for beat in each]), 0.95) for each in slots]
    slowest = max((each for each in times if each is not None), default=0.0)
    scale = max(slowest * 1.1, 1.0)
    bars = [
        _bar(since + place * span.slot, place, each, p95, highest=highest, scale=scale)
        for place, (each, p95) in enumerate(zip(slots, times, strict=True))
    ]
    executions = sum(beat.executions for beat in beats)
    failed = sum(beat.failed for beat in beats)
    p95 = pulse.percentile(pulse.merged([beat.ran for beat in beats]), 0.95)
    answered = pulse.percentile(pulse.merged([beat.answered for beat in beats]), 0.95)
    return Charts(
        span=span,
        bars=bars,
        lines=_lines(bars),
        width=span.slots * SLOT,
        highest=highest,
        highest_text=f"{highest:,}",
        slowest_text=duration(slowest),
        goal_y=round(HEIGHT - P95_GOAL_MS / scale * HEIGHT) if scale >= P95_GOAL_MS else None,
        executions_text=f"{executions:,}",
        errors=_rate(failed, executions),
        p95=_time(p95),
        answered=_time(answered),
        uptime=_uptime(beats, at=at),
        sentence=f"{plural(executions, 'execution')} in the last {span.title}, {failed:,} of them failed",
    )


def _bar(
    at: datetime, place: int, beats: Sequence[Beat], p95: float | None, *, highest: int, scale: float
) -> Bar:
    executions = sum(beat.executions for beat in beats)
    failed = sum(beat.failed for beat in beats)
    return Bar(
        at=at,
        x=place * SLOT,
        executions=executions,
        failed=failed,
        # What is there is seen, however little it is beside the highest.
        height=max(2, round(executions / highest * HEIGHT)) if executions else 0,
        failed_height=max(2, round(failed / highest * HEIGHT)) if failed else 0,
        p95_y=None if p95 is None else round(HEIGHT - p95 / scale * HEIGHT),
        p95_text=duration(p95),
    )


def _lines(bars: Sequence[Bar]) -> list[str]:
    """Points of the line, cut where nothing ran; a lone one becomes a dash."""
    pieces: list[list[str]] = [[]]
    for bar in bars:
        if bar.p95_y is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{bar.x + SLOT // 2},{bar.p95_y}")
    lines = []
    for piece in filter(None, pieces):
        if len(piece) == 1:
            x, _, y = piece[0].partition(",")
            lines.append(f"{int(x) - SLOT // 2},{y} {int(x) + SLOT // 2},{y}")
        else:
            lines.append(" ".join(piece))
    return lines


def _rate(failed: int, executions: int) -> Goal:
    aim = f"goal below {ERROR_RATE_GOAL:.1%}"
    if not executions:
        return Goal("–", aim, "quiet")
    rate = failed / executions
    return Goal(f"{rate:.2%}", aim, "bad" if rate >= ERROR_RATE_GOAL else "good")


def _time(milliseconds: float | None) -> Goal:
    aim = f"goal below {P95_GOAL_MS // 1000} s"
    if milliseconds is None:
        return Goal("–", aim, "quiet")
    return Goal(duration(milliseconds), aim, "bad" if milliseconds >= P95_GOAL_MS else "good")


def _uptime(beats: Sequence[Beat], *, at: datetime) -> Goal:
    """Minutes seen well of those since the first look; one that nobody saw counts as down."""
    aim = f"goal {UPTIME_GOAL:.1%}"
    looked = [beat for beat in beats if beat.looked]
    if not looked:
        return Goal("–", aim, "quiet")
    first = looked[0]
    # The first five minutes count as they were seen; the minute that is running is not over.
    rest = max(0, int((at - first.at) / timedelta(minutes=1)) - 5)
    minutes = first.looked + rest
    well = min(minutes, sum(beat.well for beat in looked))
    share = well / minutes
    # Never rounded up to a goal that was missed.
    text = f"{int(share * 100_000) / 1000:g} %"
    return Goal(text, aim, "bad" if share < UPTIME_GOAL else "good")
