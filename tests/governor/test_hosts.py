"""A host's circuit opens, is probed by one, and closes; all workers know it, for each tenant apart."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from governor import hosts
from governor.models import HostState
from tenants.scope import every_tenant

HOST = "api.example.com:443"


@pytest.fixture(autouse=True)
def fresh():
    hosts.forget()


def fail(tenant, times=1, *, host=HOST, is_probe=False):
    for _ in range(times):
        found = hosts.failed(tenant.pk, host, problem="It answered 500.", is_probe=is_probe)
    return found


def row(tenant):
    with every_tenant():
        return HostState.objects.get(tenant=tenant)


def past(tenant, **seconds):
    with every_tenant():
        HostState.objects.filter(tenant=tenant).update(
            **{name: datetime.now(UTC) - timedelta(seconds=ago) for name, ago in seconds.items()}
        )
    hosts.forget()


@pytest.mark.django_db
class TestCircuit:
    def test_opens_at_the_fifth_failure_in_a_row(self, acme, globex):
        assert fail(acme, hosts.THRESHOLD - 1).is_closed
        assert fail(globex).is_closed
        opened = fail(acme)

        assert opened.state == "open"
        assert hosts.FIRST_DELAY * 0.7 < opened.probe_in < hosts.FIRST_DELAY * 1.3
        assert not hosts.known(acme.pk, HOST).is_closed
        assert hosts.known(globex.pk, HOST).is_closed
        assert hosts.known(acme.pk, "other.example.com:443").is_closed
        assert row(acme).last_problem == "It answered 500."

    def test_begins_anew_after_a_quiet_while(self, acme):
        fail(acme, 4)
        past(acme, last_at=hosts.WINDOW_SECONDS + 1)

        assert fail(acme).failures == 1

    def test_is_not_moved_by_those_still_on_their_way(self, acme):
        fail(acme, 5)
        before = row(acme)

        fail(acme, 3)

        assert (row(acme).probe_at, row(acme).openings) == (before.probe_at, 1)

    def test_waits_longer_each_time_the_probe_fails(self, acme):
        fail(acme, 5)
        waits = []
        for _ in range(8):
            past(acme, probe_at=1)
            assert hosts.claim_probe(acme.pk, HOST)
            waits.append(fail(acme, is_probe=True).probe_in)

        assert 10 * 0.7 < waits[0] < 10 * 1.3
        assert waits[0] < waits[1] < waits[2]
        assert hosts.LONGEST_DELAY * 0.7 < waits[-1] < hosts.LONGEST_DELAY * 1.3

    def test_closes_when_a_request_is_answered(self, acme):
        fail(acme, 5)

        assert hosts.succeeded(acme.pk, HOST)

        assert (row(acme).state, row(acme).failures, row(acme).openings) == ("closed", 0, 0)
        assert not hosts.succeeded(acme.pk, HOST)

    def test_a_success_without_troubles_costs_no_query(self, acme, django_assert_num_queries):
        hosts.known(acme.pk, HOST)

        with django_assert_num_queries(0):
            hosts.known(acme.pk, HOST)
            assert not hosts.succeeded(acme.pk, HOST)

    def test_a_probe_not_sent_is_given_back(self, acme):
        fail(acme, 5)
        past(acme, probe_at=1)
        assert hosts.claim_probe(acme.pk, HOST)
        assert not hosts.claim_probe(acme.pk, HOST)

        hosts.unclaim_probe(acme.pk, HOST)

        assert hosts.claim_probe(acme.pk, HOST)

    def test_a_probe_that_is_never_heard_of_again_is_replaced(self, acme):
        fail(acme, 5)
        past(acme, probe_at=1)
        hosts.claim_probe(acme.pk, HOST)
        past(acme, probe_at=1)

        assert hosts.claim_probe(acme.pk, HOST)


@pytest.mark.django_db(transaction=True)
class TestProbe:
    def test_is_one_across_all_workers(self, acme):
        fail(acme, 5)
        past(acme, probe_at=1)
        gate = threading.Barrier(8, timeout=20)
        claimed = []

        def work():
            gate.wait()
            claimed.append(hosts.claim_probe(acme.pk, HOST))
            connection.close()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(claimed) == [False] * 7 + [True]


@pytest.mark.django_db
class TestHold:
    def test_stands_for_as_long_as_was_asked_and_is_not_shortened(self, acme, globex):
        hosts.hold(acme.pk, HOST, seconds=60, problem="It answered 429.")
        held = hosts.hold(acme.pk, HOST, seconds=5, problem="It answered 429.")

        assert 55 < held.hold_in <= 60
        assert held.is_closed
        assert hosts.known(globex.pk, HOST).waits == 0


@pytest.mark.django_db
class TestPurge:
    def test_forgets_what_was_not_heard_of_for_days(self, acme, globex):
        fail(acme)
        fail(globex)
        past(acme, last_at=86_400 * (hosts.KEEP_DAYS + 1))

        with connection.cursor() as cursor:
            assert hosts.purge(cursor) == 1
        with every_tenant():
            assert list(HostState.objects.values_list("tenant__slug", flat=True)) == ["globex"]
