"""How many requests a token may make in a minute; counted in Redis, and not at all while Redis is away."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import redis
from django.core.cache import cache
from rest_framework.throttling import BaseThrottle

from tenants.errors import CodedError
from tenants.models import ApiKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

PER_MINUTE = 600
WINDOW = 60  # seconds
AWAY = 5.0  # seconds in which a Redis that did not answer is not asked again


class RateLimited(CodedError):
    """The token made too many requests in this minute."""

    code = "api.rate-limited"
    status = 429


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a token stands in its minute."""

    limit: int
    used: int
    seconds_left: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(self.seconds_left),
        }


class PerToken(BaseThrottle):
    """Refuses a token's requests beyond ``PER_MINUTE``, until the minute of the clock ends."""

    limit = PER_MINUTE
    _away_until = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey) or time.monotonic() < PerToken._away_until:
            return True
        minute, second = divmod(int(time.time()), WINDOW)
        try:
            used = _count(f"rate:{key.code}:{minute}")
        except (redis.RedisError, OSError) as error:
            PerToken._away_until = time.monotonic() + AWAY
            logger.warning("Requests are not counted, Redis does not answer: %s", type(error).__name__)
            return True
        rate = Rate(self.limit, used, WINDOW - second)
        request._request.rate = rate  # type: ignore[attr-defined]  # noqa: SLF001  # for RateHeaders
        if used > self.limit:
            raise RateLimited(
                f"At most {self.limit} requests a minute; go on in {rate.seconds_left} seconds.",
                headers={"Retry-After": str(rate.seconds_left)},
            )
        return True


class RateHeaders:
    """Tells each counted request how many are left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        rate: Rate | None = getattr(request, "rate", None)
        for name, value in rate.headers.items() if rate else ():
            response.headers[name] = value
        return response


def _count(name: str) -> int:
    """Count one more. The first of a minute makes the counter; it goes away by itself."""
    if cache.add(name, 1, timeout=2 * WINDOW):
        return 1
    try:
        return int(cache.incr(name))
    except ValueError:  # somebody emptied the cache between the two
        return 1
