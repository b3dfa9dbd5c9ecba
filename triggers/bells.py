"""Bells: tell the workers that a lane has work, never in the way of the answer."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import cache
from typing import TYPE_CHECKING

import redis
from celery import current_app
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

logger = logging.getLogger(__name__)

# A bell nobody heard for so long is rung again by the next event; the beat wakes lanes that get none.
OUTSTANDING_MS = 10_000
MAX_WAITING = 10_000
BETWEEN_S, AFTER_FAILURE_S = 0.02, 1.0
# A lane under load is served as long as events come: a bell more often only finds it leased.
SAME_LANE_S = 0.1
TASK = "triggers.tasks.serve_lanes"


class Ringer:
    """One thread rings for all. With Valkey away it tries again each second; the lanes keep the work."""

    def __init__(self, send: Callable[[Sequence[int]], None] | None = None) -> None:
        self.failures = 0
        self._send = send or _ring
        self._lanes: set[int] = set()
        self._wake = threading.Condition()
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="bells", daemon=True)
        self._thread.start()

    def ring(self, lane_ids: Iterable[int]) -> None:
        with self._wake:
            if len(self._lanes) < MAX_WAITING:
                self._lanes.update(lane_ids)
            self._wake.notify()

    def close(self) -> None:
        with self._wake:
            self._is_stopping = True
            self._wake.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        rung: dict[int, float] = {}  # when, of the lanes rung for a moment ago
        while not self._is_stopping:
            with self._wake:
                while not self._lanes and not self._is_stopping:
                    self._wake.wait()
                now = time.monotonic()
                rung = {lane: at for lane, at in rung.items() if now - at < SAME_LANE_S}
                lanes = self._lanes - rung.keys()
                self._lanes -= lanes  # the others stay until it is their time
            rung |= dict.fromkeys(lanes, now)
            pause = BETWEEN_S
            try:
                if lanes:
                    self._send(sorted(lanes))
            except Exception as error:
                # Whatever it is: the events are stored, and nobody waits for a bell.
                self.failures += 1
                if self.failures.bit_count() == 1:
                    logger.warning("Bells could not be rung, %d times so far: %s", self.failures, error)
                self.ring(lanes)
                pause = AFTER_FAILURE_S
            # Under load a flush follows each few milliseconds; a lane needs no bell for each.
            time.sleep(pause)


def ring(lane_ids: Iterable[int]) -> None:
    """Ring for these lanes soon. Never blocks, never raises."""
    lanes = set(lane_ids)
    if lanes:
        ringer().ring(lanes)


def heard(lane_id: int) -> None:
    """A worker answers: the lane's next event may ring again."""
    try:
        _valkey().delete(_key(lane_id))
    except redis.RedisError as error:
        logger.debug("A bell stays outstanding until it ends by itself: %s", error)


def _ring(lane_ids: Sequence[int]) -> None:
    valkey = _valkey()
    with valkey.pipeline(transaction=False) as pipeline:
        for lane_id in lane_ids:
            # At most one outstanding bell a lane, however many events come.
            pipeline.set(_key(lane_id), b"1", nx=True, px=OUTSTANDING_MS)
        is_ours = pipeline.execute()
    ours = [lane_id for lane_id, was_set in zip(lane_ids, is_ours, strict=True) if was_set]
    try:
        for lane_id in ours:
            # By name: the web process has no use for the worker's modules.
            current_app.send_task(TASK, kwargs={"lane_id": lane_id}, retry=False)
    except Exception:
        # A bell that never left is not outstanding.
        valkey.delete(*map(_key, ours))
        raise


def _key(lane_id: int) -> str:
    return f"circuitos:bell:{lane_id}"


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=0.5, retry_on_timeout=False
    )


_started: Ringer | None = None
_start = threading.Lock()


def ringer() -> Ringer:
    """The process's ringer, started on first use: a thread does not survive a fork."""
    global _started  # noqa: PLW0603  # one for the process
    if _started is None:
        with _start:
            if _started is None:
                _started = Ringer()
    return _started


def _forget() -> None:
    global _started, _start
    _started, _start = None, threading.Lock()
    _valkey.cache_clear()


os.register_at_fork(after_in_child=_forget)
