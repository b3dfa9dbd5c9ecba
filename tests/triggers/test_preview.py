"""Previews say what a value would have done: to whom it is for, and bounded in cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from governor import overrides
from governor.calendar import day_of
from governor.models import Usage
from governor.proposal import Proposal
from tenants.scope import every_tenant
from tests.rows import make_execution
from triggers import preview as previews
from triggers.preview import Group, Special, concerned, preview, tell_limit

pytestmark = pytest.mark.django_db


def look(at=None, tenant_id=0, **wanted):
    with connection.cursor() as cursor:
        return preview(cursor, Proposal(**wanted), tenant_id=tenant_id, at=at or now())


def ran(tenant, used, allowed=50, *, times=1, **fields):
    for _ in range(times):
        make_execution(tenant, usage={"api_calls": [used, allowed]}, **fields)


def used(tenant, **amounts):
    with every_tenant():
        Usage.objects.create(tenant=tenant, period="d", starts_on=day_of(now(), tenant.timezone), **amounts)


class TestLimit:
    def test_counts_what_would_have_been_stopped(self, acme, globex):
        ran(acme, 41, times=3)
        ran(globex, 45, times=2)
        ran(globex, 40)
        ran(acme, 51, status="failed", limit_name="api_calls")

        seen = look(name="api_calls", value=40)

        assert seen.sentence == "Over the last 7 days this would have stopped 5 executions of 2 tenants."
        assert seen.more == ("The present limit stopped 1 execution, of which none would have had room.")
        assert (seen.hits, seen.tenants) == (5, 2)

    def test_tells_of_those_a_higher_one_has_room_for(self, acme, globex):
        ran(acme, 51, status="failed", limit_name="api_calls", times=2)
        ran(globex, 3)

        seen = look(name="api_calls", value=80)

        assert seen.sentence == "Over the last 7 days this would have stopped none of 3 executions."
        assert seen.more == (
            "The present limit stopped 2 executions, of which at most 2 would have had room."
        )
        assert seen.hits == 0

    def test_is_for_its_scope_alone(self, acme, globex):
        ran(acme, 45, times=2)
        ran(acme, 45, trigger="Other.one")
        ran(globex, 45)

        def hits(**scope):
            return look(name="api_calls", value=40, **scope).hits

        assert hits() == 4
        assert hits(tier="free") == 3
        assert hits(tenant="acme", tenant_id=acme.pk) == 3
        assert hits(trigger="Other.one") == 1
        assert hits(tenant="globex", tenant_id=globex.pk, trigger="Other.one") == 0
        assert hits(tenant="acme", tenant_id=acme.pk, trigger="Other.one") == 1

    def test_passes_over_those_of_whom_something_else_speaks(self, acme, globex):
        ran(acme, 45)
        ran(globex, 45)
        overrides.put(name="api_calls", value=50, tenant=globex, reason="a sale", actor="op", at=now())

        seen = look(name="api_calls", value=40)

        assert (seen.hits, seen.tenants) == (1, 1)

    def test_passes_over_what_is_older(self, acme, globex):
        ran(acme, 45, at=now() - timedelta(days=8))

        assert (
            look(name="api_calls", value=40).sentence == "Over the last 7 days nothing ran that this is for."
        )

    def test_says_when_there_were_more(self, acme, globex, monkeypatch):
        monkeypatch.setattr(previews, "MOST_EXECUTIONS", 3)
        ran(acme, 45, times=5)

        seen = look(name="api_calls", value=40)

        assert (
            seen.sentence == "Over the newest 3 executions this would have stopped 3 executions of 1 tenant."
        )

    @pytest.mark.parametrize("name", ["wall_ms", "cpu_ms", "memory_mb", "record_queries", "depth"])
    def test_knows_every_limit(self, acme, globex, name):
        usage = {"wall_ms": [300, 1], "cpu_ms": [300, 1], "memory_mb": [300, 1], "record_queries": [300, 1]}
        make_execution(acme, usage=usage, depth=12)

        assert look(name=name, value=10).hits == 1

    def test_log_lines_are_dropped_and_stop_nothing(self, acme, globex):
        make_execution(acme, usage={"log_lines": [30, 100]})

        assert "have dropped lines of 1 execution of 1 tenant" in look(name="log_lines", value=10).sentence


class TestQuota:
    def test_counts_what_would_have_waited(self, acme, globex):
        used(acme, executions=80)
        used(globex, executions=20)

        seen = look(name="executions_per_day", value=50)

        assert seen.sentence == (
            "Over the last 7 days this would have made 30 executions of 1 tenant wait, on 1 day."
        )
        assert (seen.hits, seen.tenants) == (30, 1)

    def test_days_of_several_tenants_are_theirs(self, acme, globex):
        used(acme, executions=80)
        used(globex, executions=60)

        seen = look(name="executions_per_day", value=50)

        assert "made 40 executions of 2 tenants wait, on 2 days of theirs" in seen.sentence

    def test_tells_the_most_when_none_would_have(self, acme, globex):
        used(acme, executions=80)
        used(globex, executions=20)

        seen = look(name="executions_per_day", value=500, tenant="globex", tenant_id=globex.pk)

        assert seen.sentence.endswith("the most that was used in a day is 20 executions.")
        assert seen.hits == 0

    def test_api_calls_of_a_tier(self, acme, globex):
        used(acme, api_calls=80)
        used(globex, api_calls=9_000)

        seen = look(name="api_calls_per_day", value=100, tier="paid")

        assert "1 tenant used 8,900 API calls more than that, on 1 day" in seen.sentence

    def test_says_when_nothing_was_used(self, acme, globex):
        assert "nothing was used" in look(name="executions_per_month", value=1).sentence

    def test_a_share_stops_nothing(self, acme, globex):
        assert look(name="weight", value=2).sentence.startswith("This stops no execution")


class TestPure:
    GROUP = Group(1, "acme", "free", "A.b", 10, 4, 0, 0)

    @pytest.mark.parametrize(
        ("other", "stays"),
        [
            (Special("", 1, ""), False),
            (Special("free", 0, ""), False),
            (Special("paid", 0, ""), True),
            (Special("", 0, "A.b"), False),
            (Special("", 2, "A.b"), True),
            (Special("", 0, ""), True),
        ],
    )
    def test_what_is_more_special_rules(self, other, stays):
        kept = concerned([self.GROUP], [other], Proposal("api_calls", 3), tenant_id=0)

        assert bool(kept) is stays

    def test_sums_up(self):
        seen = tell_limit(
            [self.GROUP, self.GROUP._replace(tenant_id=2)], Proposal("api_calls", 3), is_cut=False
        )

        assert (seen.hits, seen.tenants) == (8, 2)

    def test_a_busy_database_is_told(self, acme, globex, monkeypatch):
        monkeypatch.setattr(previews, "_EXECUTIONS", "SELECT pg_sleep(5) {narrow}")
        monkeypatch.setattr(previews, "_NARROW", {"": ""})
        monkeypatch.setattr(previews, "LONGEST_MS", 20)

        seen = look(name="api_calls", value=3)

        assert (seen.is_known, seen.hits) == (False, 0)
        assert "not known" in seen.sentence
