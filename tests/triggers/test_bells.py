"""Bells: one outstanding a lane, never in anybody's way, rung later when Valkey was away."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from triggers import bells
from triggers.bells import Ringer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from redis import Redis

QUEUE = settings.CELERY_TASK_DEFAULT_QUEUE


def until(truth: Callable[[], Any]) -> None:
    """Wait for the ringer's thread."""
    deadline = time.monotonic() + 20
    while not truth():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def ringer() -> Iterator[Ringer]:
    one = Ringer()
    yield one
    one.close()


def sent(valkey: Redis) -> list[Any]:
    """The lanes that messages in Celery's queue name."""
    lanes = []
    for message in valkey.lrange(QUEUE, 0, -1):
        document = json.loads(message)
        assert document["headers"]["task"] == bells.TASK
        lanes.append(document["headers"]["kwargsrepr"])
    return sorted(lanes)


class TestRinger:
    def test_a_lane_gets_one_bell_however_often_it_rings(self, ringer: Ringer, valkey: Redis) -> None:
        for _ in range(50):
            ringer.ring([7])
        until(lambda: sent(valkey))
        ringer.ring([7, 8])
        until(lambda: len(sent(valkey)) == 2)

        assert sent(valkey) == ["{'lane_id': 7}", "{'lane_id': 8}"]

    def test_a_bell_that_was_heard_may_ring_again(self, ringer: Ringer, valkey: Redis) -> None:
        ringer.ring([7])
        until(lambda: sent(valkey))

        bells.heard(7)
        ringer.ring([7])

        until(lambda: len(sent(valkey)) == 2)

    def test_a_bell_nobody_hears_ends_by_itself(self, ringer: Ringer, valkey: Redis) -> None:
        ringer.ring([7])
        until(lambda: sent(valkey))

        assert 0 < valkey.pttl("circuitos:bell:7") <= bells.OUTSTANDING_MS

    def test_with_valkey_away_nobody_waits_and_the_lanes_are_rung_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bells, "AFTER_FAILURE_S", 0.01)
        is_away = threading.Event()
        is_away.set()
        rung: list[int] = []

        def send(lanes: Sequence[int]) -> None:
            if is_away.is_set():
                raise ConnectionError("Valkey is away")
            rung.extend(lanes)

        one = Ringer(send)
        one.ring([1])
        until(lambda: one.failures >= 2)
        one.ring([2])
        is_away.clear()

        until(lambda: sorted(rung) == [1, 2])
        one.close()


class TestRing:
    def test_nothing_to_ring_starts_nothing(self) -> None:
        before = bells._started

        bells.ring([])

        assert bells._started is before
