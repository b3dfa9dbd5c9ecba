"""Signs of life in Redis: written by worker and beat as they work, gone soon after they die."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import Any

import redis
from celery import signals
from redis.backoff import NoBackoff
from redis.retry import Retry

from circuitos.env import env

logger = logging.getLogger(__name__)

KEYS = {part: f"circuitos:heartbeat:{part}" for part in ("worker", "beat", "jail")}
ALIVE_SECONDS = 90  # a sign's life; the beat calls the worker far more often
EVERY_SECONDS = 5.0
REDIS_TIMEOUT = 0.5


def sign(part: str, value: str = "ok") -> None:
    """Leave a sign of life, at most every few seconds. Redis may be away: then there is none to see."""
    at = time.monotonic()
    if at - _Last.signed.get((part, value), -EVERY_SECONDS) < EVERY_SECONDS:
        return
    _Last.signed[part, value] = at
    try:
        client().set(KEYS[part], value, ex=ALIVE_SECONDS)
    except redis.RedisError as error:
        logger.debug("No sign of life left: %s", error)


def read() -> dict[str, Any]:
    """The signs that stand: one round trip. Raises ``redis.RedisError``."""
    return dict(zip(KEYS, client().mget(list(KEYS.values())), strict=True))


def is_well() -> bool:
    """Whether Redis answers, and every part left a good sign lately."""
    try:
        return all(value == b"ok" for value in read().values())
    except redis.RedisError:
        return False


@cache
def client() -> redis.Redis:
    return connect(env().redis_url or "redis://127.0.0.1:6379/0")


def connect(url: str) -> redis.Redis:
    """A client that gives up soon: by default redis-py tries a dead server for five seconds."""
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )


class _Last:
    """When this process last signed, and whether it is the beat."""

    signed: dict[tuple[str, str], float] = {}
    is_beat = False


@signals.beat_init.connect
def _this_is_the_beat(**_: Any) -> None:
    _Last.is_beat = True
    sign("beat")


@signals.before_task_publish.connect
def _beat_lives(**_: Any) -> None:
    if _Last.is_beat:
        sign("beat")


@signals.task_prerun.connect
def _worker_lives(**_: Any) -> None:
    sign("worker")
