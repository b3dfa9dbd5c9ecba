"""A token's requests are counted by the minute; while Redis is away nothing is refused."""

from __future__ import annotations

import time

import pytest
from django.core.cache import cache

from tenants import throttling
from tenants.throttling import PerToken

pytestmark = pytest.mark.django_db
TENANTS = "/api/v1/tenants/"


@pytest.fixture
def few(monkeypatch, valkey, acme, globex):
    """Three requests a minute, in a minute that does not end meanwhile."""
    monkeypatch.setattr(PerToken, "limit", 3)
    monkeypatch.setattr(PerToken, "_away_until", 0.0)
    monkeypatch.setattr(throttling, "time", _Frozen)


class _Frozen:
    monotonic = time.monotonic

    @staticmethod
    def time():
        return 1_800_000_010.0


class TestRate:
    def test_the_one_too_many_is_429_with_the_time_to_wait(self, few, api, acme_token):
        client = api(acme_token)

        answers = [client.get(TENANTS) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        refused = answers[-1]
        assert (refused["X-RateLimit-Limit"], refused["X-RateLimit-Reset"]) == ("3", "50")
        assert refused["Retry-After"] == "50"
        assert refused.json() == {
            "code": "api.rate-limited",
            "detail": "At most 3 requests a minute; go on in 50 seconds.",
        }

    def test_each_token_has_its_own(self, few, api, acme_token, globex_token):
        for _ in range(4):
            api(acme_token).get(TENANTS)

        assert api(globex_token).get(TENANTS)["X-RateLimit-Remaining"] == "2"

    def test_who_has_no_token_is_not_counted(self, few, api):
        answers = [api("cos_wrong").get(TENANTS) for _ in range(5)]

        assert {answer.status_code for answer in answers} == {401}
        assert "X-RateLimit-Limit" not in answers[0]

    def test_a_counter_that_is_gone_begins_anew(self, few, api, acme_token, monkeypatch):
        monkeypatch.setattr(cache, "add", lambda *args, **kwargs: False)

        assert api(acme_token).get(TENANTS)["X-RateLimit-Remaining"] == "2"

    def test_without_redis_all_pass_and_it_is_not_asked_again_at_once(
        self, few, api, acme_token, settings, caplog
    ):
        settings.CACHES = {
            "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
        }

        answers = [api(acme_token).get(TENANTS) for _ in range(5)]

        assert {answer.status_code for answer in answers} == {200}
        assert "X-RateLimit-Limit" not in answers[0]
        assert len([line for line in caplog.records if "not counted" in line.message]) == 1
