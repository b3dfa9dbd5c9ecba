"""The jail's findings in Redis, where web reads what the workers tested. Gone soon after the last worker."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import redis

from governor.jail.findings import Findings, from_dict
from triggers import heartbeat

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

KEY = "circuitos:jail"
UNKNOWN: Mapping[str, Any] = {"state": "unknown", "detail": "No worker has told of its jail lately."}


def leave(findings: Findings) -> None:
    """Tell web, each time a worker is woken: so it is there again soon after Redis was wiped."""
    heartbeat.sign("jail", "ok" if findings.state == "ok" else "degraded")
    try:
        heartbeat.client().set(KEY, json.dumps(findings.as_dict()), ex=heartbeat.ALIVE_SECONDS)
    except redis.RedisError as error:
        logger.debug("The jail's findings are not told: %s", error)


def read() -> Findings | None:
    """What the workers last told; None when none did lately, or Redis is away."""
    try:
        told = heartbeat.client().get(KEY)
    except redis.RedisError:
        return None
    try:
        return None if told is None else from_dict(json.loads(told))
    except (ValueError, KeyError, TypeError):
        return None  # of another version
